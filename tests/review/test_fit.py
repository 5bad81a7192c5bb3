"""A comment always fits, and says what it leaves out."""

from __future__ import annotations

from datetime import date
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_llm import catalog
from pulumi_llm._plan.comparison import Comparison, Operation, Step
from pulumi_llm._plan.model import Plan, PlannedResource
from pulumi_llm._review.comment import LIMIT, ROOM, Language, render
from pulumi_llm._review.stack_review import StackReview, refusal, review
from pulumi_llm.errors import Finding

COUNT = 500


def instance(number: int, user_data: str, project: str = "p") -> PlannedResource:
    name = f"machine-{number:04d}"
    return PlannedResource(
        urn=f"urn:pulumi:dev::{project}::aws:ec2/instance:Instance::{name}",
        type="aws:ec2/instance:Instance",
        name=name,
        parent="",
        custom=True,
        inputs={"instanceType": "g4dn.xlarge", "ami": "ami-1", "userData": user_data, "region": "ap-northeast-1"},
    )


@cache
def many(count: int = COUNT, operation: Operation = "replace", lines: int = 60, stack: str = "dev") -> StackReview:
    """A stack in which every machine has long user data of its own, all of it changed."""

    def text(number: int, word: str) -> str:
        return "#!/bin/sh\n" + "".join(f"echo {number} {line} {word}\n" for line in range(lines))

    before, after = Plan("p", stack), Plan("p", stack)
    before.resources = [instance(each, text(each, "old")) for each in range(count)]
    after.resources = [instance(each, text(each, "new")) for each in range(count)]
    steps = [
        Step(operation, old, new, ("userData",), ("userData",) if operation == "replace" else ())
        for old, new in zip(before.resources, after.resources, strict=True)
    ]
    return review(Comparison(before, after, steps), catalog.load(), today=date(2026, 11, 25), environment={})


@pytest.mark.parametrize("language", ["en", "zh"])
def test_five_hundred_resources_fit_and_what_is_folded_is_counted_and_named(language: Language) -> None:
    text = render([many()], language)
    assert len(text) <= ROOM < LIMIT
    assert "machine-0000" in text
    assert "500" in text
    assert ("Left out" if language == "en" else "略去") in text
    assert text.startswith("<!-- pulumi-llm:review -->\n")


def test_what_is_left_out_adds_up() -> None:
    text = render([many()])
    shown = sum(line.startswith("| `machine-") for line in text.splitlines())
    (more,) = [line for line in text.splitlines() if " more: `machine-" in line]
    assert shown + int(more.split()[0]) == COUNT


def test_many_stacks_fit_and_each_is_in_the_summary_or_counted() -> None:
    reviews = [many(40, stack=f"stack-{number:02d}") for number in range(30)]
    text = render(reviews)
    assert len(text) <= ROOM
    for each in reviews:
        assert f"| `{each.stack}` |" in text


def test_thousands_of_stacks_fit_too() -> None:
    one = [refusal(f"stack-{number}-{'x' * 60}", [Finding("a.b", "no")]) for number in range(3000)]
    text = render(one)
    assert len(text) <= ROOM
    assert "3000" in text.splitlines()[-1]


def test_a_single_text_of_a_hundred_thousand_lines_fits() -> None:
    text = render([many(1, lines=100_000)])
    assert len(text) <= ROOM
    assert "more lines" in text


def test_a_small_change_is_shown_in_full() -> None:
    text = render([many(2, operation="update", lines=3)])
    assert "Left out" not in text
    assert "+echo 1 2 new" in text


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=200), st.text(min_size=1, max_size=60), st.lists(st.text(max_size=300), max_size=5))
def test_no_text_breaks_out_of_its_place(old: str, name: str, messages: list[str]) -> None:
    before, after = Plan("p", "dev"), Plan("p", "dev")
    before.resources, after.resources = (
        [instance(1, f"a\n{old}\n```\n</details>")],
        [instance(1, "b\n````\n</details>")],
    )
    after.notes = [Finding("a.b", each, "<script>@all|`", where=name) for each in messages]
    step = Step("update", before.resources[0], after.resources[0], ("userData",))
    found = review(Comparison(before, after, [step]), catalog.load(), today=date(2026, 11, 25), environment={})
    lines = outside_fences(render([found]))
    joined = "\n".join(lines)
    assert joined.count("<details") == joined.count("</details>")
    assert "<script>" not in joined
    head = next(index for index, line in enumerate(lines) if line.startswith("| Change"))
    width = cells(lines[head])
    assert cells(lines[head + 2]) == width


def cells(row: str) -> int:
    return row.replace("\\|", "").count("|")


def outside_fences(text: str) -> list[str]:
    found: list[str] = []
    fence: str | None = None
    for line in text.splitlines():
        if fence is None and line.startswith("```"):
            fence = "`" * (len(line) - len(line.lstrip("`")))
        elif fence is not None and line.strip() == fence:
            fence = None
        elif fence is None:
            found.append(line)
    assert fence is None
    return found
