"""The SSH channel to a machine of a stack: who it is and how it is reached, out of the stack's own outputs."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from pulumi_llm import _json, catalog
from pulumi_llm import _outputs as outputs
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan import project as projects
from pulumi_llm._texts import _, either
from pulumi_llm.errors import Finding, Refusal

PLACES = {"server": ("address", "ssh_private_key"), "proxy": ("proxy_address", "proxy_ssh_private_key")}
"""A stack's machines with a gateway, and the outputs that lead to each."""

ADMIN = "/usr/bin/python3 -m llm_gate.admin"
# The gateway's own user writes the file that the gateway reads. -I would leave PYTHONPATH out.
REMOTE = f"sudo -n -u llm-gateway env PYTHONPATH=/opt/llm/gateway PYTHONDONTWRITEBYTECODE=1 {ADMIN}"
IN_CONTAINER = REMOTE.replace("sudo -n -u llm-gateway", "/usr/sbin/runuser -u llm-gateway --")
"""The same for root in a container, where there may be no sudo."""

DAY = 86400.0
"""Seconds that one file may be on its way."""


@dataclass(frozen=True)
class Machine:
    """A machine that answers SSH."""

    address: str
    user: str
    private_key: str
    """Empty where an agent answers for it."""
    port: int | None = None
    host_key: str | None = None
    """What a machine that exists must show."""
    in_container: bool = False
    """It is a container, and who logs in is root."""


def machine_of(project: Path, stack: str, place: str, *, simulated: bool = False) -> Machine:
    """The machine of a stack whose gateway is meant.

    Raises:
        Refusal: ``channel.no-machine`` where the stack has no such machine; what `outputs.read` raises.
    """
    told = outputs.read(project, stack, simulated=simulated)
    machine = _machine(told, project, stack, place, PLACES[place])
    if machine is None:
        there = [name for name, (one, two) in PLACES.items() if told.get(one) and told.get(two)]
        raise Refusal(
            [
                Finding(
                    "channel.no-machine",
                    _("the stack {stack!r} has no {place} that is up", stack=stack, place=place),
                    _("--at {there}", there=either(there)) if there else _("pulumi up -s {stack}", stack=stack),
                )
            ]
        )
    return machine


def machine_of_vectors(told: Mapping[str, Any], project: Path, stack: str) -> Machine:
    """The machine that a stack's vector store runs on, out of the stack's outputs: its own, or the model server.

    Raises:
        Refusal: ``channel.no-machine`` where the stack has none that is up.
    """
    for names in (("vectors_address", "vectors_ssh_private_key"), PLACES["server"]):
        # A vector store's own machine stands at the same cloud as the server.
        machine = _machine(told, project, stack, "server", names)
        if machine is not None and told.get("vectors_engine"):
            return machine
    message = _("the stack {stack!r} has no vectors that are up", stack=stack)
    raise Refusal([Finding("channel.no-machine", message, _("pulumi up -s {stack}", stack=stack))])


def _machine(told: Mapping[str, Any], project: Path, stack: str, place: str, names: tuple[str, str]) -> Machine | None:
    """The machine that two outputs lead to, the address and the key; None where they do not.

    ``place``: whose part of the stack's file says who logs in, and what a machine that exists must show.
    """
    address, key = (told.get(name) for name in names)
    reached = _reached(project, stack, place)
    if not address or not (key or reached.get("agent")):
        return None
    if reached:
        return Machine(
            str(address),
            str(reached.get("user")),
            str(key or ""),
            port=reached.get("port"),
            host_key=reached.get("host_key"),
            in_container=reached.get("mode") == "container",
        )
    return Machine(str(address), _user(project, stack, place), str(key))


def ask(
    machine: Machine, command: str, question: Mapping[str, Any], *, program: str = REMOTE, seconds: float = 120
) -> dict[str, Any]:
    """What the gateway's admin command, or another program of the node, answers within so many seconds.

    The question travels on standard input.

    Raises:
        Refusal: the machine's own finding, ``channel.unreachable``, or ``channel.no-ssh`` where none can be asked.
    """
    if machine.in_container and program == REMOTE:
        program = IN_CONTAINER
    return _answer(machine, _said(machine, f"{program} {command}", json.dumps(question).encode(), seconds))


