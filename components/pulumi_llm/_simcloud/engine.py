"""Finds the real Pulumi engine: on PATH, in a cache, as the official release, or built from pinned Go
modules.

The engine is two programs: the CLI ``pulumi``, and beside it ``pulumi-language-python``, which runs a Python
program for it. No package registry carries either, hence the search.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._language import told
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

MINIMUM_VERSION = (3, 237, 0)
"""The oldest engine that is used, and the ``requiredPulumiVersion`` of Pulumi.yaml."""

TOOLS_VARIABLE = "PULUMI_LLM_TOOLS"
"""Environment variable naming the folder in which programs are cached (in its ``bin``)."""

RELEASE_SITE = "https://get.pulumi.com/latest-version"
"""What is asked to learn whether the vendor's download site can be reached."""

PROBE_SECONDS = 8.0
"""How long that site may take to answer before the next way is tried."""

INSTALL_SECONDS = 600.0
"""How long the release's download (about 150 MB) may take once the site has answered."""

SURELY_AN_ENGINE = 1 << 20
"""Bytes: a file of that size is no script that starts another program."""

MODULES = Path(__file__).with_name("tools_go")
"""The go.mod and go.sum of each pinned build, and the script that builds them."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Engine:
    """A usable engine: the two programs, the version such as ``3.259.0``, and in words how it was found."""

    pulumi: Path
    language_host: Path
    version: str
    how: str

    @property
    def path(self) -> tuple[Path, ...]:
        """The folders that have to be on PATH for the engine to find its parts."""
        return tuple(dict.fromkeys((self.pulumi.parent, self.language_host.parent)))


@dataclass(frozen=True, slots=True)
class _No:
    """Why one way gave no engine."""

    reason: str
    too_old: str = ""


def tell(text: str) -> None:
    """Write one line for the user to standard error."""
    print(told(text), file=sys.stderr, flush=True)  # noqa: T201 - the command's own output


def checkout() -> Path | None:
    """The source tree that this package runs from, or None where it is an installed wheel."""
    top = Path(__file__).resolve().parents[3]
    return top if (top / "tools" / "fetch").is_file() and (top / "components").is_dir() else None


def tool_folders() -> tuple[Path, ...]:
    """The cache folders in which programs may lie (in ``bin``); new ones are put into the first.

    A folder named in the environment is the only one: who names it wants to know what is run.
    """
    named = os.environ.get(TOOLS_VARIABLE)
    if named:
        return (Path(named).expanduser(),)
    top = checkout()
    return (user_cache(),) if top is None else (top / ".tools", user_cache())


def user_cache() -> Path:
    """The folder under the user's home for what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "pulumi-llm"


def find_engine(*, tools_dir: Path | None = None, say: Say = tell) -> Engine:
    """Find or make an engine of at least ``MINIMUM_VERSION``.

    ``tools_dir`` is the cache to look in and to build into, in place of ``tool_folders()``. ``say`` is told
    what takes long. Raises Refusal with the code ``engine.unavailable``, which names each way that was
    tried and why it failed, and besides it ``engine.too-old`` where an engine was found that is too old.
    """
    folders = (tools_dir,) if tools_dir is not None else tool_folders()
    ways: list[tuple[str, Callable[[], Engine | _No]]] = [
        ("PATH", _on_path),
        ("cache", lambda: _in_cache(folders)),
        (_("official release"), lambda: _release(folders[0], say)),
        (_("build from Go modules"), lambda: _build(folders[0], say)),
    ]
    failures: list[tuple[str, _No]] = []
    for name, way in ways:
        found = way()
        if isinstance(found, Engine):
            old = next((no.too_old for __, no in failures if no.too_old), "")
            if old:
                say(f"engine: {old}; using {found.how}")
            return found
        failures.append((name, found))
    raise _refusal(failures)


def _refusal(failures: list[tuple[str, _No]]) -> Refusal:
    wanted = _dotted(MINIMUM_VERSION)
    findings = [
        Finding("engine.too-old", no.too_old, _("update it to {wanted} or newer", wanted=wanted), where=name)
        for name, no in failures
        if no.too_old
    ]
    tried = "".join(f"\n    - {name}: {no.reason}" for name, no in failures)
    findings.append(
        Finding(
            "engine.unavailable",
            _(
                "no Pulumi engine {wanted} or newer could be had. Tried in this order:{tried}",
                wanted=wanted,
                tried=tried,
            ),
            _(
                "put `pulumi` and `pulumi-language-python` on PATH "
                "(https://www.pulumi.com/docs/install/), or install Go and run it again, so that "
                "they are built from the module proxy"
            ),
        )
    )
    return Refusal(findings)


def _on_path() -> Engine | _No:
    found = shutil.which("pulumi")
    if found is None:
        return _No(_("there is no `pulumi` on PATH"))
    return _checked(Path(found), _("the pulumi on PATH ({found})", found=found))


def _in_cache(folders: tuple[Path, ...]) -> Engine | _No:
    reasons: list[str] = []
    old = ""
    for folder in folders:
        for place in (folder / "bin", folder / "release" / "bin"):
            program = place / "pulumi"
            if not program.is_file():
                reasons.append(_("{place} holds no pulumi", place=place))
                continue
            found = _checked(program, _("the cached engine in {place}", place=place), siblings_only=True)
            if isinstance(found, Engine):
                return found
            reasons.append(found.reason)
            old = old or found.too_old
    return _No("; ".join(reasons), old)


