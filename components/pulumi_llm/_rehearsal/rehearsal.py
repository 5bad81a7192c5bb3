"""A whole rehearsal: servers, the engine with the official plugins, `up`, changes, `destroy`, and what came of it."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pulumi_llm import _extras as extras
from pulumi_llm import clouds
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan import project as projects
from pulumi_llm._provider_facts import OTHERS
from pulumi_llm._rehearsal import plugins, pointing, tls
from pulumi_llm._rehearsal.calls import Record
from pulumi_llm._rehearsal.face import Face
from pulumi_llm._rehearsal.gate import Cloud, Gate, opened
from pulumi_llm._rehearsal.phases import Phase, Runner
from pulumi_llm._rehearsal.server import LOOPBACK, Protocol, serving, wire_of
from pulumi_llm._simcloud import command as sim
from pulumi_llm._simcloud import faults, mirror
from pulumi_llm._simcloud.arguments import Request
from pulumi_llm._simcloud.attached import Attached, attached, leading
from pulumi_llm._simcloud.engine import Engine, find_engine
from pulumi_llm._simcloud.invocation import prepare
from pulumi_llm._simcloud.store import FILE, Store
from pulumi_llm._system import why
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal, UnknownName

RELAY = "pulumi_llm._rehearsal.relay"
PACE = 0.2
"""Seconds that a machine takes for each step, such as from pending to running."""


class Wire(NamedTuple):
    """A cloud that we have a server for: its name, its face and its protocol."""

    cloud: str
    face: type[Face]
    protocol: Protocol


class Asked(NamedTuple):
    """What is to be rehearsed: a stack of the project around ``project``, and edited copies of its file.

    ``simulated`` are packages whose plugin is not to be had: `sim` answers in its place. ``port`` is the gate's (0: one
    that is free).
    """

    project: Path
    stack: str
    changes: tuple[Path, ...] = ()
    simulated: tuple[str, ...] = ()
    faults: str = ""
    port: int = 0
    newer_image: str = ""
    """``YYYYMMDD``: after `up` and a second preview the clouds have images of that day, and another preview follows."""


@dataclass(frozen=True)
class Rehearsal:
    """What came of it."""

    stack: str
    plugins: tuple[plugins.Official, ...]
    simulated: tuple[str, ...]
    phases: tuple[Phase, ...]
    unknown: tuple[str, ...]
    """Actions that were called and are none of ours."""
    refused: tuple[str, ...]
    """Addresses that were asked for and led nowhere."""
    left: tuple[str, ...]
    """Resources that are still there at the end."""
    alone: bool = False
    """Whether there was no network but loopback."""


def used_packages(asked: Asked) -> tuple[str, ...]:
    """The clouds' packages that the stack uses. Raises ``Refusal`` with all that the program refuses."""
    from pulumi_llm._plan.capture import capture_stack

    plan = capture_stack(asked.project, asked.stack)
    found = {each.type.removeprefix("pulumi:providers:").split(":")[0] for each in plan.resources}
    return tuple(each.package for each in clouds.folders().values() if each.package in found)


def wire_of_package(package: str) -> Wire | None:
    """The name of the cloud of a package, its face and its protocol; None where there is no server of ours for it."""
    folder = clouds.of_package(package)
    wire = wire_of(folder.name) if folder and pointing.facts(folder.name) else None
    return None if folder is None or wire is None else Wire(folder.name, *wire)


def chosen(asked: Asked, used: Sequence[str]) -> list[plugins.Official]:
    """The official plugins of the packages that are used. Raises ``Refusal`` with each that is not to be had."""
    known = [each.package for each in clouds.folders().values()]
    for each in asked.simulated:
        if each not in known:
            raise UnknownName("rehearse.unknown-package", _("package"), each, known)
    found: list[plugins.Official] = []
    wrong: list[Finding] = []
    for package in used:
        if package in asked.simulated:
            continue
        wire = wire_of_package(package)
        if wire is None:
            words = _("{package} cannot be rehearsed: there is no server of ours that speaks as it", package=package)
            hint = _("let it be simulated: --sim {package}", package=package)
            wrong.append(Finding("rehearse.no-wire", words, hint))
            continue
        try:
            if wire.face.extra:
                extras.demand(wire.face.extra, "rehearse.not-installed", f"pulumi-llm rehearse ({package})")
            found.append(plugins.find(package))
        except Refusal as refusal:
            wrong += refusal.findings
    if wrong:
        raise Refusal(wrong)
    return found


def prepared(asked: Asked, *, fetch: bool = False) -> Engine:
    """Have at hand what may have to come from the network: the engine, and with ``fetch`` the plugins.

    Raises ``Refusal``: no engine, what the program refuses, ``rehearse.not-fetched``.
    """
    engine = find_engine()
    for package in used_packages(asked) if fetch else ():
        if package in asked.simulated or wire_of_package(package) is None:
            continue
        try:
            plugins.find(package)
        except Refusal:
            plugins.fetch(plugins.wanted(package), engine)
    return engine


