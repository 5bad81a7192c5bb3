"""Whether a machine answers, and shows the key that it should: asked before anything is made, without logging in."""

from __future__ import annotations

import os
import socket
import subprocess
from typing import TYPE_CHECKING

import pulumi

from pulumi_llm._refusal import ending
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding

if TYPE_CHECKING:
    from pulumi_llm.clouds.base import ExistingHost

SIMULATED = "PULUMI_LLM_SIM_HOME"
"""Set where the engine runs with simulated clouds: there is no machine to ask."""
SECONDS = 15


def look(host: ExistingHost) -> None:
    """Raise the refusal of a machine that does not answer, or shows another key. A preview asks nobody."""
    if pulumi.runtime.is_dry_run() or os.environ.get(SIMULATED):
        return
    found = problems(host.address, host.port, host.host_key)
    if found:
        raise ending(found)


def problems(address: str, port: int, host_key: str) -> list[Finding]:
    """What is wrong with the machine at that address, as far as can be seen from outside."""
    try:
        with socket.create_connection((address, port), timeout=SECONDS) as line:
            line.settimeout(SECONDS)
            banner = line.recv(255).decode("ascii", errors="replace").strip()
    except OSError as error:
        words = _("{address}:{port} does not answer: {error}", address=address, port=port, error=error)
        hint = _(
            "is it on, is the address right, and may this computer reach it? ssh -p {port} {address}",
            port=port,
            address=address,
        )
        return [Finding("ssh.unreachable", words, hint, where="host.address")]
    if not banner.startswith("SSH-"):
        words = _("what answers at {address}:{port} is not SSH", address=address, port=port)
        return [Finding("ssh.unreachable", words, _("host.port: the port of SSH"), where="host.port")]
    shown = _shown(address, port, host_key.split()[0])
    if shown is None or shown == host_key:
        return []
    words = (
        _(
            "{address} shows another host key than the one that is written down: {shown}",
            address=address,
            shown=shown,
        )
        if shown
        else _("{address} has no host key of the kind {kind}", address=address, kind=host_key.split()[0])
    )
    hint = _("was the machine set up anew? Ask whoever runs it; only then write its new key into host.host_key")
    return [Finding("ssh.other-host-key", words, hint, where="host.host_key")]


def _shown(address: str, port: int, kind: str) -> str | None:
    """The key of that kind that the machine shows; "" for none, None where nothing here can ask."""
    name = "ecdsa" if kind.startswith("ecdsa") else kind.removeprefix("ssh-")
    try:
        done = subprocess.run(
            ["ssh-keyscan", "-T", str(SECONDS), "-p", str(port), "-t", name, address],
            capture_output=True,
            text=True,
            timeout=4 * SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None  # the command package looks at the key itself, and says so in its own words
    rows = [line.split() for line in done.stdout.splitlines() if not line.startswith("#")]
    return next((" ".join(row[1:3]) for row in rows if len(row) >= 3 and row[1] == kind), "")