def pour(machine: Machine, command: str, source: Path | None = None, target: Path | None = None) -> dict[str, Any]:
    """Run a program of the node with a file as its input, or with its output into a file, whose answer is then empty.

    Raises as :func:`ask` does.
    """
    with contextlib.ExitStack() as files:
        take = files.enter_context(source.open("rb")) if source else b""
        give = files.enter_context(target.open("wb")) if target else None
        done = _said(machine, command, take, DAY, give)
    if target is None or done.returncode:
        if target is not None:
            done.stdout = target.read_bytes()[-4000:]
        return _answer(machine, done)
    return {}


def _said(
    machine: Machine, remote: str, take: bytes | IO[bytes], seconds: float, give: IO[bytes] | None = None
) -> subprocess.CompletedProcess[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder) / "key"
        key.touch(mode=0o600)
        key.write_text(machine.private_key.rstrip("\n") + "\n", encoding="utf-8")
        by_key = ["-i", str(key), "-o", "IdentitiesOnly=yes"] if machine.private_key else []
        argv = ["ssh", *by_key, "-o", "BatchMode=yes", "-o", "ConnectTimeout=15"]
        if machine.host_key:
            known = Path(folder) / "known_hosts"
            known.write_text(f"machine {machine.host_key}\n", encoding="utf-8")
            argv += ["-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={known}"]
            argv += ["-o", "HostKeyAlias=machine", "-p", str(machine.port or 22)]
        else:
            # As with Pulumi's own channel, the first connection is trusted; secrets went over that one.
            argv += ["-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={_known_hosts()}"]
        argv += ["-o", "ServerAliveInterval=30"]  # a backup may take hours in which nothing is said
        argv += [f"{machine.user}@{machine.address}", remote]
        given: Mapping[str, Any] = {"input": take} if isinstance(take, bytes) else {"stdin": take}
        try:
            out = give or subprocess.PIPE
            return subprocess.run(argv, stdout=out, stderr=subprocess.PIPE, timeout=seconds, **given)
        except FileNotFoundError:
            message, hint = _("there is no `ssh` on this machine"), _("install OpenSSH's client")
            raise Refusal([Finding("channel.no-ssh", message, hint)]) from None
        except subprocess.TimeoutExpired:
            raise _unreachable(machine, _("no answer within two minutes"), _("is this machine in ssh_cidrs?")) from None


def _answer(machine: Machine, done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    said, complained = ((each or b"").decode(errors="replace").strip() for each in (done.stdout, done.stderr))
    try:
        answer = _json.loads(said.splitlines()[-1])
    except (ValueError, IndexError):
        last = (complained.splitlines() or [_("nothing was said")])[-1]
        raise _unreachable(
            machine, last[:300], _("is this machine in ssh_cidrs, and has `pulumi up` ended well?")
        ) from None
    if not isinstance(answer, dict):
        raise _unreachable(
            machine, _("its answer is not one that our nodes give"), _("was this node set up by this version?")
        )
    error = answer.get("error")
    if isinstance(error, dict):
        code, message = (
            str(error.get("code", "channel.unreachable")),
            str(error.get("message", "")) or _("it does not say why"),
        )
        raise Refusal([Finding(code, message, str(error.get("hint", "")))])
    return answer


def _unreachable(machine: Machine, why: str, hint: str) -> Refusal:
    return Refusal([Finding("channel.unreachable", f"{machine.user}@{machine.address}: {why}", hint)])


def _known_hosts() -> Path:
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "pulumi-llm"
    with contextlib.suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
        return home / "known_hosts"
    return Path("/dev/null")


def _user(project: Path, stack: str, place: str) -> str:
    """Who logs in: the cloud's own user, by the cloud that the stack's file names."""
    return catalog.load().cloud(str(_part(project, stack, place).get("cloud"))).login_user


def _reached(project: Path, stack: str, place: str) -> Mapping[str, Any]:
    """How a machine that exists is reached, as the stack's file says; empty for one that a cloud made."""
    host = _part(project, stack, place).get("host")
    return host if isinstance(host, Mapping) else {}


def _part(project: Path, stack: str, place: str) -> Mapping[str, Any]:
    found = projects.find(project)
    platform = projects.read_stack(found, stack).raw.get(f"{found.name}:platform")
    part = platform.get(place) if isinstance(platform, Mapping) else None
    return part if isinstance(part, Mapping) else {}
