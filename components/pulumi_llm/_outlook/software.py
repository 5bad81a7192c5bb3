"""What nodes run, by the components of a plan: until when it is mended by its makers, and what is known against it."""

from __future__ import annotations

import calendar
import contextlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from pulumi_llm import _json, catalog, roles
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._outlook.ends import Data, End, after
from pulumi_llm._texts import _, listed
from pulumi_llm.catalog import systems
from pulumi_llm.catalog.rows import source_day
from pulumi_llm.errors import Refusal, UnknownName, shortened
from pulumi_llm.roles import registry
from pulumi_llm.roles.files import templates

LOCKED = re.compile(r"(?m)^(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[\w.]+)")
SDKS = "gate-sdks"
"""The environment that takes gate's place where a moderator is asked through its cloud's SDK."""
VLLM, FOR_TPU, WITH_RAY = "vllm", "vllm-tpu", "vllm-ray"
"""The environments of vLLM: NVIDIA's build, and those that take its place: where the chips are a TPU's, and where
several machines have a model over Ray."""
REGISTRY = "pypi"
"""The source of advisories that is asked for every pin at once; the others were read for some."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A thing in the version in which a node has it."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a plan: the component's name, and the roles that it runs by their names."""

    name: str
    roles: tuple[str, ...]
    sdks: bool = False
    """Whether its gateway has the clouds' SDKs."""
    tpu: bool = False
    """Whether it has a TPU: another build of vLLM, another system, and no driver."""
    ray: bool = False
    """Whether it has Ray beside vLLM."""


@cache
def _data(name: str) -> Mapping[str, Any]:
    text = (resources.files("pulumi_llm") / "_outlook" / "data" / f"{name}.json").read_text(encoding="utf-8")
    return dict(_json.loads(text))


def known() -> list[Data]:
    """What this module tells from: the end of support, and advisories."""
    supports, advisories = (_data(each)["sources"] for each in ("supports", "advisories"))
    days = [day for each in supports.values() if (day := source_day(each["date"])) is not None]
    return [
        Data(what=_("ends of support"), as_of=min(days, default=None)),
        Data(what=_("advisories"), as_of=source_day(advisories[REGISTRY]["date"])),
    ]


# What a node has.


def node(name: str, kind: str, inputs: Mapping[str, Any]) -> Node:
    """The node that a component makes: ``kind`` is its type, ``inputs`` what it was given.

    A program in Python gives the arguments their own names, a host of components gives them in camel case.
    """
    inputs = {re.sub(r"(?<!^)([A-Z])", r"_\1", key).lower(): value for key, value in inputs.items()}
    asked = {"llm:index:ModelServer": ["vllm", "gateway"], "llm:index:OverseasProxy": ["gateway"]}.get(kind, [])
    own = kind == "llm:index:VectorStore"
    for argument in dict.fromkeys(each.manifest.argument for each in roles.built_in().values()):
        if argument and (inputs.get(argument) or (own and argument == "vectors")):
            # One of those that answer to the argument: the one that is named, else the default.
            named = inputs.get("engine" if own else f"{argument}_engine")
            with contextlib.suppress(UnknownName):  # another package's, of which nothing is known here
                asked = [*asked, registry.of_argument(argument, named).name]
    services = inputs.get("services")
    asked = [*asked, *registry.pages(inputs), *(services if isinstance(services, Mapping) else ())]
    of_vllm = {"tpu": _tpu(inputs), "ray": inputs.get("nodes_backend") == "ray"}
    return Node(name, tuple(_with_needs(asked)), sdks=_sdks(inputs.get("content")), **of_vllm)


def _with_needs(asked: Iterable[str]) -> Iterator[str]:
    """The roles and what they need, each once. One that is not installed here is left out: nothing is known of it."""
    seen: dict[str, None] = {}
    left = list(asked)
    while left:
        name = left.pop(0)
        if name in seen or name not in roles.built_in():
            continue
        seen[name] = None
        left += roles.role(name).manifest.needs.roles
    yield from seen


def _sdks(content: Any) -> bool:
    from pulumi_llm.roles.gateway import SDK_KINDS

    moderators = content.get("moderators") if isinstance(content, Mapping) else None
    rows = moderators.values() if isinstance(moderators, Mapping) else ()
    return any(isinstance(each, Mapping) and each.get("kind") in SDK_KINDS for each in rows)


def _tpu(inputs: Mapping[str, Any]) -> bool:
    """Whether the chips are a TPU's, by what is asked for: a card, or a machine of a type."""
    known, name, type_ = catalog.load(), inputs.get("gpu"), inputs.get("instance_type")
    with contextlib.suppress(Refusal, UnknownName):  # what is wrong with it the component itself says
        if isinstance(name, str):
            return known.gpu(name).tpu
        row = known.find_instance(str(inputs.get("cloud")), str(type_)) if type_ else None
        return row is not None and row.gpu is not None and known.gpus[row.gpu].tpu
    return False


