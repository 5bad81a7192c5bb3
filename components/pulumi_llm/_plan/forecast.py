"""What `up` would leave behind, and what a later program's `up` would do to that. No engine, no account.

A first run of a program is captured as if it had been carried out: what only a cloud could tell (ids, addresses) is
stood in for by texts of ours (:class:`StandIns`), so that whatever the program makes of them is known. A second run, of
another revision, is held against it resource by resource, as the engine does: inputs are checked, ignored ones put
back, the rest compared by the provider's own rules (the simulated clouds' tables), and what is replaced gets other
stand-ins, so that whatever depends on it changes too. A provider of another name or region replaces nothing by itself,
as with the engine. The result is what `up` does, which may be less than what the
engine's preview says: a preview has to call unknown, and so changed, what a command prints when it is run again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from pulumi_llm import _provider_facts as provider_facts
from pulumi_llm import clouds
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.comparison import Comparison, Operation, Step
from pulumi_llm._plan.model import SECRET, SIGNATURE, UNKNOWN, Plan, PlannedResource
from pulumi_llm._provider_facts import schema
from pulumi_llm._provider_facts.diff import top
from pulumi_llm._simcloud.simulator import Simulator

_ADDRESS = re.compile(r"(?:^ip|Ip|^ipAddress|IpAddress|^ipv4\w*)$")
_TEXT = re.compile(
    r"(?i)(?:id|arn|ip|address|name|dns|domain|url|endpoint|pem|pkcs8|openssh|md5|sha256|result|hex|dec|std|b64url|base64"
    r"|stdout|stderr|zone|state|status)$"
)
"""Names of outputs that are texts in every package; the SDKs' schemas, as read here, have no types of outputs."""


class StandIns:
    """Texts that stand for what only a cloud could tell, each with what it is: an output of a resource."""

    def __init__(self, labels: dict[str, str]) -> None:
        self.labels = labels

    def of(self, urn: str, output: str, generation: int) -> str:
        """One text per output and generation. Addresses are of 240.0.0.0/4 (RFC 1112, section 4), which nobody has."""
        digest = hashlib.sha256(f"{urn}\0{output}\0{generation}".encode()).digest()
        text = f"stand-in-{digest.hex()[:16]}"
        if _ADDRESS.search(output):
            text = ".".join(str(each) for each in (240 + digest[0] % 15, *digest[1:3], 1 + digest[3] % 254))
        self.labels[text] = f"{urn.rsplit('::', 1)[-1]}.{output}"
        return text

    def hidden(self, value: Any) -> Any:
        """``value``, unknown wherever it is or holds a stand-in."""
        return hidden(value, self.labels)


