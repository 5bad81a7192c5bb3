"""`pulumi-llm explain`: what a message's code means, for a user who has nothing but the wheel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pulumi_llm import _docpages as docpages
from pulumi_llm import _entry_points, cli, errors
from pulumi_llm.errors import Finding

PAGE = (Path(__file__).parents[2] / "docs" / errors.GUIDE).read_text(encoding="utf-8")
SAMPLE = 25
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(["explain", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_every_code_of_the_guide_is_explained_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    codes = [each.replace("-", ".", 1) for each in re.findall(r'<a id="([^"]+)"></a>', PAGE)]
    assert len(codes) > 300
    told = {code: section.text for section in docpages.sections() for code in section.codes}
    for code in codes:
        assert (f"`{code}`" in told[code], "**Do**" in told[code]) == (True, True), code
    for code in codes[::SAMPLE]:  # each call reads the whole guide
        exit_code, out, _ = said(capsys, code)
        assert (exit_code, f"`{code}`" in out, "**Do**" in out) == (0, True, True), code


def test_what_a_message_ends_with_is_a_call_that_works(capsys: pytest.CaptureFixture[str]) -> None:
    last = str(Finding("fit.weights-exceed-vram", "too large")).splitlines()[-1]
    assert last == "    see: pulumi-llm explain fit.weights-exceed-vram"
    assert said(capsys, last.split()[-1])[0] == 0


@pytest.mark.parametrize("spelt", ["[spec.wrong-type]", "spec-wrong-type", "Spec.Wrong-Type", "a.md#spec-wrong-type"])
def test_a_code_may_be_copied_as_it_stands(spelt: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, spelt)[1].startswith("### `spec.wrong-type`\n")


def test_without_a_code_all_are_listed_under_their_groups(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys)
    assert code == 0
    assert out.startswith("The specification\n  spec.unknown-key\n")
    assert "\n\nDoes it fit\n  fit." in out
    listed = re.findall(r"^  (\S+)$", out, re.MULTILINE)
    assert listed == [code for section in docpages.sections() for code in section.codes]


def test_a_code_with_a_typing_error_is_answered_with_the_one_that_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "fit.weights-exced-vram")
    assert (code, out) == (2, "")
    assert "did you mean fit.weights-exceed-vram?" in err


# In Chinese.


@pytest.mark.parametrize("chosen", ["--lang", "LANG"])
def test_every_code_is_explained_in_the_language_that_is_spoken(
    chosen: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = [code for section in docpages.sections("en") for code in section.codes]
    option = ["--lang", "zh"] if chosen == "--lang" else []
    if chosen == "LANG":
        monkeypatch.delenv("PULUMI_LLM_LANG")
        monkeypatch.setenv("LANG", "zh_CN.UTF-8")
        for each in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
            monkeypatch.delenv(each, raising=False)
    for code in codes[::SAMPLE]:
        exit_code, out, _ = said(capsys, code, *option)
        assert (exit_code, f"`{code}`" in out, "**怎么办**：" in out, "**Do**" in out) == (0, True, True, False), code
        assert len(CHINESE.findall(out.replace("怎么办", ""))) >= 4, code


def test_every_code_that_there_is_a_page_for_has_one_in_chinese() -> None:
    english, chinese = (
        {code: section.text for section in docpages.sections(language) for code in section.codes}
        for language in ("en", "zh")
    )
    assert list(chinese) == list(english)
    assert len(chinese) > 300
    assert [code for code, text in chinese.items() if "**怎么办**：" not in text or "**Do**" in text] == []


def test_the_list_in_chinese_has_the_same_codes_under_chinese_groups(capsys: pytest.CaptureFixture[str]) -> None:
    english, chinese = said(capsys)[1], said(capsys, "--lang", "zh")[1]
    codes = r"^  (\S+)$"
    assert re.findall(codes, chinese, re.MULTILINE) == re.findall(codes, english, re.MULTILINE)
    groups = [line for line in chinese.splitlines() if line and not line.startswith(" ")]
    assert [line for line in groups if not CHINESE.search(line)] == []
    assert len(groups) == len([line for line in english.splitlines() if line and not line.startswith(" ")])


def test_a_code_with_a_typing_error_is_answered_in_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "fit.weights-exced-vram", "--lang", "zh")
    assert (code, out) == (2, "")
    assert "没有名为 'fit.weights-exced-vram' 的代码" in err
    assert "是不是指 fit.weights-exceed-vram" in err
    assert "did you mean" not in err


def test_links_of_a_chinese_page_name_the_place_of_a_chinese_page(capsys: pytest.CaptureFixture[str]) -> None:
    named = re.search(r"使用指南 \((\S+?)#规格\)", said(capsys, "spec.unknown-key", "--lang", "zh")[1])
    assert named is not None
    assert named[1].endswith("user-guide.zh.md")
    assert Path(named[1]).is_file()


def test_the_page_of_a_message_is_the_one_in_its_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "_documentation", lambda: "https://example.com/docs")
    finding = Finding("spec.ipv6", "too wide")
    assert "https://example.com/docs/troubleshooting.md#spec-ipv6" in finding.text("en")
    assert "https://example.com/docs/troubleshooting.zh.md#spec-ipv6" in finding.text("zh")


def test_links_to_other_pages_name_the_place_where_these_lie(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "spec.unknown-key")[1]
    named = re.search(r"user guide \((\S+?)#the-specification\)", out)
    assert named is not None
    assert Path(named[1]).is_file()


def test_an_address_in_the_packages_metadata_is_named_beside_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = ["Source, https://example.com/code", "Documentation, https://example.com/docs/"]
    monkeypatch.setattr(_entry_points, "headers", lambda *_: declared)
    errors._documentation.cache_clear()
    try:
        page = "https://example.com/docs/troubleshooting.md#spec-ipv6"
        assert errors.explained("spec.ipv6") == f"pulumi-llm explain spec.ipv6 or {page}"
    finally:
        errors._documentation.cache_clear()
