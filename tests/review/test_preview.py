"""The engine's `preview --json`, read into the model that our own comparison gives."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm._commands import comment
from pulumi_llm._plan import preview
from pulumi_llm._plan.model import UNKNOWN, is_secret
from pulumi_llm._review.comment import render
from pulumi_llm._review.stack_review import review
from pulumi_llm.errors import Refusal

PREVIEWS = Path(__file__).parent / "data" / "previews"
MACHINE = "aws:ec2/instance:Instance"


def urn(name: str, type_: str = MACHINE) -> str:
    return f"urn:pulumi:dev::project::{type_}::{name}"


def state(name: str, inputs: dict[str, Any], type_: str = MACHINE, **more: Any) -> dict[str, Any]:
    return {"urn": urn(name, type_), "custom": True, "type": type_, "inputs": inputs, **more}


def digest(*steps: dict[str, Any], **more: Any) -> str:
    return json.dumps({"config": {}, "steps": list(steps), "changeSummary": {}, **more})


def codes(text: str) -> list[str]:
    with pytest.raises(Refusal) as refused:
        preview.parse(text)
    return [each.code for each in refused.value.findings]


def update(**detailed: str) -> dict[str, Any]:
    old, new = state("m", {"ami": "ami-1", "token": "[secret]"}), state("m", {"ami": "ami-2", "token": "[secret]"})
    diff = {path: {"kind": kind, "inputDiff": True} for path, kind in detailed.items()}
    return {"op": "update", "urn": urn("m"), "oldState": old, "newState": new, "detailedDiff": diff}


def test_a_replacement_is_read_with_its_reasons() -> None:
    step = update(ami="update-replace") | {"op": "replace", "replaceReasons": ["ami"]}
    (found,) = preview.parse(digest(step)).changes
    assert (found.operation, found.changed, found.replaced_by) == ("replace", ("ami",), ("ami",))


def test_the_halves_of_a_replacement_are_one_step() -> None:
    whole = update(ami="update-replace")
    create = {"op": "create-replacement", "urn": urn("m"), "newState": whole["newState"], "detailedDiff": None}
    delete = {"op": "delete-replaced", "urn": urn("m"), "oldState": whole["oldState"], "detailedDiff": None}
    (found,) = preview.parse(digest(create, whole | {"op": "replace", "replaceReasons": ["ami"]}, delete)).changes
    assert found.operation == "replace"
    assert found.before is not None
    assert found.after is not None


def test_secrets_come_blinded_and_what_is_unknown_stays_so() -> None:
    step = {"op": "create", "urn": urn("m"), "newState": state("m", {"token": "[secret]", "ami": UNKNOWN})}
    (found,) = preview.parse(digest(step)).changes
    assert is_secret(found.resource.inputs["token"])
    assert found.resource.inputs["ami"] == UNKNOWN


def test_a_secret_that_changes_is_told_though_both_look_alike() -> None:
    comparison = preview.parse(
        digest(
            update(token="update")
            | {"oldState": state("m", {"token": "[secret]"}), "newState": state("m", {"token": "[secret]"})}
        )
    )
    text = render([review(comparison, catalog.load(), today=date(2026, 11, 25), environment={})])
    assert "`token`" in text
    assert "`[secret]`" in text


def test_words_around_the_json_are_passed_over() -> None:
    text = f"Previewing {{dev}}:\n@ 1\n{digest(update(ami='update'))}\nwarning: {{}}\n"
    assert len(preview.parse(text).changes) == 1


def test_a_preview_without_what_stays_the_same_says_so() -> None:
    found = preview.parse(digest(update(ami="update"), changeSummary={"same": 40, "update": 1}))
    assert [each.code for each in found.after.notes] == ["diff.partial-preview"]
    whole = preview.parse(digest(update(ami="update"), changeSummary={"same": 0, "update": 1}))
    assert whole.after.notes == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "not JSON",
        '{"steps": 1}',
        '{"steps": [{"op": "update"}]}',
        digest({"op": "explode", "urn": urn("m")}),
    ],
)
def test_what_is_no_preview_is_refused(text: str) -> None:
    assert codes(text) == ["diff.bad-preview"]


def test_a_preview_that_failed_is_told_as_such() -> None:
    failed = {"message": "error: no such stack", "severity": "error"}
    assert codes(json.dumps({"steps": [], "diagnostics": [failed]})) == ["diff.preview-failed"]


FAILED = {
    "program-raises": ["Program failed with an unhandled exception: KeyError: 'the program itself is wrong'"],
    "provider-refuses": ["is not a valid CIDR block: invalid CIDR address: not a block"],
    "provider-refuses-two": ["invalid CIDR address: 10.0.0.0/99"],
    "mandatory-policy": ["preview failed"],
}
"""What the engine (3.259.0) wrote of previews that failed, `changeSummary` and all, and what went wrong in each."""


@pytest.mark.parametrize("name", FAILED)
@pytest.mark.parametrize(("language", "told"), [("en", "failed: "), ("zh", "预览失败了：")])
def test_a_preview_that_failed_halfway_is_told_by_its_errors_alone(
    name: str, language: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = PREVIEWS / f"{name}.json"
    assert json.loads(path.read_text(encoding="utf-8"))["changeSummary"]
    assert comment.COMMAND.run(["--preview", str(path), "--lang", language]) == 1
    text = capsys.readouterr().out
    for words in FAILED[name]:
        assert words in text
    assert told in text
    assert "`dev`" in text
    assert "first" not in text, "what was planned before the error is not shown"
    assert "No change" not in text
    assert "没有变化" not in text


def test_every_error_of_a_preview_is_told_once() -> None:
    words = ("one", "two", "one")
    errors = [{"message": f"error: {each}", "severity": "error", "urn": urn(each)} for each in words]
    with pytest.raises(preview.PreviewFailed) as failed:
        preview.parse(digest(update(ami="update"), diagnostics=errors, changeSummary={"update": 1}))
    assert [each.where for each in failed.value.findings] == ["one", "two"]
    assert failed.value.stack == "dev"


def test_a_warning_is_no_failure() -> None:
    warning = {"message": "warning: old", "severity": "warning"}
    assert len(preview.parse(digest(update(ami="update"), diagnostics=[warning])).changes) == 1


def test_a_preview_that_is_nested_without_end_is_refused() -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    assert codes(digest(update(ami="update"), config={"a": deep})) == ["diff.bad-preview"]
    assert codes('{"steps": ' + "[" * 5000) == ["diff.bad-preview"]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"diff\.bad-preview"):
        preview.read(tmp_path / "none.json")
