"""The body of ``pulumi-llm sim``: any Pulumi command, run by the real engine against the simulated clouds.

No account and no network are used. State, plugins, the engine's own home and a copy of the project lie in
one folder (HOME, by default ``.pulumi-sim`` beside Pulumi.yaml); the user's files are only read, a login
not even that.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi_llm import _extras as extras
from pulumi_llm._plan import project as projects
from pulumi_llm._provider_facts import OBJECTS, packages
from pulumi_llm._simcloud import booting, faults, localstate, mirror
from pulumi_llm._simcloud.arguments import Request
from pulumi_llm._simcloud.attached import attached
from pulumi_llm._simcloud.engine import Engine, find_engine, tell, user_cache
from pulumi_llm._simcloud.invocation import POLICY_PACK, call, cannot_start, prepare
from pulumi_llm._simcloud.store import home_beside, home_of
from pulumi_llm._system import why
from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding, Refusal, UnknownName

if TYPE_CHECKING:
    from collections.abc import Mapping


def run(request: Request) -> int:
    """Do what is asked for. Returns Pulumi's own exit code.

    Raises:
        Refusal: Pulumi could not be run.
    """
    try:
        return _run(request)
    except KeyboardInterrupt:  # of which Pulumi has told
        return 130


def _run(request: Request) -> int:
    project: projects.Project | None = None
    try:
        project = projects.find(request.project or Path())
    except Refusal:
        if request.is_on_a_stack:
            raise
    if request.is_on_a_stack:  # before anything is made: a plugin would find out in the middle of an `up`
        extras.demand("sim", "sim.not-installed", "pulumi-llm sim")
    wanted = ";".join(filter(None, [os.environ.get(faults.VARIABLE), *request.faults]))
    faults.parse(wanted)
    home = _home(request, project)
    try:
        home.mkdir(parents=True, exist_ok=True)
        engine = find_engine()
        environment = prepare(home, engine, wanted)
        if request.only_previews:  # with which the engine refuses --yes
            environment.pop("PULUMI_SKIP_CONFIRMATIONS", None)
        if len(request.policy_packs) == 1:
            environment[POLICY_PACK] = request.policy_packs[0]
        if project is None or not request.is_on_a_stack:
            return call(engine, request.arguments, environment, request.project or Path())
        stack = ready(request, project, home, engine, environment)
    except OSError as error:
        raise _refused(
            "home-unusable",
            _("the folder for the simulation, {home}, cannot be used: {problem}", home=home, problem=why(error)),
            _("name another one: pulumi-llm sim --home DIR …"),
        ) from error
    folder = home / "project"
    if stack and request.runs_the_program:
        _clear_stale_locks(engine, environment, folder, project.name, stack)
        _explain_pending(home, project.name, stack)
    if request.boot or (home / "world").exists():
        session = booting.part("session")
        code: int = session.call(
            home, request, environment, lambda: _called(request, project, engine, environment, folder)
        )
        return code
    return _called(request, project, engine, environment, folder)


def _called(
    request: Request, project: projects.Project, engine: Engine, environment: dict[str, str], folder: Path
) -> int:
    """Run the engine, with one process for all the plugins of its preview and of its change."""
    if not request.runs_the_program or not project.main.exists():  # of which the engine tells
        return call(engine, request.arguments, environment, folder)
    with attached((*packages(), *OBJECTS), environment, project.main) as plugins:
        return call(engine, request.arguments, {**environment, **plugins.environment}, folder)


def _home(request: Request, project: projects.Project | None) -> Path:
    return home_beside(project.folder, request.home) if project else home_of(user_cache() / "sim", request.home)


def needed_secrets(stack_config: Mapping[str, Any]) -> list[str]:
    """The bare names of the secret config keys that a stack's ``platform`` or ``fleet`` calls for (``openaiApiKey``).

    ``stack_config`` maps config keys, with or without ``project:``, to values. A value that the spec
    refuses calls for nothing here: the program will say what is wrong with it.
    """
    try:
        from pulumi_llm.spec import secret_keys_of, secret_keys_of_fleet
    except ImportError:
        return []
    found: list[str] = []
    for key, value in stack_config.items():
        kind = key.rpartition(":")[2]
        if kind in ("platform", "fleet") and isinstance(value, dict):
            try:
                found += secret_keys_of(value) if kind == "platform" else secret_keys_of_fleet(value)
            except (Refusal, ValueError, TypeError, KeyError):
                continue
    return list(dict.fromkeys(found))


def ready(request: Request, project: projects.Project, home: Path, engine: Engine, environment: dict[str, str]) -> str:
    """Bring the mirror up to date; make the stack that the command is about, with its secrets; its name."""
    folder = home / "project"
    mirror.mirror_project(project, folder, dict.fromkeys((*packages(), *OBJECTS), home / "bin"))
    stack = request.stack or _selected(engine, environment, folder)
    sources = {name: project.stack_file(name) for name in project.stacks()}
    if request.config_file is not None and stack:
        sources[stack] = request.config_file
    copies = {name: mirror.mirror_stack(project, folder, name, source) for name, source in sources.items()}
    if not stack or not request.makes_a_stack:
        return stack
    if not localstate.has_stack(home / "state", project.name, stack):
        if copies and stack not in copies:
            hint = _("for one without a file: pulumi-llm sim stack init {stack}", stack=stack)
            raise UnknownName("sim.unknown-stack", _("stack"), stack, copies, hint=hint)
        if call(engine, ["stack", "init", stack], environment, folder, quiet=True) != 0:
            raise _refused(
                "stack-init", _("the stack {stack} could not be made", stack=stack), _("see the engine's words above")
            )
    if request.runs_the_program:
        set_secrets(project, copies.get(stack), stack, engine, environment, folder)
    return stack


def set_secrets(
    project: projects.Project,
    copied: mirror.StackCopy | None,
    stack: str,
    engine: Engine,
    environment: dict[str, str],
    folder: Path,
) -> None:
    """Give the stack in ``folder`` the secrets that it needs and has not, with values that are none."""
    copied = copied or mirror.mirror_stack(project, folder, stack, None)
    named = [f"{project.name}:{name}" for name in needed_secrets(copied.config)]
    wanted = dict.fromkeys([*project.declared_secrets, *named, *copied.withheld])
    missing = [path for path in wanted if not mirror.has_value(copied.config, path)]
    if not missing:
        return
    names = [path.removeprefix(f"{project.name}:") for path in missing]
    arguments = ["config", "set-all", "--path", "--stack", stack]
    for path, name in zip(missing, names, strict=True):
        arguments += ["--secret", f"{path}=simulated-{name}"]
    if call(engine, arguments, environment, folder, quiet=True) != 0:
        raise _refused(
            "secrets",
            _("the simulated values of {names} could not be set", names=listed(names)),
            _("set them yourself: pulumi-llm sim config set --secret KEY VALUE"),
        )
    tell(_("sim: {names}: not known here, so set to simulated values (simulated-…)", names=listed(names)))


def _selected(engine: Engine, environment: dict[str, str], folder: Path) -> str:
    try:
        answer = subprocess.run(
            [str(engine.pulumi), "--non-interactive", "stack", "--show-name"],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise cannot_start(engine, error) from error
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _clear_stale_locks(engine: Engine, environment: dict[str, str], folder: Path, project: str, stack: str) -> None:
    held = localstate.locks(Path(environment["PULUMI_LLM_SIM_HOME"]) / "state", project, stack)
    if not held or not all(lock.is_stale for lock in held):
        return  # nobody's, or somebody is at work: the engine itself says who
    lock = held[0]
    tell(
        _(
            "sim: {stack} was locked by a run that is gone (pid {pid}, {since}): `pulumi cancel --yes`",
            stack=stack,
            pid=lock.pid,
            since=lock.since,
        )
    )
    call(engine, ["cancel", "--yes", "--stack", stack], environment, folder, quiet=True)


def _explain_pending(home: Path, project: str, stack: str) -> None:
    pending = localstate.pending_operations(home / "state", project, stack)
    if not pending:
        return
    listed_names = listed((f"{kind} {urn.rpartition('::')[2]}" for kind, urn in pending))
    tell(
        _(
            "sim: the last run was stopped in the middle of: {listed}. The engine cannot know "
            "how far each got: `up` does it anew; `refresh --clear-pending-creates` forgets it. "
            "On a real cloud, look for twins.",
            listed=listed_names,
        )
    )


def _refused(code: str, message: str, hint: str) -> Refusal:
    return Refusal([Finding(f"sim.{code}", message, hint)])
