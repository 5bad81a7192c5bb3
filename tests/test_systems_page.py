"""docs/systems.md has every host that the guide names, and no row without a test that was run or a reason why not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pulumi_llm import _docpages as docpages
from pulumi_llm import catalog, clouds
from pulumi_llm.spec import not_built

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = ROOT / "docs/systems.md", ROOT / "docs/systems.zh.md"
GUIDE = [
    *(("1.2.1", each) for each in ("Aliyun", "Tencent Cloud", "Volcengine", "AWS", "Vultr", "Google TPU")),
    ("1.2.1", "A bought RTX 4090, A6000 or other card"),
    *(("1.2.2", each) for each in ("Colab", "Kaggle", "AutoDL")),
    *(("2.3.2", each) for each in ("Cloudflare", "Vercel", "Render", "DigitalOcean", "AWS", "Microsoft Azure")),
    *(("2.3.2", each) for each in ("Google Cloud Platform", "Aliyun's international site")),
    *(("3.2", each) for each in ("PAI", "Bailian", "HAI", "Qianfan", "Paperspace", "Lepton AI")),
]
"""The guide's hosts, by its chapters on servers, on hosts for a proxy and on cloud vendors (4090 and others: its advice
to buy a card at the end of 1.2.1)."""
NOT_RUN = {ENGLISH: "not run: ", CHINESE: "未运行："}
TEST = re.compile(r"\]\(\.\./(tests/[\w/]+\.py)\)")


def rows(page: Path) -> list[list[str]]:
    """The cells of the table of the guide's hosts."""
    table = re.search(
        r"^\|[^\n]*\n\| --- \| --- \| --- \| --- \| --- \|\n((?:\|[^\n]*\n)+)", page.read_text(), re.MULTILINE
    )
    assert table is not None
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()]


ROWS = [(page, row) for page in (ENGLISH, CHINESE) for row in rows(page)]
NAMED = [f"{page.stem}-{row[0].strip('| ')}-{row[1]}" for page, row in ROWS]


def test_each_host_of_the_guide_has_one_row_and_no_other_has_one() -> None:
    assert [(row[0], row[1]) for row in rows(ENGLISH)] == GUIDE


@pytest.mark.parametrize(("page", "row"), ROWS, ids=NAMED)
def test_a_row_names_a_test_that_is_there_or_says_why_it_was_not_run(page: Path, row: list[str]) -> None:
    assert len(row) == 5
    assert all(row)
    how = row[3]
    tests = TEST.findall(how)
    for each in tests:
        path = ROOT / each
        assert path.is_file(), each
        assert re.search(r"^(async )?def test_", path.read_text(), re.MULTILINE), f"{each} holds no test"
    start, reason, _ = how.partition(NOT_RUN[page])
    assert tests or reason
    if reason:
        assert start == ""
        assert len(how) > len(reason) + 5


@pytest.mark.parametrize(("page", "row"), ROWS, ids=NAMED)
def test_what_a_row_names_is_there(page: Path, row: list[str]) -> None:
    text = " ".join(row)
    sold = catalog.load().clouds
    for cloud in re.findall(r"`(?:server|proxy)\.cloud: (\w+)`", text):
        # A row may name a cloud to say that it is refused: then it is, with a reason.
        assert (cloud in sold and cloud in clouds.names()) != bool(not_built.reason(cloud)), cloud
    explained = {code for section in docpages.sections() for code in section.codes}
    assert set(re.findall(r"`([a-z]+\.[a-z]+-[a-z-]+)`", text)) <= explained
    for upstream in re.findall(r"(?:the upstream|上游) `([a-z-]+)`", text):
        assert upstream in catalog.load().upstreams


def test_a_cloud_that_is_built_is_not_called_missing() -> None:
    """A row that says that a cloud is not built goes when it is."""
    titles = {row.title.casefold() for row in catalog.load().clouds.values()} | {*clouds.names()}
    missing = [row[1] for row in rows(ENGLISH) if row[2].startswith("nothing made from here")]
    assert missing
    for host in missing:
        words = {host.casefold(), host.split()[-1].casefold(), host.split()[0].casefold()}
        assert not words & titles, host


def test_the_managed_services_of_the_guide_are_those_that_are_compared() -> None:
    named = {each for row in rows(ENGLISH) for each in re.findall(r"the upstream `([a-z-]+)`", " ".join(row))}
    managed = {name for name, row in catalog.load().upstreams.items() if row.managed}
    assert managed <= named


def test_the_chinese_table_has_the_same_rows_in_the_same_order_with_the_same_names_and_tests() -> None:
    for english, chinese in zip(rows(ENGLISH), rows(CHINESE), strict=True):
        assert english[0] == chinese[0]
        assert TEST.findall(english[3]) == TEST.findall(chinese[3]), english[1]
        for column in range(2, 5):
            quoted = [re.findall(r"`([^`]+)`", each[column]) for each in (english, chinese)]
            assert quoted[0] == quoted[1], english[1]
        assert english[3].startswith(NOT_RUN[ENGLISH]) == chinese[3].startswith(NOT_RUN[CHINESE]), english[1]
