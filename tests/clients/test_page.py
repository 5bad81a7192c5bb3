"""The page on clients names each client that is run, in the version that is run."""

from pathlib import Path

import pytest

from tests.clients.installed import CLIENTS, HERE

PAGES = [HERE.parents[1] / "docs" / name for name in ("clients.md", "clients.zh.md")]


@pytest.mark.parametrize("page", PAGES, ids=["en", "zh"])
def test_each_client_is_on_the_page_in_its_version(page: Path) -> None:
    rows = [row for row in page.read_text(encoding="utf-8").splitlines() if row.startswith("| [")]
    assert len(rows) == len(CLIENTS)
    for client in CLIENTS.values():
        (row,) = [row for row in rows if row.startswith(f"| [{client.title}]")]
        for package, version in client.packages.items():
            # What a script needs besides is none of its own.
            assert version in row or package == "zod"
