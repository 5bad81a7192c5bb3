"""The changes of a comparison as a reader wants them: by machine, each with what it does, and the texts that differ."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.comparison import Comparison, Operation, Step
from pulumi_llm._plan.forecast import labelled
from pulumi_llm._plan.model import SHOWN_SECRET, SHOWN_UNKNOWN, UNKNOWN, PlannedResource, is_secret, masked
from pulumi_llm._provider_facts import table
from pulumi_llm._provider_facts.diff import ignored, top
from pulumi_llm._review import documents, impact
from pulumi_llm._review.impact import Impact, role_of
from pulumi_llm._review.masking import Masker
from pulumi_llm._review.nodes import Nodes

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Change:
    """One row: what changes, and what that does.

    ``what`` is an input's path, a file's path, or empty for the resource as a whole. ``before`` and ``after`` are short
    texts, already masked; None where there is nothing. ``services`` are those that a changed file restarts.
    """

    node: str
    urn: str
    type: str
    resource: str
    operation: Operation
    what: str
    before: str | None
    after: str | None
    impact: Impact
    services: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """The files that differ, where an input is a document: ``before`` and ``after`` then count lines or files."""


@dataclass(frozen=True, slots=True)
class TextChange:
    """A file that differs, masked. ``resource`` carries it; None: there is no such file."""

    node: str
    resource: str
    name: str
    before: str | None
    after: str | None


@dataclass(slots=True)
class Changes:
    """All changes of a stack, and what the whole amounts to."""

    rows: list[Change] = field(default_factory=list)
    texts: list[TextChange] = field(default_factory=list)
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    """What the author changed: arguments of components and configuration, by path."""
    resources: dict[Operation, list[str]] = field(default_factory=dict)
    """The names of all resources that something happens to, components included."""

    @property
    def counts(self) -> dict[Operation, int]:
        """How many resources each operation touches."""
        return {operation: len(names) for operation, names in self.resources.items()}

    @property
    def worst(self) -> Impact | None:
        """The worst impact of all rows."""
        return min((each.impact for each in self.rows), key=lambda each: each.rank, default=None)


def changes_of(comparison: Comparison, masker: Masker) -> Changes:
    """Everything that changes, the worst first for each machine."""
    return _Reader(comparison, masker).read()


class _Reader:
    def __init__(self, comparison: Comparison, masker: Masker) -> None:
        self.comparison = comparison
        self.masker = masker
        self.stand_ins = comparison.stand_ins
        self.nodes = Nodes(comparison)
        self.found = Changes()

    def read(self) -> Changes:
        for step in self.comparison.steps:
            if step.resource.type.startswith("pulumi:"):
                continue
            if step.operation != "same":
                self.found.resources.setdefault(step.operation, []).append(step.resource.name)
            if not step.resource.custom:
                self._component(step)
            elif step.before is not None and step.after is not None:
                self._changed(step)
            else:
                self._whole(step)
        self._left_behind()
        self.found.rows = list(self._told_once(self.found.rows))
        self.found.rows.sort(key=lambda row: (row.node, row.impact.rank))
        return self.found

    def _left_behind(self) -> None:
        """What stays in its region while its provider goes to another, and is then looked for there in vain."""
        moved = moved_providers(self.comparison)
        for step in self.comparison.steps:
            provider = step.resource.provider.rpartition("::")[0]
            if step.operation in ("same", "update") and provider in moved and table.is_regional(step.resource.type):
                self._row(step, "", None, None, Impact("refused", "left-behind", "engine"))

    def _told_once(self, rows: list[Change]) -> Iterator[Change]:
        """The rows without secret documents that differ only because the document that they go with does."""
        settled = {row.node for row in rows if row.files and role_of(self.nodes.by_urn[row.urn]) == "command"}
        new_secrets = {row.node for row in rows if role_of(self.nodes.by_urn[row.urn]) in ("secret", "certificate")}
        for row in rows:
            secret = SHOWN_SECRET in (row.before, row.after) and role_of(self.nodes.by_urn[row.urn]) == "command"
            if not (secret and row.node in settled - new_secrets):
                yield row

    def _component(self, step: Step) -> None:
        """Arguments of a component: what was asked. Those that a component of ours hands on are told once, above."""
        if step.before is None or step.after is None or self.nodes.inside_component(step.resource):
            return
        before, after = masked(step.before.inputs), masked(step.after.inputs)
        for path, old, new in _differences(before, after):
            self.found.asked.append((path, self._short(old), self._short(new)))

    def _whole(self, step: Step) -> None:
        self._row(step, "", None, None, impact.of_step(step))

    def _changed(self, step: Step) -> None:
        assert step.before is not None  # noqa: S101 - asked by the caller
        assert step.after is not None  # noqa: S101 - asked by the caller
        before, after = step.before, step.after
        if step.operation == "replace":
            self._row(step, "", None, ", ".join(step.replaced_by) or None, impact.of_step(step))
        at_all = {top(each) for each in after.ignore_changes}
        freed = {each for each in before.ignore_changes if each not in after.ignore_changes}
        for each in sorted(freed):
            differs = before.inputs.get(each) != after.inputs.get(each)
            if not differs and self.comparison.source == "program" and role_of(after) == "machine":
                self._row(step, each, None, None, Impact("may-take-effect", "freed", "engine"))
        told: set[str] = set()
        for key in dict.fromkeys([*before.inputs, *after.inputs]):
            old, new = before.inputs.get(key, _ABSENT), after.inputs.get(key, _ABSENT)
            if key.startswith("__") or old == new:
                continue
            # Of an input that is ignored in part, the rest counts: a boot disk has an image that is, and a size.
            whole = key in after.ignore_changes or not any(top(each) == key for each in step.changed)
            if key in at_all and whole:
                if step.operation != "replace":
                    found = impact.of_ignored(after)
                    if not self._document(step, key, old, new, found):
                        self._property(step, key, old, new, found)
                told.add(key)
            elif step.operation != "same":
                self._input(step, key, old, new)
                told.add(key)
        for path in step.changed:  # what differs though it is shown alike: secrets, and what is computed
            key = top(path)
            if key not in told and step.operation == "update":
                told.add(key)
                value = after.inputs.get(key)
                self._input(step, key, before.inputs.get(key, value), value)

    def _input(self, step: Step, key: str, old: Any, new: Any) -> None:
        if step.operation == "replace":  # one row says so; what differs in texts is still shown
            self._document(step, key, old, new, impact.of_step(step))
            return
        if self._document(step, key, old, new, impact.of_property(step, key, old, new, attached=self._attached(step))):
            return
        self._property(step, key, old, new, None)

    def _property(self, step: Step, key: str, old: Any, new: Any, known: Impact | None) -> None:
        if isinstance(old, Mapping) and isinstance(new, Mapping) and not is_secret(old) and not is_secret(new):
            parts = [(f"{key}.{path}", was, now) for path, was, now in _differences(old, new)]
        else:
            parts = [(key, old, new)]
        for path, was, now in parts:
            found = known
            if found is None and step.after is not None and ignored(path, step.after.ignore_changes):
                found = impact.of_ignored(step.after)
            if found is None:
                found = impact.of_property(step, path, _number(was), _number(now), attached=self._attached(step))
            self._row(step, path, self._short(was), self._short(now), found)

    def _document(self, step: Step, key: str, old: Any, new: Any, found: Impact) -> bool:
        """Rows and line diffs of the files in an input. False: it is no document."""
        type_ = step.resource.type
        values = [each for each in (old, new) if each is not _ABSENT]
        if any(is_secret(each) for each in values) or not any(
            documents.is_document(type_, key, each) for each in values
        ):
            return False
        was, now = (documents.files_in(type_, key, each) if each is not _ABSENT else {} for each in (old, new))
        restarts = _restarts(old, new)
        services_now = _services(new)
        turns, together_share = _taking_turns(old, new)
        node = self.nodes.of(step.resource)
        names = [each for each in {**was, **now} if was.get(each) != now.get(each)]
        together = role_of(step.resource) == "machine"  # one input of the machine, whatever it packs
        if together and step.operation != "replace":
            self._row(step, key, f"{len(was)}", f"{len(now)}", found, files=tuple(names))
        for name in names:
            before, after = self._text(was.get(name)), self._text(now.get(name))
            unseen = before == after
            if not unseen:
                self.found.texts.append(TextChange(node, step.resource.name, name, before, after))
            if together or step.operation == "replace":
                continue
            services = restarts.get(name, ())
            impact_of_file = found
            if role_of(step.resource) == "command" and services:
                code = "restarts-service" if services_now is None or set(services) & services_now else "stops-service"
                note = "model-loads" if "llm-vllm" in services and code == "restarts-service" else ""
                impact_of_file = Impact(code, note, "node")
                if turns.issuperset(services):
                    fits = together_share <= 1
                    impact_of_file = Impact(*(("loads-beside", "no-pause") if fits else ("refused", "no-room")), "node")
                    services = ()
            lines = _counted(before, after)
            self._row(step, name, lines[0], lines[1], impact_of_file, services=services, files=(name,))
        return True

    def _row(
        self,
        step: Step,
        what: str,
        before: str | None,
        after: str | None,
        found: Impact,
        *,
        services: tuple[str, ...] = (),
        files: tuple[str, ...] = (),
    ) -> None:
        if found.code == "recorded":
            return
        each = step.resource
        self.found.rows.append(
            Change(
                node=self.nodes.of(each),
                urn=each.urn,
                type=each.type,
                resource=each.name,
                operation=step.operation,
                what=what,
                before=before,
                after=after,
                impact=found,
                services=services,
                files=files,
            )
        )

    def _attached(self, step: Step) -> bool:
        return step.resource.urn in self.nodes.with_address

    def _text(self, text: str | None) -> str | None:
        return None if text is None else self.masker.mask(labelled(text, self.stand_ins))

    def _short(self, value: Any) -> str | None:
        """A value in one line."""
        if value is _ABSENT or value is None:
            return None
        shown = masked(value)
        if value == UNKNOWN:
            return SHOWN_UNKNOWN
        text = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
        return self._text(text)


def moved_providers(comparison: Comparison) -> dict[str, Step]:
    """The providers, by URN, that stay the same ones and go to another region."""
    return {
        each.resource.urn: each
        for each in comparison.steps
        if each.resource.type.startswith("pulumi:providers:")
        and each.before is not None
        and each.after is not None
        and each.before.inputs.get("region") != each.after.inputs.get("region")
    }


def _restarts(old: Any, new: Any) -> dict[str, tuple[str, ...]]:
    """Which services each file of a node's settings restarts when it changes, or goes."""
    found: dict[str, tuple[str, ...]] = {}
    for document in (documents.settings_document(each) for each in (old, new)):
        for each in (document or {}).get("files", ()):
            # A socket is restarted with its service alone, which is what people know it by.
            units = [str(unit) for unit in each["restart"] if not str(unit).endswith(".socket")]
            found[each["path"]] = tuple(unit.removesuffix(".service") for unit in units)
    return found


