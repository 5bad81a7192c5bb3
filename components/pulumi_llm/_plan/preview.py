"""The engine's `pulumi preview --json` as the comparison that our own runs give.

What the engine does not tell stays untold: secrets come blinded as `[secret]`, what is not known yet as a marker, and
what the program tells the engine to ignore is already put back. What stays the same is told only with `--show-sames`;
without it the comparison holds the changes alone, and a note says so. Format: pulumi/pulumi, pkg/display/json.go
(PreviewDigest), of 3.237 and later; a stream of events (PULUMI_ENABLE_STREAMING_JSON_PREVIEW) is not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pulumi_llm import _json
from pulumi_llm import _system as system
from pulumi_llm._plan.comparison import Comparison, Operation, Step
from pulumi_llm._plan.model import SECRET, SHOWN_SECRET, SIGNATURE, Plan, PlannedResource
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

OPERATIONS: Mapping[str, Operation] = {
    "same": "same",
    "read": "same",
    "refresh": "same",
    "create": "create",
    "import": "create",
    "update": "update",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "read-replacement": "replace",
    "import-replacement": "replace",
    "discard-replaced": "replace",
    "delete": "delete",
    "read-discard": "delete",
    "remove-pending-replace": "delete",
}
_ROOT = "pulumi:pulumi:Stack"
MOST_STARTS = 100
"""Braces at which the document is looked for; words around it have a few."""
MOST_ERROR = 1000
"""Characters of one error that are told."""


class PreviewFailed(Refusal):
    """A preview that the engine did not end: what it planned before its first error is not what `up` would do."""

    def __init__(self, stack: str, findings: Iterable[Finding]) -> None:
        super().__init__(findings)
        self.stack = stack
        """The stack that was previewed, empty where the engine came to none of its resources."""


def read(path: Path) -> Comparison:
    """The comparison that a file of `preview --json` holds.

    Raises :class:`Refusal` (``diff.bad-preview``) where it holds none, and where the preview itself failed.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(_json.LARGEST + 1)
    except OSError as wrong:
        raise _bad(path, _("it cannot be read: {problem}", problem=system.why(wrong))) from None
    return parse(text, str(path))


def parse(text: str, name: str = "preview") -> Comparison:
    """The comparison in the text of `preview --json`, which may have lines of other words before and after it.

    Raises :class:`PreviewFailed` with every error that the engine tells, and :class:`Refusal` (``diff.bad-preview``).
    """
    try:
        content = _digest(text)
    except ValueError as wrong:
        raise _bad(name, str(wrong)) from None
    if content is None:
        raise _bad(name, _("it holds no JSON with `steps`, as `pulumi preview --json` writes it"))
    try:
        failed = _errors(content, Path(name).name)
        if failed:
            raise PreviewFailed(_stack_of(content), failed)
        return _comparison(content)
    except (KeyError, TypeError, AttributeError, ValueError) as wrong:
        raise _bad(
            name,
            _("a step is not as the engine writes it ({name}: {problem})", name=type(wrong).__name__, problem=wrong),
        ) from None


def _digest(text: str) -> dict[str, Any] | None:
    if len(text) > _json.LARGEST:
        raise ValueError(_("it is longer than {largest:,} characters", largest=_json.LARGEST))
    decoder = json.JSONDecoder()
    at, starts = text.find("{"), 0
    while at >= 0 and starts < MOST_STARTS:
        starts += 1
        try:
            found, end = decoder.raw_decode(text, at)
            _json.bounded(found)
        except RecursionError:
            raise ValueError(_("it is nested too deeply")) from None
        except ValueError:
            at = text.find("{", at + 1)
            continue
        if isinstance(found, dict) and isinstance(found.get("steps"), list):
            return found
        at = text.find("{", end)
    return None


def _errors(content: Mapping[str, Any], name: str) -> list[Finding]:
    """Every error that the engine tells, each once. A violated mandatory policy is told as `preview failed` alone."""
    found: dict[tuple[str, str], Finding] = {}
    for each in content.get("diagnostics") or ():
        if each.get("severity") != "error":
            continue
        words, where = _words(str(each.get("message", ""))), str(each.get("urn") or "").rsplit("::", 1)[-1]
        hint = _("fix the program") if words != "preview failed" else _("`pulumi preview` without --json tells more")
        message = _("the preview in {name} failed: {words}", name=name, words=words)
        found[words, where] = Finding("diff.preview-failed", message, hint, where=where)
    return list(found.values())


