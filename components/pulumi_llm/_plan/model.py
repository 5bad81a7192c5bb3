"""A captured plan: plain data that bill, render and review read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from pulumi_llm._dataclasses import dataclass

if TYPE_CHECKING:
    from pulumi_llm._resolve import ResolvedServer
    from pulumi_llm.errors import Finding

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the engine's marker of a secret value, the same for everybody
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The engine's wire markers (pulumi/pulumi, sdk/python/lib/pulumi/runtime/rpc.py)."""

SHOWN_SECRET = "[secret]"  # noqa: S105 - what is shown in place of one
SHOWN_UNKNOWN = "[unknown]"


@dataclass(frozen=True, slots=True)
class PlannedResource:
    """One resource that the program registers. ``inputs`` hold the wire markers for secrets and unknowns."""

    urn: str
    type: str
    name: str
    parent: str
    custom: bool
    inputs: Mapping[str, Any]
    provider: str = ""
    dependencies: tuple[str, ...] = ()
    ignore_changes: tuple[str, ...] = ()
    protect: bool = False
    replace_on_changes: tuple[str, ...] = ()
    retain_on_delete: bool = False
    replacement_trigger: str = ""
    """The resource is replaced where this changes from one text to another (not where it comes or goes)."""
    id: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """What exists after `up`, where that is known: from the state, or stood in (see :attr:`Plan.stand_ins`)."""

    @property
    def package(self) -> str:
        """The Pulumi package that the type is of."""
        return self.type.split(":", 1)[0]


@dataclass(frozen=True, slots=True)
class LookUp:
    """One question that the program asks a cloud: the function's token, its arguments, and the provider asked."""

    token: str
    args: Mapping[str, Any]
    provider: str = ""


@dataclass(slots=True)
class Plan:
    """Everything that a program registers, in the order in which it did."""

    project: str
    stack: str
    resources: list[PlannedResource] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    look_ups: list[LookUp] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    """The stack's configuration by its full keys, secrets marked."""
    stand_ins: dict[str, str] = field(default_factory=dict)
    """Text that stands for what only a cloud could tell, to what it is: ``llm-address.publicIp``."""
    servers: dict[str, ResolvedServer] = field(default_factory=dict, repr=False, compare=False)
    """The model servers as the program's components resolved them, by URN; empty where the program ran elsewhere."""

    def of_type(self, *types: str) -> Iterator[PlannedResource]:
        """The resources of the given types."""
        return (each for each in self.resources if each.type in types)

    def by_urn(self) -> dict[str, PlannedResource]:
        """The resources by their URN."""
        return {each.urn: each for each in self.resources}

    def user_data(self) -> dict[str, str]:
        """Each machine's user data by the machine's name, as plain text."""
        found = {}
        for each in self.resources:
            for key in ("userData", "userDataRaw"):
                text = each.inputs.get(key)
                if isinstance(text, str):
                    found[each.name] = text
        return found

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON-ready data, with secrets and unknowns masked."""
        return {
            "project": self.project,
            "stack": self.stack,
            "resources": [
                {
                    "urn": each.urn,
                    "type": each.type,
                    "name": each.name,
                    "parent": each.parent,
                    "custom": each.custom,
                    "inputs": masked(each.inputs),
                    "dependencies": list(each.dependencies),
                    "ignoreChanges": list(each.ignore_changes),
                }
                for each in self.resources
            ],
            "outputs": masked(self.outputs),
            "lookUps": [{"token": each.token, "args": masked(each.args)} for each in self.look_ups],
            "notes": [
                {"code": note.code, "severity": note.severity, "message": note.message, "hint": note.hint}
                for note in self.notes
            ],
        }


def is_secret(value: Any) -> bool:
    """Whether ``value`` is a marked secret."""
    return isinstance(value, Mapping) and value.get(SIGNATURE) == SECRET


def masked(value: Any) -> Any:
    """``value`` with every secret and unknown replaced by what may be shown."""
    if is_secret(value):
        return SHOWN_SECRET
    if isinstance(value, Mapping):
        return {key: masked(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(each) for each in value]
    return SHOWN_UNKNOWN if value == UNKNOWN else value
