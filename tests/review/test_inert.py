"""Names and values in a comment are words: they call nobody, link to nothing, fetch nothing and end no cell.

All is looked at as it is shown, see ``rendered.py``; the comment itself and what docs/ci/post_comment.py posts.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import typing
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pulumi_llm import _tables
from pulumi_llm._review import markdown
from pulumi_llm._review.callers import KINDS, Broken
from pulumi_llm._review.capacity import Capacity, Room
from pulumi_llm._review.changes import Change, Changes, TextChange
from pulumi_llm._review.comment import marker_line, render
from pulumi_llm._review.impact import Impact
from pulumi_llm._review.nodes import Machine
from pulumi_llm._review.openings import Open
from pulumi_llm._review.stack_review import StackReview
from pulumi_llm.errors import Finding
from tests.review.rendered import TAGS, Shown

SCRIPT = Path(__file__).parents[2] / "docs/ci/post_comment.py"
HOSTILE = {
    "a mention": "@octocat",
    "a mention after a Chinese character": "请@octocat",
    "a mention after a slash": "x/@octocat",
    "a team": "@octo-org/team",
    "an issue": "#12",
    "an issue with its prefix": "GH-12",
    "an issue elsewhere": "octo/hello#12",
    "a commit": "deadbeef1 0123456789abcdef0123456789abcdef01234567",
    "a commit elsewhere": "octo/hello@0123456789abcdef0123456789abcdef01234567",
    "an issue's address": "https://github.com/octo/hello/issues/12",
    "a merge request": "!12 group/project!12",
    "GitLab's marks": '$12 %12 &12 ^12 ~bug ~"bug" [issue:12] [vulnerability:12]',
    "an entity": "&#64;octocat &commat;octocat &#35;12 #&#49;2 @&#111;ctocat",
    "a picture": "![x](https://example.com/x.png) <img src=https://example.com/x.png>",
    "a link": "[x](https://example.com) <a href=https://example.com>x</a>",
    "our marker": "<!-- pulumi-llm:review -->",
    "a script": "<script>x</script><details><summary>x",
    "backticks": "` @octocat `` @octocat ``` @octocat",
    "a backtick at the end": "x` @octocat",
    "a bar": "x | @octocat",
    "an escaped bar": "x\\| @octocat \\",
    "emphasis": "**@octocat** _#12_ ~~GH-12~~",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("kind", ["words", "code", "html_words", "html_code"])
@pytest.mark.parametrize("place", ["alone", "in a list", "in a table"])
def test_a_text_is_shown_as_it_is_and_does_nothing(text: str, kind: str, place: str) -> None:
    made = str(getattr(markdown, kind)(text))
    if kind == "html_words":  # it stands in a fold's summary only, where Markdown is not read
        made = f"<details><summary>{made}</summary>\n\n</details>"
    elif place == "in a list":
        made = f"- {made}"
    elif place == "in a table":
        made = "\n".join(_tables.markdown(["a", "b"], [[made, "next"]]))
    shown = Shown(made)
    assert shown.calls == {}
    assert shown.tags <= TAGS
    assert shown.comments == []
    if kind == "code":  # for copying: nothing is put into it
        assert " ".join("".join(shown.code).split()) == " ".join(text.split())
    if kind in ("html_words", "html_code"):
        assert text in "".join([*shown.text, *shown.code]).replace(markdown.JOINER, "")
    if place == "in a table" and kind != "html_words":
        assert "next" in shown.text


def filled(kind: type, text: str, /, **fixed: Any) -> Any:
    """An object whose every text is ``text``."""
    values: dict[str, Any] = {}
    hints = typing.get_type_hints(kind)
    for each in dataclasses.fields(kind):
        if each.name in fixed:
            values[each.name] = fixed[each.name]
        elif hints[each.name] in (str, str | None):
            values[each.name] = text
        elif hints[each.name] == tuple[str, ...]:
            values[each.name] = (text,)
    return kind(**values)


def reviews_full_of(text: str) -> list[StackReview]:
    """Two stacks, one of which refuses, in which whatever a stranger names is ``text``."""
    change: dict[str, Any] = {"operation": "update", "impact": Impact("in-place"), "type": "aws:ec2/instance:Instance"}
    rows = [
        filled(Change, text, **change, files=(), services=()),
        filled(Change, text, **change, what="", before=None, files=(), services=()),
        filled(Change, text, **{**change, "operation": "replace", "impact": Impact("replaces")}, what="", files=()),
        filled(Change, text, **{**change, "impact": Impact("restarts-service")}, before="-1", after="+1", urn="x"),
    ]
    asked: list[tuple[str, str | None, str | None]] = [(text, text, f"{text}."), (text, None, text), (text, text, None)]
    texts = [filled(TextChange, text), filled(TextChange, text, before=None)]
    finding = filled(Finding, text, severity="warning")
    machine = filled(Machine, text, kind="machine")
    gone = dataclasses.replace(machine, node=f"{text} too")
    opened = [filled(Open, text), dataclasses.replace(filled(Open, text), node=f"{text} too")]
    changes = Changes(rows, texts, asked, {"update": [text] * 3})
    broken = [Broken(text, kind, (text, text), (text,)) for kind in KINDS]
    capacities = [Capacity(text, Room(4096, 2.5, 8192), None, downloads=True)]
    return [
        StackReview(
            text,
            text,
            "program",
            changes,
            opened=opened,
            closed=opened,
            broken=broken,
            capacities=capacities,
            machines=[machine],
            gone_machines=[gone],
            findings=[finding],
        ),
        StackReview(text, refused=[finding]),
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_nothing_that_a_stranger_names_does_anything_in_a_comment(text: str, language: Any) -> None:
    made = render(reviews_full_of(text), language, marker=text)
    shown = Shown(made)
    assert shown.calls == {}
    assert shown.tags <= TAGS | {"pre"}
    assert len(shown.comments) == 1
    assert len(re.findall("(?m)^<!-- pulumi-llm", made)) == 1
    assert made.startswith("<!-- pulumi-llm:review")


def test_a_comment_stays_readable() -> None:
    """What is put between is not seen, and what is no reference is left as it is."""
    text = "5 CNY & 10 % of 12 disks; see https://example.com/docs#fit: 100%, a & b, C# or F#, ~ 5, mail: me@ home"
    assert markdown.plain(text) == text
    assert markdown.words("disk of 1234567 GiB at 12345678").replace(markdown.JOINER, "") == (
        "disk of 1234567 GiB at 12345678"
    )


@pytest.fixture(scope="module")
def script() -> ModuleType:
    found = importlib.util.spec_from_file_location("post_comment", SCRIPT)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize("quick_actions", [False, True], ids=["GitHub", "GitLab"])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(
    "form", ["{}", "- x {} y", "| a |\n| --- |\n| {} |", "<details><summary>{}</summary>", "**x**{}"]
)
def test_what_is_posted_does_nothing_though_a_stranger_wrote_it(
    script: ModuleType, form: str, text: str, quick_actions: bool
) -> None:
    body = script.harmless(form.format(text), quick_actions=quick_actions)
    shown = Shown(body)
    assert shown.calls == {}
    assert "img" not in shown.tags
    assert "script" not in shown.tags
    assert shown.comments == []


def test_a_digest_in_a_block_of_code_can_be_copied_from_what_is_posted(script: ModuleType) -> None:
    digest = "0123456789abcdef0123456789abcdef01234567"
    block = f"\n```diff\n-revision: {digest}\n+#12\n```\n\n{digest}\n"
    posted = script.harmless(block, quick_actions=True)
    assert f"-revision: {digest}\n+#12\n```\n" in posted
    assert posted.count(digest) == 1


@pytest.mark.parametrize("before", ["x\n", "<details>\n", "- x\n"])
def test_what_only_looks_like_a_block_of_code_is_none(script: ModuleType, before: str) -> None:
    assert Shown(script.harmless(f"{before}```\n#12 in no block\n", quick_actions=False)).calls == {}


def test_our_own_comment_is_posted_as_it_is_shown(script: ModuleType) -> None:
    made = render(reviews_full_of("llm-server of 12 GiB"))
    marker, _, rest = made.partition("\n")
    assert marker == marker_line()
    posted = script.harmless(rest, quick_actions=True)
    assert "".join(Shown(posted).text).replace(script.JOINER, "") == "".join(Shown(rest).text)
    assert Decimal(len(posted)) / len(rest) < Decimal("1.1")
