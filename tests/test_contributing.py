"""What CONTRIBUTING.md says of adding things is done here, in a copy of this checkout.

The files are counted by git, the result is used, and the copy's own tests of that corner pass.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.recipes import code, data, folders
from tests.recipes.checkout import ROOT, Checkout

pytestmark = pytest.mark.thorough

PAGE = ROOT / "CONTRIBUTING.md"
RECIPES: dict[str, tuple[Callable[[Checkout], None], Callable[[Checkout], None]]] = {
    "a model": (data.add_a_model, data.the_model_is_checked_and_served),
    "a card": (data.add_a_card, data.the_card_is_offered_and_bought),
    "a rule": (code.add_a_rule, code.the_rule_warns_and_is_explained),
    "a key limit": (code.add_a_key_limit, code.the_limit_is_kept),
    "a vendor": (data.add_a_vendor, data.the_vendor_is_asked_for_its_key),
    "a role": (folders.add_a_role, folders.the_role_is_asked_for_in_a_stack),
    "a cloud": (folders.add_a_cloud, folders.the_cloud_is_offered_and_its_machine_checked),
    "a typed vLLM flag": (code.add_a_flag, code.the_flag_is_on_the_command_line),
}


@pytest.mark.parametrize("what", RECIPES)
def test_adding_it_touches_the_files_that_the_page_lists_and_it_works(what: str, tmp_path: Path) -> None:
    """UPDATE_GOLDEN=1 writes the page's row."""
    add, use = RECIPES[what]
    tree = Checkout.made(tmp_path / "checkout")
    add(tree)
    row = f"| [{what}](#{what.lower().replace(' ', '-')}) | {_row(tree)} |\n"
    if os.environ.get("UPDATE_GOLDEN"):
        text, there = re.subn(rf"^\| \[{what}\].*\n", lambda _: row, PAGE.read_text(), flags=re.MULTILINE)
        PAGE.write_text(text if there else re.sub(r"((?:^\|.*\n)+)", rf"\g<1>{row}", text, count=1, flags=re.MULTILINE))
    assert row in PAGE.read_text(), f"the page should say: {row}"
    use(tree)


def _row(tree: Checkout) -> str:
    """How many files a hand touches, and which; those that a tool writes; those of the tests alone."""
    touched = list(dict.fromkeys(map(_new_folder, tree.touched())))
    shipped = [each for each in touched if not each.startswith("tests/")]
    by_hand = [each for each in shipped if each not in tree.written]
    tests = [each for each in touched if each not in shipped]
    made = [each for each in shipped if each in tree.written]
    return f"{len(by_hand)} | {_listed(by_hand)} | {_listed(made)} | {_listed(tests)}"


def _new_folder(file: str) -> str:
    """The highest folder of a file that was not there before, as one thing; else the file."""
    above = [each for each in Path(file).parents if not (ROOT / each).exists()]
    return f"{above[-1]}/" if above else file


def _listed(files: list[str]) -> str:
    return "<br>".join(f"`{each}`" for each in files)


def test_every_row_of_the_page_is_tried_or_said_not_to_be() -> None:
    rows = re.findall(r"^\| \[(an? [a-zA-Z ]+)\]", PAGE.read_text(), re.MULTILINE)
    assert rows == list(RECIPES)
