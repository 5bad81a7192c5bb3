"""Runs the engine in an environment that holds the simulated plugins and nothing of the user's account."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pulumi_llm import _system as system
from pulumi_llm import clouds
from pulumi_llm._provider_facts import OBJECTS, packages
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

    from pulumi_llm._simcloud.engine import Engine

PASSPHRASE = "simulated"  # noqa: S105 - guards nothing: the secrets of a simulation are no secrets
"""The passphrase of every simulated stack's secrets."""

_MISLEADING = (
    "PULUMI_ACCESS_TOKEN",
    "PULUMI_CONFIG_PASSPHRASE_FILE",
    "PULUMI_DEBUG_PROVIDERS",
    "PULUMI_IGNORE_AMBIENT_PLUGINS",
)

POLICY_PACK = "PULUMI_LLM_SIM_POLICY_PACK"
"""Environment variable that tells the `python` below which policy pack is asked for."""

NO_LOGS = """\
This is a file and no folder, so that the engine keeps no log of each run: writing one takes half of the engine's time
(Pulumi 3.259.0, pkg/logging/encrypted.go, which knows no option for it; profiled on 2026-11-30).
"""

_PYTHON = """\
#!/bin/sh
# The language host asks pip which plugins the program's packages want. They are here already; and an
# environment that was made without pip works all the same.
[ "$1 $2 $3" = "-m pip list" ] && echo "[]" && exit 0
# The language host that can be built starts a policy pack without saying which, as `python "" ADDRESS`.
if [ -z "$1" ] && [ -n "${policy_pack}" ]; then
    shift
    exec {python} -P -u -m pulumi.policy "$@" "${policy_pack}"
fi
case " $* " in *pulumi-language-python-exec" "*) exec {python} -P -m pulumi_llm._simcloud.program "$@" ;; esac
exec {python} "$@"
"""


def prepare(home: Path, engine: Engine, faults: str = "", plugins: Mapping[str, str] | None = None) -> dict[str, str]:
    """Make HOME's folders and plugins; the environment in which the engine finds those and nothing real.

    ``faults`` are specs joined by ``;`` (see ``simcloud.faults``). ``plugins`` are the Python modules that stand in for
    some packages' plugins, with their arguments; all others are simulated. Raises OSError where HOME cannot be written.
    """
    for name in ("bin", "state", "pulumi", "project"):
        (home / name).mkdir(parents=True, exist_ok=True)
    _write(home / ".gitignore", "*\n")
    if (home / "pulumi" / "logs").is_dir():
        shutil.rmtree(home / "pulumi" / "logs", ignore_errors=True)
    _write(home / "pulumi" / "logs", NO_LOGS)
    python = shlex.quote(sys.executable)
    for package in (*packages(), *OBJECTS):
        # -P: plugins are started in the user's folder, where a random.py must not pass for the standard one
        module = (plugins or {}).get(package, f"pulumi_llm._simcloud.plugin {package}")
        script = f'#!/bin/sh\nexec {python} -P -m {module} "$@"\n'
        _write(home / "bin" / f"pulumi-resource-{package}", script, executable=True)
    for name in ("python", "python3"):
        _write(home / "bin" / name, _PYTHON.format(python=python, policy_pack=POLICY_PACK), executable=True)
    own = (each for folder in clouds.folders().values() for each in folder.credential_variables)
    credentials = (*own, "CLOUDFLARE_")
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(credentials) and name not in _MISLEADING
    }
    folders = [home / "bin", *engine.path, Path(sys.executable).parent]
    environment |= {
        "PATH": os.pathsep.join([*map(str, folders), environment.get("PATH", os.defpath)]),
        "PULUMI_BACKEND_URL": "file://" + quote(str(home / "state")),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_HOME": str(home / "pulumi"),
        "PULUMI_LLM_SIM_FAULTS": faults,
        "PULUMI_LLM_SIM_HOME": str(home),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    if environment.pop("PYTHONDONTWRITEBYTECODE", ""):
        # Without bytecode each start of the program and of a plugin would compile the SDKs anew, for seconds.
        environment["PYTHONPYCACHEPREFIX"] = str(home / "pycache")
    if not is_interactive():
        environment["PULUMI_SKIP_CONFIRMATIONS"] = "true"  # what --yes says, to each command that knows it
    return environment


def call(
    engine: Engine,
    arguments: Sequence[str],
    environment: dict[str, str],
    folder: Path,
    *,
    quiet: bool = False,
) -> int:
    """Run the engine; its exit code, or 128 and the signal's number as a shell has it.

    Interrupts are the engine's to handle (it finishes what is under way): meanwhile they do not stop this
    process.
    """
    non_interactive = ["--non-interactive"] if quiet or not is_interactive() else []
    try:
        running = subprocess.Popen(
            [str(engine.pulumi), *non_interactive, *arguments],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL if quiet else None,
            stdout=subprocess.DEVNULL if quiet else None,
        )
    except OSError as error:
        raise cannot_start(engine, error) from error

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGINT:  # an interrupt from the keyboard reaches the engine by itself
            running.send_signal(number)

    before: dict[signal.Signals, Any] = {}
    try:
        if threading.current_thread() is threading.main_thread():  # elsewhere signals are not ours to set
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                before[number] = signal.signal(number, pass_on)
        code = running.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def _write(path: Path, text: str, *, executable: bool = False) -> None:
    """Write a file unless it is there already; whole or not at all, as several runs may share HOME."""
    if path.is_file() and path.read_text(encoding="utf-8") == text and os.access(path, os.X_OK) >= executable:
        return
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    if executable:
        partial.chmod(0o755)
    partial.replace(path)


def is_interactive() -> bool:
    """Whether somebody can answer a question."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def cannot_start(engine: Engine, error: OSError) -> Refusal:
    """The refusal for an engine that was found, but that the system does not run."""
    words = _("the Pulumi engine {pulumi} does not start: {problem}", pulumi=engine.pulumi, problem=system.why(error))
    hint = _("remove it, or put another `pulumi` first on PATH")
    return Refusal([Finding("sim.engine-does-not-start", words, hint)])