def rehearse(asked: Asked, *, alone: bool = False) -> Rehearsal:
    """Do all of it, in a folder that is gone afterwards.

    Raises ``Refusal``: what the program refuses, no plugin, another version, endpoints of the user's own, a port that
    is taken, an engine that is not there.
    """
    extras.demand("sim", "sim.not-installed", "pulumi-llm rehearse")
    project = projects.find(asked.project)
    for each in (project.stack_file(asked.stack), *asked.changes):
        config = projects.read_yaml(each).get("config") if each.is_file() or each in asked.changes else None
        pointing.refuse_own_endpoints(pointing.caller(), config if isinstance(config, Mapping) else {})
    parsed = faults.parse(asked.faults)
    faults.parse(_with_newer_image(asked))  # refused now, and not when `up` is done
    used = used_packages(asked)
    official = chosen(asked, used)
    simulated = [each for each in (*used, *OTHERS) if each not in {one.package for one in official}]
    engine = find_engine()
    home = Path(tempfile.mkdtemp(prefix="pulumi-llm-rehearsal-"))
    try:
        store, record, trust = Store(home / FILE), Record(), tls.made(home, ())
        with _clouds(official, store, record, parsed, asked.port, trust) as (gate, at, addresses):
            runner = _runner(asked, project, home, engine, official, record, at, addresses, trust.file)
            with (
                attached(simulated, runner.environment, project.main) as warm,
                attached([each.package for each in official], runner.environment, project.main, RELAY) as relay,
            ):
                ahead = leading({**warm.ports, **relay.ports})
                runner = replace(runner, environment={**runner.environment, **ahead}, begins=lambda: relay.tell("run"))
                phases = tuple(_phases(asked, project, runner, gate, warm))
            left = tuple(f"{each.type} {each.id}" for each in store.everything())
            rest = tuple(each.package for each in clouds.folders().values() if each.package in asked.simulated)
            return Rehearsal(
                asked.stack, tuple(official), rest, phases, record.unknown, gate.refused, left, alone=alone
            )
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def _clouds(
    official: Sequence[plugins.Official],
    store: Store,
    record: Record,
    parsed: faults.Faults,
    port: int,
    trust: tls.Trust,
) -> Iterator[tuple[Gate, str, dict[str, str]]]:
    """The clouds' servers and the gate; gives the gate, its address, and each cloud's by package."""
    with contextlib.ExitStack() as open_:
        faces: dict[str, Cloud] = {}
        addresses: dict[str, str] = {}
        try:
            for each in official:
                wire = wire_of_package(each.package)
                assert wire is not None  # noqa: S101 - it was chosen so
                made = wire.face(store, parsed, pace=PACE, record=record)
                faces[wire.cloud] = (made, wire.protocol)
                at_port = open_.enter_context(serving(made, wire.protocol, context=trust.context))
                addresses[each.package] = f"{LOOPBACK}:{at_port}"
            own = {addresses[face.package]: (face, protocol) for face, protocol in faces.values()}
            gate = Gate(faces, own)
            at = f"{LOOPBACK}:{open_.enter_context(opened(gate, port))}"
        except (OSError, OverflowError) as error:
            problem = why(error) if isinstance(error, OSError) else str(error)
            words = _("the rehearsal cannot listen on port {port}: {problem}", port=port, problem=problem)
            hint = _("leave --port out: it takes one that is free")
            raise Refusal([Finding("rehearse.port-taken", words, hint)]) from error
        yield gate, at, addresses


def _runner(
    asked: Asked,
    project: projects.Project,
    home: Path,
    engine: Engine,
    official: Sequence[plugins.Official],
    record: Record,
    gate: str,
    addresses: Mapping[str, str],
    trusted: Path,
) -> Runner:
    """The engine in a folder of its own, with the stack made and its secrets set to values that are none."""
    settings: dict[str, Any] = {}
    for each in official:
        folder = clouds.of_package(each.package)
        assert folder is not None  # noqa: S101 - it was chosen so
        settings[each.package] = pointing.settings(folder.name, each, addresses[each.package], trusted)
    # The engine attaches to the relay, and starts none. If it did, that would fail: no simulation passes for a plugin.
    environment = prepare(home, engine, asked.faults, {each.package: RELAY for each in official})
    environment |= {pointing.SETTINGS: json.dumps(settings), **pointing.through(gate)}
    request = Request(["up", "--stack", asked.stack], home=home, project=asked.project)
    sim.ready(request, project, home, engine, environment)
    return Runner(engine, environment, home / "project", asked.stack, record)


def _with_newer_image(asked: Asked) -> str:
    """The faults once newer images have appeared."""
    return ";".join(filter(None, (asked.faults, asked.newer_image and f"image-date:{asked.newer_image}")))


def _phases(asked: Asked, project: projects.Project, runner: Runner, gate: Gate, warm: Attached) -> Iterator[Phase]:
    """`up`, a second preview, each change with another preview, `destroy`. A run that fails is followed by the last."""
    phase = runner.run("up", "up")
    yield phase
    if phase.succeeded:
        yield runner.run("preview", "preview")
    if phase.succeeded and asked.newer_image:
        wanted = _with_newer_image(asked)
        gate.suffer(faults.parse(wanted))
        warm.tell(wanted)
        runner = replace(runner, environment={**runner.environment, faults.VARIABLE: wanted})
        yield runner.run("preview newer image", "preview")
    for change in asked.changes if phase.succeeded else ():
        copied = mirror.mirror_stack(project, runner.folder, asked.stack, change)
        sim.set_secrets(project, copied, asked.stack, runner.engine, runner.environment, runner.folder)
        changed = runner.run(f"change {change.stem}", "up")
        yield changed
        if not changed.succeeded:
            break
        yield runner.run(f"preview {change.stem}", "preview")
    yield runner.run("destroy", "destroy")
