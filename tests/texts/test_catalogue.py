"""The catalogues hold what the source says, no more and no less, and say it with the same values."""

from __future__ import annotations

import gettext
import importlib.machinery
import importlib.util
import io
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from pulumi_llm import _language as language
from tests.texts.english import english_in

TOP = Path(__file__).parents[2]
FOLDERS = sorted(language.FOLDER.glob("*/LC_MESSAGES"))


def tool() -> ModuleType:
    """`tools/messages`, as a module."""
    loader = importlib.machinery.SourceFileLoader("messages_tool", str(TOP / "tools" / "messages"))
    spec = importlib.util.spec_from_loader("messages_tool", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


TOOL = tool()


def po_of(folder: Path) -> dict[str, str]:
    found: dict[str, str] = TOOL.read_po((folder / "pulumi_llm.po").read_text(encoding="utf-8"))
    return found


def test_there_is_a_catalogue_for_each_language() -> None:
    assert {each.parent.name for each in FOLDERS} == set(language.CATALOGUES.values())
    assert all(language.catalogue(each) is not None for each in language.CATALOGUES)
    assert language.catalogue("en") is None


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_a_catalogue_holds_what_the_source_says(folder: Path) -> None:
    assert set(po_of(folder)) == set(TOOL.extract())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_a_translation_has_the_names_of_its_template(folder: Path) -> None:
    wrong = {text: TOOL.wrong_with(text, told) for text, told in po_of(folder).items()}
    assert {text: why for text, why in wrong.items() if why} == {}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_a_translation_sends_its_reader_to_the_page_in_his_language(folder: Path) -> None:
    language = folder.parent.name.partition("_")[0]
    pages = {page for told in po_of(folder).values() for page in re.findall(r"docs/([\w/-]+)\.md", told)}
    assert {page for page in pages if (TOP / f"docs/{page}.{language}.md").is_file()} == set()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_the_compiled_catalogue_is_the_written_one(folder: Path) -> None:
    """Read by the standard library, which nobody here wrote."""
    with (folder / "pulumi_llm.mo").open("rb") as file:
        read = gettext.GNUTranslations(file)
    po = po_of(folder)
    assert {text: read.gettext(text) for text in po} == po
    assert (folder / "pulumi_llm.mo").read_bytes() == TOOL.compile_mo(po, folder.parent.name)


@pytest.mark.skipif(shutil.which("msgfmt") is None, reason="GNU gettext is not installed")
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_gnu_gettext_takes_the_catalogue(folder: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.mo"
    done = subprocess.run(
        ["msgfmt", "--check-format", "-o", made, folder / "pulumi_llm.po"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    read = gettext.GNUTranslations(io.BytesIO(made.read_bytes()))
    po = po_of(folder)
    assert {text: read.gettext(text) for text in po} == po


# -- the tool itself


def test_texts_are_found_where_they_are_marked() -> None:
    source = '"""What it does."""\n_("a {b}", b=1)\ntr("c" "d")\nadd("--x", help="e")\nParser(P, __doc__)\n"f"\n'
    assert list(TOOL.texts_of(source)) == ["a {b}", "cd", "e", "What it does."]


@pytest.mark.parametrize("source", ['_(f"a {b}")', '_("a" + b)', "tr(text)"])
def test_a_text_that_is_put_together_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="as it stands"):
        list(TOOL.texts_of(source))


@pytest.mark.parametrize(
    ("template", "translation", "wrong"),
    [
        ("{a} of {b:g}", "{b:g} 里的 {a}", False),
        ("{a} of {b:g}", "{b} 里的 {a}", True),
        ("{a} of {b}", "{a}", True),
        ("{a}", "{a} {b}", True),
        ("keys: {default: {}}", "keys: {default: {}}", False),
        ("a line\n", "一行", True),
        ("a", "", True),
    ],
)
def test_what_is_wrong_with_a_translation_is_said(template: str, translation: str, wrong: bool) -> None:
    assert bool(TOOL.wrong_with(template, translation)) is wrong


def test_a_catalogue_is_read_as_it_was_written() -> None:
    rows = {"a": "甲", 'q "x"\\y': "引", "two\nlines\n": "两\n行\n", "{a:g}": "{a:g}"}
    text = TOOL.write_po({each: ["f.py"] for each in rows}, rows, "zh_CN")
    assert TOOL.read_po(text) == rows


def test_a_template_whose_names_changed_keeps_its_translation() -> None:
    old = {"{gpu} has {has}": "{gpu} 有 {has}", "gone": "没了"}
    assert TOOL.merged({"{name} has {count:,}": []}, old) == {"{name} has {count:,}": "{name} 有 {count:,}"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_no_english_is_left_in_a_translation(folder: Path) -> None:
    left = {text: english_in(told) for text, told in po_of(folder).items()}
    assert {text: words for text, words in left.items() if words} == {}