def _words(message: str) -> str:
    """An error's own words in one line. Of a Python traceback what it says first, and its last line."""
    lines = [each.strip() for each in message.strip().removeprefix("error: ").splitlines() if each.strip()]
    if any(each.startswith("Traceback (most recent call last)") for each in lines):
        lines = [lines[0], lines[-1]]
    text = " ".join(lines) or _("the engine does not say why")
    return text if len(text) <= MOST_ERROR else f"{text[: MOST_ERROR - 1]}…"


def _stack_of(content: Mapping[str, Any]) -> str:
    urns = (str(each.get("urn", "")) for each in content["steps"])
    return next((urn.split("::")[0].rsplit(":", 1)[-1] for urn in urns if "::" in urn), "")


def _comparison(content: Mapping[str, Any]) -> Comparison:
    before, after = Plan("", ""), Plan("", "")
    found: dict[str, Step] = {}
    for row in content["steps"]:
        operation = OPERATIONS.get(row["op"])
        if operation is None:
            raise ValueError(_("unknown operation {op!r}", op=row["op"]))
        urn = row["urn"]
        head, project, qualified = str(urn).split("::")[:3]
        before.stack = after.stack = head.rsplit(":", 1)[-1]
        before.project = after.project = project
        old, new = resource_of(row.get("oldState")), resource_of(row.get("newState"))
        if qualified == _ROOT:
            continue
        if operation == "same":
            old = old or new
            new = new or old
        step = Step(operation, old, new, *_paths(row))
        found[urn] = _merged(found[urn], step) if urn in found else step
    comparison = Comparison(before, after, list(found.values()), source="engine")
    for step in comparison.steps:
        if step.before is not None and step.operation != "create":
            before.resources.append(step.before)
        if step.after is not None and step.operation != "delete":
            after.resources.append(step.after)
    same = sum(each.operation == "same" for each in comparison.steps)
    if same + 1 < int((content.get("changeSummary") or {}).get("same", 0)):
        message = _(
            "the preview leaves out what stays the same: the picture, the totals and the policy see only the changes"
        )
        hint = _("pulumi preview --json --show-sames")
        after.notes.append(Finding("diff.partial-preview", message, hint, severity="warning"))
    config = {key: _opened(value) for key, value in (content.get("config") or {}).items()}
    before.config, after.config = {}, config
    return comparison


def _merged(first: Step, second: Step) -> Step:
    """Both halves of a replacement, as `--show-replacement-steps` tells them."""
    before, after = first.before or second.before, first.after or second.after
    changed = tuple(dict.fromkeys([*first.changed, *second.changed]))
    replaced_by = tuple(dict.fromkeys([*first.replaced_by, *second.replaced_by]))
    operations = {first.operation, second.operation}
    replaced = "replace" in operations or operations == {"create", "delete"}
    return Step("replace" if replaced else second.operation, before, after, changed, replaced_by)


def _paths(row: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    detailed = row.get("detailedDiff") or {}
    changed = [*detailed] or [*(row.get("diffReasons") or ())]
    replaced = [path for path, each in detailed.items() if "replace" in str(each.get("kind", ""))]
    replaced += [each for each in row.get("replaceReasons") or () if not any(_inside(path, each) for path in replaced)]
    return tuple(changed), tuple(replaced)


def _inside(path: str, key: str) -> bool:
    return path == key or path.startswith((f"{key}.", f"{key}["))


def resource_of(state: Mapping[str, Any] | None) -> PlannedResource | None:
    """A resource as the engine writes it, in a preview or in an exported state."""
    if state is None:
        return None
    return PlannedResource(
        urn=state["urn"],
        type=state["type"],
        name=state["urn"].rsplit("::", 1)[-1],
        parent=state.get("parent") or "",
        custom=bool(state.get("custom")),
        inputs=_opened(state.get("inputs") or {}),
        provider=state.get("provider") or "",
        dependencies=tuple(sorted(state.get("dependencies") or ())),
        protect=bool(state.get("protect")),
        replace_on_changes=tuple(state.get("replaceOnChanges") or ()),
        retain_on_delete=bool(state.get("retainOnDelete")),
        id=str(state.get("id") or ""),
        outputs=_opened(state.get("outputs") or {}),
    )


def _opened(value: Any) -> Any:
    """``value`` with blinded secrets marked as our own plans mark theirs; what they are nobody is told."""
    if value == SHOWN_SECRET:
        return {SIGNATURE: SECRET, "value": None}
    if isinstance(value, Mapping):
        return {key: _opened(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_opened(each) for each in value]
    return value


def _bad(name: object, why: str) -> Refusal:
    hint = _("write it with `pulumi preview --json --show-sames > preview.json`")
    return Refusal(
        [Finding("diff.bad-preview", _("{name} is no preview of the engine: {why}", name=name, why=why), hint)]
    )