def _installed(environment: str, of: Node) -> bool:
    """Whether a node has an environment of its roles."""
    if environment in (SDKS, "gate"):
        return of.sdks is (environment == SDKS)
    has = FOR_TPU if of.tpu else WITH_RAY if of.ray else VLLM
    return environment not in (VLLM, FOR_TPU, WITH_RAY) or environment == has


def pins(of: Node) -> list[Pin]:
    """Every pin of the node, each once: the locked wheels of its environments, and its images."""
    found: dict[Pin, None] = {}
    for name in of.roles:
        install = roles.role(name).manifest.install
        for environment in install.environments:
            if not _installed(environment, of):
                continue
            lock = templates() / "locks" / f"{environment}.txt"
            if lock.is_file():
                for match in LOCKED.finditer(lock.read_text(encoding="utf-8")):
                    found[Pin(match["name"], match["version"])] = None
        for image in install.images.values():
            title, __, tag = image.image.partition("@")[0].rpartition(":")
            found[Pin(title, tag)] = None
    return list(found)


# What is known of it.


def advisories(nodes: Iterable[Node]) -> Iterator[End]:
    """A fault for each advisory of each pin, and one note about the pins of which nobody told."""
    data = _data("advisories")
    at: dict[Pin, list[str]] = {}
    for each in nodes:
        for pin in pins(each):
            at.setdefault(pin, []).append(each.name)
    for row in data["rows"]:
        for version in row["versions"]:
            if names := at.get(Pin(row["package"], version)):
                yield advisory(row, version, names, data["sources"][row["source"]])
    told = {Pin(name, each) for rows in data["answered"].values() for name, all_of in rows.items() for each in all_of}
    told |= {Pin(row["package"], each) for row in data["rows"] for each in row["versions"]}
    silent = [each for each in at if each not in told]
    if silent:
        yield End(
            code="outlook.advisories-unknown",
            name="advisories-unknown",
            message=_(
                "whether there are advisories is not known of {count} of the {all} things on the nodes: {names}",
                count=len(silent),
                all=len(at),
                names=shortened([f"{each.name} {each.version}" for each in silent], 6),
            ),
            hint=_("look at their makers' own pages"),
        )


def advisory(row: Mapping[str, Any], version: str, nodes: Iterable[str], source: Mapping[str, str]) -> End:
    """The fault that one advisory is, on the nodes that have the thing in that version."""
    what = row["summary"] or row["name"]
    return End(
        code="outlook.advisory",
        name=row["name"],
        where=listed(nodes),
        message=_(
            "{name} is published against {package} {version}: {what!r}",
            name=row["name"],
            package=row["package"],
            version=version,
            what=what,
        ),
        hint=(
            _(
                "it is fixed in {versions}: a newer pulumi-llm may have it",
                versions=listed(row["fixed_in"]),
            )
            if row["fixed_in"]
            else _("no release that fixes it is named: read the advisory, and look for a newer pulumi-llm")
        ),
        fault=True,
        source=source["title"],
        source_date=source["date"],
    )


def supports(nodes: Iterable[Node]) -> Iterator[End]:
    """Until when the nodes' system and driver are mended, and the Python that the program runs on."""
    names: dict[tuple[str, str], list[str]] = {}
    for each in nodes:
        for role in each.roles:
            facts = roles.role(role).manifest.facts
            if "ubuntu" in facts:
                version = systems.system(systems.OF_TPUS).version if each.tpu else facts["ubuntu"]["version"]
                names.setdefault(("ubuntu", str(version)), []).append(each.name)
            if "driver" in facts and not each.tpu:
                names.setdefault(("nvidia-driver", str(facts["driver"]["branch"])), []).append(each.name)
    names["python", f"{sys.version_info.major}.{sys.version_info.minor}"] = []
    data = _data("supports")
    rows = {(each["thing"], each["version"]): each for each in data["rows"]}
    for key, where in names.items():
        if key in rows:
            yield _support(rows[key], listed(where), data["sources"][rows[key]["source"]])


SUPPORTED = {
    "ubuntu": (
        _("Ubuntu {version} gets security fixes until {until}"),
        _("a newer pulumi-llm with a newer Ubuntu, and new machines: what is on the data disk stays"),
    ),
    "nvidia-driver": (
        _("NVIDIA mends its driver branch {version} until {until}"),
        _("a newer pulumi-llm installs a newer branch on new machines"),
    ),
    "python": (
        _("Python {version}, which runs this program, gets security fixes until {until}"),
        _("a newer Python"),
    ),
}
"""What is said of the end of a thing's support, and what to do."""


def _support(row: Mapping[str, str], where: str, source: Mapping[str, str]) -> End:
    message, hint = SUPPORTED[row["thing"]]
    return End(
        code="outlook.support-ends",
        name=f"{row['thing']} {row['version']}",
        where=where,
        message=message.format(version=row["version"], until=row["until"]),
        hint=hint,
        day=after(_last_day(row["until"])),
        source=source["title"],
        source_date=source["date"],
    )


def _last_day(until: str) -> date:
    """The last day that is meant: a month's where only a month is told."""
    year, month, *rest = (int(each) for each in until.split("-"))
    return date(year, month, rest[0] if rest else calendar.monthrange(year, month)[1])