def _checked(program: Path, how: str, *, siblings_only: bool = False) -> Engine | _No:
    """The engine around ``program``, if it runs, is new enough and has the Python language host."""
    note = _note(program)
    known = _read(note) if note else ""
    said = known or _version_said(program)
    if isinstance(said, _No):
        return said
    if note and not known:
        _keep(note, said)
    major, minor, patch = (int(each) for each in said.split("."))
    numbers = (major, minor, patch)
    if numbers < MINIMUM_VERSION:
        text = _(
            "{program} is {dotted}, older than {dotted_2}",
            program=program,
            dotted=_dotted(numbers),
            dotted_2=_dotted(MINIMUM_VERSION),
        )
        return _No(text, too_old=text)
    host = _language_host(program, siblings_only)
    if host is None:
        where = _("beside {program}{note}", program=program, note="" if siblings_only else _(" or on PATH"))
        return _No(_("there is no pulumi-language-python {where}", where=where))
    return Engine(program, host, _dotted(numbers), how)


def _note(program: Path) -> Path | None:
    """Where the version of this very file is kept: asking takes a third of a second. None for what may be a script,
    which may start another program tomorrow."""
    try:
        found = program.resolve().stat()
    except OSError:
        return None
    if found.st_size < SURELY_AN_ENGINE:
        return None
    same = hashlib.sha256(f"{program.resolve()} {found.st_size} {found.st_mtime_ns}".encode()).hexdigest()
    return user_cache() / "engines" / same[:16]


def _read(note: Path) -> str:
    try:
        text = note.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return text if re.fullmatch(r"\d+\.\d+\.\d+", text) else ""


def _keep(note: Path, version: str) -> None:
    partial = note.with_name(f"{note.name}.{os.getpid()}")
    with contextlib.suppress(OSError):  # it is asked again then
        note.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(f"{version}\n", encoding="utf-8")
        partial.replace(note)


def _version_said(program: Path) -> str | _No:
    """What the program says of itself, as ``3.259.0``."""
    try:
        answer = subprocess.run(
            [str(program), "version"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return _No(_("{program} does not run: {problem}", program=program, problem=error))
    version = re.match(r"v?(\d+)\.(\d+)\.(\d+)", answer.stdout.strip())
    if answer.returncode != 0 or version is None:
        words = (answer.stderr.strip() or answer.stdout.strip() or "it said nothing").splitlines()[-1]
        return _No(
            _(
                "`{program} version` gave no version (exit code {returncode}): {words}",
                program=program,
                returncode=answer.returncode,
                words=words,
            )
        )
    return ".".join(version.groups())


def _language_host(program: Path, siblings_only: bool) -> Path | None:
    for folder in (program.parent, program.resolve().parent):  # a release is often linked into /usr/local/bin
        host = folder / "pulumi-language-python"
        if os.access(host, os.X_OK) and host.is_file():
            return host
    found = None if siblings_only else shutil.which("pulumi-language-python")
    return Path(found) if found else None


def _release(folder: Path, say: Say) -> Engine | _No:
    """The vendor's release through the Automation API, if the vendor's site answers at all."""
    silence = _unreachable(RELEASE_SITE)
    if silence:
        return _No(_("{release_site} cannot be reached: {silence}", release_site=RELEASE_SITE, silence=silence))
    target = folder / "release"
    partial = folder / f".release.{os.getpid()}"
    say(_("engine: downloading the official Pulumi release into {target} (about 150 MB, once)", target=target))
    code = "import sys; from pulumi.automation import PulumiCommand; PulumiCommand.install(root=sys.argv[1])"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", code, str(partial)],
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            return _No(
                _(
                    "its installer failed: {splitlines}",
                    splitlines=(done.stderr.strip() or "it said nothing").splitlines()[-1],
                )
            )
        found = _checked(partial / "bin" / "pulumi", _("the official release"), siblings_only=True)
        if isinstance(found, _No):
            return found
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    except (OSError, subprocess.TimeoutExpired) as error:
        return _No(_("its installer failed: {problem}", problem=error))
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return _checked(target / "bin" / "pulumi", _("the official release in {target}", target=target), siblings_only=True)


def _unreachable(address: str) -> str:
    """Why ``address`` does not answer within ``PROBE_SECONDS``, or nothing if it does."""
    outcome = [_("no answer within {probe_seconds:g} s", probe_seconds=PROBE_SECONDS)]

    def ask() -> None:
        try:
            with urllib.request.urlopen(address, timeout=PROBE_SECONDS):  # noqa: S310 - a constant of ours
                outcome[0] = ""
        except urllib.error.URLError as error:
            outcome[0] = str(error.reason)
        except (OSError, ValueError) as error:
            outcome[0] = str(error)

    # In a thread, as a resolver that does not answer heeds no socket time limit.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PROBE_SECONDS)
    return outcome[0]


def _build(folder: Path, say: Say) -> Engine | _No:
    """The pinned engine and language host, built by Go from the module proxy."""
    place = folder / "bin"
    for module in ("pulumi", "pulumi-language-python"):
        reason = build_tool(MODULES / module, place, say=say)
        if reason:
            return _No(reason)
    return _checked(place / "pulumi", _("the pinned build in {place}", place=place), siblings_only=True)


def build_tool(module: Path, place: Path, *, say: Say = tell) -> str:
    """Build the Go program that ``module`` pins into ``place``; nothing on success, else why it failed."""
    try:
        building = subprocess.Popen(
            ["bash", str(MODULES / "build"), str(module), str(place)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        return _("bash does not run: {problem}", problem=error)
    last = ""
    try:
        with building:
            assert building.stderr is not None  # noqa: S101 - it was asked for
            for line in building.stderr:
                last = line.rstrip()
                say(last)  # at once: what comes next may take minutes
    except KeyboardInterrupt:
        building.send_signal(signal.SIGINT)
        building.wait()
        raise
    if building.returncode == 0:
        return ""
    return last.removeprefix("build: ") or _("the build failed")


def _dotted(numbers: tuple[int, int, int]) -> str:
    return ".".join(str(number) for number in numbers)
