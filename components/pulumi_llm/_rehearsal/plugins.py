"""Finds the official plugin of a package: the very version that the SDK asks for, on this machine."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from pulumi_llm import _json
from pulumi_llm._provider_facts import sdk_of
from pulumi_llm._simcloud.engine import Engine
from pulumi_llm._system import why
from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding, Refusal

ANSWER_SECONDS = 60.0
"""How long a plugin may take to say which version it is; the larger ones unpack hundreds of MB."""


class Official(NamedTuple):
    """A package's official plugin: ``version`` without the ``v``, and where the program is."""

    package: str
    version: str
    path: Path


class Wanted(NamedTuple):
    """What the SDK asks for: its version is its plugin's, and ``server`` where that is to be had (empty: Pulumi's)."""

    package: str
    version: str
    server: str

    @property
    def install(self) -> str:
        """The command that fetches it."""
        server = f" --server {self.server}" if self.server else ""
        return f"pulumi plugin install resource {self.package} {self.version}{server}"


def wanted(package: str) -> Wanted:
    """What the installed SDK of a package asks for. Raises ``Refusal`` (``rehearse.no-sdk``)."""
    named = sdk_of(package)
    spec = importlib.util.find_spec(named[0]) if named else None
    if named is None or spec is None or not spec.submodule_search_locations:
        words = _("the SDK of {package} is not installed here", package=package)
        hint = _("pip install {name}", name=named[1]) if named else ""
        raise Refusal([Finding("rehearse.no-sdk", words, hint)])
    file = Path(next(iter(spec.submodule_search_locations))) / "pulumi-plugin.json"
    said = _json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return Wanted(package, said.get("version") or metadata.version(named[1]), said.get("server") or "")


def folder() -> Path:
    """Where `pulumi plugin install` puts plugins."""
    return Path(os.environ.get("PULUMI_HOME") or "~/.pulumi").expanduser() / "plugins"


def find(package: str) -> Official:
    """The plugin of the version that the SDK asks for: where Pulumi installs them, else on PATH.

    Raises ``Refusal``: ``rehearse.no-plugin``, or ``rehearse.plugin-version`` where there are others only.
    """
    asked = wanted(package)
    name = f"pulumi-resource-{package}"
    for place in (folder() / f"resource-{package}-v{asked.version}",):
        program = shutil.which(name, path=str(place))
        if program:
            return Official(package, asked.version, Path(program))
    others = [each.name.rpartition("-v")[2] for each in sorted(folder().glob(f"resource-{package}-v*"))]
    program = shutil.which(name)
    if program:
        version = version_of(Path(program))
        if version == asked.version:
            return Official(package, version, Path(program))
        others.append(version or _("unknown"))
    if others:
        words = _(
            "the SDK of {package} is {version}; of its plugin there is here: {others}",
            package=package,
            version=asked.version,
            others=listed(others),
        )
        raise Refusal([Finding("rehearse.plugin-version", words, asked.install)])
    words = _("there is no plugin of {package} {version} here", package=package, version=asked.version)
    hint = _("{install}, or let this package be simulated: --sim {package}", install=asked.install, package=package)
    raise Refusal([Finding("rehearse.no-plugin", words, hint)])


def fetch(asked: Wanted, engine: Engine) -> None:
    """Have the user's engine install a plugin where it installs them. Raises ``Refusal`` (``rehearse.not-fetched``)."""
    line = asked.install.split()[1:]
    try:
        # In a folder of nobody's: in one with both Pulumi.yaml and PulumiPlugin.yaml, such as a clone of this package,
        # the engine installs nothing (3.259).
        with tempfile.TemporaryDirectory() as place:
            done = subprocess.run(
                [str(engine.pulumi), "--non-interactive", *line],
                cwd=place,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        said = "" if done.returncode == 0 else (done.stderr.strip() or done.stdout.strip() or "…").splitlines()[-1]
    except OSError as error:
        said = why(error)
    if said:
        words = _("{install} failed: {said}", install=asked.install, said=said)
        hint = _("let this package be simulated: --sim {package}", package=asked.package)
        raise Refusal([Finding("rehearse.not-fetched", words, hint)])


def version_of(program: Path) -> str:
    """Which version a plugin says that it is; empty where it does not say."""
    import grpc

    from pulumi_llm._simcloud.wire import empty_pb2, provider_pb2_grpc, restore

    restore()  # a program may be run here too, and wants the real package
    try:
        running = subprocess.Popen(
            [str(program), "127.0.0.1:1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    except OSError:
        return ""
    try:
        assert running.stdout is not None  # noqa: S101 - it was asked for
        port = running.stdout.readline().strip()
        if not port.isdigit():
            return ""
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            said = stub.GetPluginInfo(empty_pb2.Empty(), timeout=ANSWER_SECONDS, wait_for_ready=True)
        return re.sub(r"^v", "", str(said.version))
    except grpc.RpcError:
        return ""
    finally:
        running.kill()
        running.wait()
        if running.stdout is not None:
            running.stdout.close()