def _services(text: Any) -> set[str] | None:
    """The services of a node's settings; None for what is no such document."""
    content = documents.settings_document(text)
    return None if content is None else {str(each).removesuffix(".service") for each in content["services"]}


def _taking_turns(old: Any, new: Any) -> tuple[set[str], float]:
    """The services of which one loads while the other serves, and what share of a GPU both have together.

    Nothing unless the node was set up for that before, too.
    """
    forms = [(documents.settings_document(each) or {}).get("beside") or {} for each in (old, new)]
    if not all(forms):
        return set(), 0.0
    return {str(each).removesuffix(".service") for each in forms[1]["units"]}, sum(each["share"] for each in forms)


def _counted(before: str | None, after: str | None) -> tuple[str | None, str | None]:
    """How a file differs, for a table: lines that go and come."""
    old, new = (before or "").splitlines(), (after or "").splitlines()
    gone = come = 0
    for tag, low, high, start, stop in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            gone, come = gone + high - low, come + stop - start
    return (None if before is None else f"-{gone}"), (None if after is None else f"+{come}")


def _number(value: Any) -> Any:
    return None if value is _ABSENT else value


def _differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The leaves that differ between two nested values; lists are compared as wholes."""
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping) and not is_secret(old) and not is_secret(new):
        for key in dict.fromkeys([*old, *new]):
            if not str(key).startswith("__"):
                yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    else:
        yield path, old, new


def named(resource: PlannedResource) -> str:
    """A type in short: `ec2.Instance`."""
    module, _, kind = resource.type.rpartition(":")
    return f"{module.split(':')[-1].split('/')[0]}.{kind}" if module else kind