def hidden(value: Any, stand_ins: Mapping[str, str]) -> Any:
    """``value``, unknown wherever it is or holds one of the stand-ins."""
    if isinstance(value, str):
        return value if stand_ins.keys().isdisjoint(_candidates(value)) else UNKNOWN
    if isinstance(value, Mapping):
        return {key: hidden(each, stand_ins) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [hidden(each, stand_ins) for each in value]
    return value


# A stand-in of an id or of an address. Whole boot scripts are read: each begins with a letter that is looked for first,
# and two expressions take a fifth of the time of one for both.
_ID = re.compile(r"stand-in-[0-9a-f]{16}")
_IP = re.compile(r"2(?<![\d.]2)[45]\d\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\d.])")
_CANDIDATE = re.compile(f"{_ID.pattern}|{_IP.pattern}")


LONG = 2048
"""Characters from which on what was found in a text is kept: the same few are looked through a dozen times."""


def _candidates(text: str) -> Iterable[str]:
    return _in_long(text) if len(text) > LONG else _in(text)


def _in(text: str) -> Iterable[str]:
    ids = _ID.findall(text) if "stand-in-" in text else []
    return ids + _IP.findall(text) if "24" in text or "25" in text else ids


_in_long = lru_cache(maxsize=64)(_in)


def labelled(text: str, stand_ins: Mapping[str, str]) -> str:
    """``text`` with each stand-in replaced by what it stands for, in angle brackets."""

    def named(match: re.Match[str]) -> str:
        label = stand_ins.get(match[0])
        return f"<{label}>" if label else match[0]

    return _CANDIDATE.sub(named, text) if stand_ins else text


def without_stand_ins(plan: Plan) -> Plan:
    """The plan as a preview of it would be: unknown where a stand-in was."""
    resources = [
        replace(each, inputs=hidden(each.inputs, plan.stand_ins), id="", outputs={}) for each in plan.resources
    ]
    return Plan(
        plan.project,
        plan.stack,
        resources,
        hidden(plan.outputs, plan.stand_ins),
        plan.look_ups,
        plan.notes,
        config=plan.config,
        servers=plan.servers,
    )


@dataclass(frozen=True, slots=True)
class _Verdict:
    operation: Operation
    changed: tuple[str, ...] = ()
    replaced_by: tuple[str, ...] = ()


class Forecast:
    """Holds a program's resources against what stands; give it to :func:`pulumi_llm._plan.capture.capture`."""

    def __init__(self, before: Plan | None = None) -> None:
        self.before = before or Plan("", "")
        self.old = self.before.by_urn()
        self.labels: dict[str, str] = {}
        self.steps: dict[str, Step] = {}
        self._stand_ins = StandIns(self.labels)

    def comparison(self, after: Plan) -> Comparison:
        """Both plans and every step between them, in the new program's order; what goes comes last."""
        after.stand_ins = self.labels
        gone = [Step("delete", each, None) for each in reversed(self.before.resources) if each.urn not in self.steps]
        return Comparison(self.before, after, [*self.steps.values(), *gone])

    def old_inputs(self, urn: str) -> dict[str, Any]:
        """The inputs of what stands under that URN; none where nothing does."""
        found = self.old.get(urn)
        return dict(found.inputs) if found else {}

    def for_checks(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs with what stands in for something else as unknown."""
        both = {**self.before.stand_ins, **self.labels}
        return {key: hidden(value, both) for key, value in inputs.items()}

    def settle(self, resource: PlannedResource, simulator: Simulator | None) -> PlannedResource:
        """The resource with its id and outputs, as `up` would leave it."""
        old = self.old.get(resource.urn)
        wanted = _with_ignored(resource, old) if old else resource
        verdict = self._verdict(wanted, old, simulator) if old else _Verdict("create")
        made = self._made(wanted, old, verdict, simulator)
        # What is compared later on is what the program asks for, what it tells the engine to ignore included.
        asked = replace(made, inputs=resource.inputs)
        self.steps[resource.urn] = Step(verdict.operation, old, asked, verdict.changed, verdict.replaced_by)
        return made

    def _verdict(self, new: PlannedResource, old: PlannedResource, simulator: Simulator | None) -> _Verdict:
        if simulator is not None:
            found = simulator.diff(
                new.type, dict(old.outputs), dict(old.inputs), dict(new.inputs), list(new.ignore_changes)
            )
            changed = tuple(found.changes)
            replaced_by = [path for path, change in found.changes.items() if change.replace]
        else:
            before, after = _compared(old), _compared(new)
            changed = tuple(key for key in {**before, **after} if before.get(key) != after.get(key))
            # Without a simulator inputs are compared as wholes, and a part of one may be what replaces.
            replaced_by = [
                each for each in new.replace_on_changes if "." in each and _at(before, each) != _at(after, each)
            ]
        if new.custom:
            replaced_by += [
                each for each in changed if _matches(each, new.replace_on_changes) and each not in replaced_by
            ]
        triggers = (old.replacement_trigger, new.replacement_trigger)
        if replaced_by or (all(triggers) and triggers[0] != triggers[1]):
            return _Verdict("replace", changed, tuple(replaced_by))
        return _Verdict("update" if changed else "same", changed)

    def _made(
        self, new: PlannedResource, old: PlannedResource | None, verdict: _Verdict, simulator: Simulator | None
    ) -> PlannedResource:
        if not new.custom:
            return replace(new, outputs=new.inputs)
        if old is None or verdict.operation == "replace":
            generation = 1 if old is None else 2
            outputs = dict(new.inputs)
            if simulator is not None:
                outputs = simulator.create(new.type, new.urn, dict(new.inputs), preview=True)[1]
            outputs = {key: self._stood_in(new, key, value, generation) for key, value in outputs.items()}
            return replace(new, id=self._id(new, generation), outputs=outputs)
        outputs = {**old.outputs, **new.inputs} if simulator is None else dict(old.outputs)
        if verdict.operation == "update" and simulator is not None:
            given = (dict(old.outputs), dict(old.inputs), dict(new.inputs))
            outputs = simulator.update(new.type, new.urn, old.id, *given, preview=True)
            outputs = {key: self._updated(new, old, key, value) for key, value in outputs.items()}
        for text in _texts([old.id, *outputs.values()]):
            for each in _candidates(text):
                if each in self.before.stand_ins:
                    self.labels[each] = self.before.stand_ins[each]
        return replace(new, id=old.id, outputs=outputs)

    def _updated(self, new: PlannedResource, old: PlannedResource, key: str, value: Any) -> Any:
        if _plain(value) != UNKNOWN:
            return value
        if new.package == "command" and key in old.outputs:
            return old.outputs[key]  # a command that is run again is taken to print what it printed before
        return self._stood_in(new, key, value, 2)

    def _stood_in(self, resource: PlannedResource, key: str, value: Any, generation: int) -> Any:
        """A stand-in for an unknown text; what is no text stays unknown."""
        if _plain(value) != UNKNOWN:
            return self._within(resource, key, value, generation)
        if not _is_text(resource.type, key):
            return value
        text = self._stand_ins.of(resource.urn, key, generation)
        return {SIGNATURE: SECRET, "value": text} if isinstance(value, Mapping) else text

    def _within(self, resource: PlannedResource, path: str, value: Any, generation: int) -> Any:
        """The same within blocks, such as a machine's address in its network interface."""
        if isinstance(value, list):
            return [self._within(resource, f"{path}[{at}]", each, generation) for at, each in enumerate(value)]
        if not isinstance(value, Mapping) or SIGNATURE in value:
            return value
        made = {}
        for key, each in value.items():
            made[key] = self._within(resource, f"{path}.{key}", each, generation)
            if each == UNKNOWN and _TEXT.search(key):
                made[key] = self._stand_ins.of(resource.urn, f"{path}.{key}", generation)
        return made

    def _id(self, resource: PlannedResource, generation: int) -> str:
        return self._stand_ins.of(resource.urn, "id", generation)


def _plain(value: Any) -> Any:
    return value.get("value") if isinstance(value, Mapping) and value.get(SIGNATURE) == SECRET else value


def _is_text(type_: str, output: str) -> bool:
    """Whether the output is a text: by the input of the same name, else by what its own name says."""
    # Of a package that nobody simulates (Kubernetes') the names alone are known.
    described = schema.describe(type_) if provider_facts.sdk_of(schema.package_of(type_)) is not None else None
    if described and output in described["inputs"]:
        return bool(described["inputs"][output] == "string")
    return _TEXT.search(output) is not None or _is_address(type_, output)


def _is_address(type_: str, output: str) -> bool:
    """Whether it is where the cloud has an address, by whatever name: Vultr's is a `subnet`."""
    folder = clouds.of_package(schema.package_of(type_))
    reach = folder.read("simulated.json").get("reach", {}) if folder else {}
    return (reach.get("address"), reach.get("address_ip")) == (type_, output)


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)


def _compared(resource: PlannedResource) -> dict[str, Any]:
    return {key: value for key, value in resource.inputs.items() if not key.startswith("__")}


def _at(inputs: Mapping[str, Any], path: str) -> Any:
    """What stands at a dotted path; None where nothing does."""
    found: Any = inputs
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(
        each == "*"
        or path == each
        or top(path) == each
        or path.startswith((f"{each}.", f"{each}["))
        or top(path) == re.sub(r"\[\*\]$", "", each)
        for each in patterns
    )


_STEP = re.compile(r'([^.\["]+)|\["([^"]+)"\]')


def _with_ignored(new: PlannedResource, old: PlannedResource) -> PlannedResource:
    """The new resource with every ignored input as it was."""
    if not new.ignore_changes:
        return new
    inputs = dict(new.inputs)
    for path in new.ignore_changes:
        _keep(inputs, dict(old.inputs), [name or key for name, key in _STEP.findall(path)])
    return replace(new, inputs=inputs)


def _keep(new: dict[str, Any], old: Mapping[str, Any], steps: list[str]) -> None:
    first, *rest = steps
    if rest and isinstance(new.get(first), Mapping) and isinstance(old.get(first), Mapping):
        inner = dict(new[first])
        _keep(inner, old[first], rest)
        new[first] = inner
    elif rest:
        return
    elif first in old:
        new[first] = old[first]
    else:
        new.pop(first, None)
