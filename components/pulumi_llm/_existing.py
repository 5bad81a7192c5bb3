"""A machine that exists, as its adapter is told of it: how to reach it, what it must have, what is put on it first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm import catalog
from pulumi_llm._refusal import ending
from pulumi_llm._texts import _, all_of
from pulumi_llm.clouds.base import ExistingHost
from pulumi_llm.errors import Finding
from pulumi_llm.preflight.engine import engine
from pulumi_llm.roles import order, without_systemd
from pulumi_llm.roles.caddy import challenge_ports
from pulumi_llm.spec import HOST_KEY

if TYPE_CHECKING:
    from pulumi_llm._bootstrap import NodeRequest
    from pulumi_llm._resolve import ResolvedServer
    from pulumi_llm.spec import HostSpec

FOLDER = "/srv/llm"
SYSTEM_GIB = 6
"""Room on the system disk besides Python environments: packages of the system, logs, and what is fetched meanwhile."""


def existing_host(server: ResolvedServer, node: NodeRequest, args: Mapping[str, Any]) -> ExistingHost:
    """The machine of ``server.host``.

    Raises:
        Refusal: ``secret.missing`` or ``ssh.no-key-file`` where there is no key to log in with, ``bootstrap.bad-port``
            where SSH and the node want the same port.
    """
    host = server.spec.host
    assert host is not None  # noqa: S101 - asked by the caller
    first_boot = bootstrap.first_boot(node)
    # 22 is refused of a listener on every machine.
    if host.port in first_boot["ports"]:
        words = _("the gateway cannot listen on {port}", port=host.port)
        hint = _("give each listener a free port, such as 443, 18443")
        raise ending([Finding("bootstrap.bad-port", words, hint, where="host.port")])
    if host.mode == "container":
        in_container(host, node)
    return ExistingHost(
        address=host.address,
        port=host.port,
        user=host.user,
        host_key=host.host_key,
        private_key=private_key_of(host, args),
        folder=host.folder or FOLDER,
        container=host.mode == "container",
        wants={
            "name": node.name,
            "mode": host.mode,
            **({"again": host.again} if host.mode == "container" else {}),
            "folder": host.folder or FOLDER,
            "gpu": _gpu(server),
            "disk_gib": server.data_disk_gib,
            "system_gib": _system_gib(node),
            "memory_gib": host.memory_gib,
            **({"bundle": host.bundle} if host.bundle is not None else {}),
            **first_boot,
        },
    )


def in_container(host: HostSpec, node: NodeRequest) -> None:
    """Raise Refusal ``ssh.not-in-a-container`` for what needs systemd, ``ssh.not-the-public-port`` for other ports."""
    found = list(without_systemd.findings(node))
    wanted = {*order.ports(node), *challenge_ports(node)}
    if host.public_port is not None and wanted != {host.public_port}:
        others = all_of(str(each) for each in sorted(wanted - {host.public_port}))
        words = _("{others}: others reach port {port} of the container alone", others=others, port=host.public_port)
        hint = _("access.https_port: {port}, and nothing that needs a port of its own", port=host.public_port)
        found.append(Finding("ssh.not-the-public-port", words, hint, where="host.public_port"))
    if found:
        raise ending(found)


def private_key_of(host: HostSpec, args: Mapping[str, Any]) -> pulumi.Input[str] | None:
    """The key that lets in; None where an agent answers for it. Raises Refusal where there is none."""
    if host.agent:
        return None
    if host.private_key_file is not None:
        file = Path(host.private_key_file).expanduser()
        try:
            return pulumi.Output.secret(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            if pulumi.runtime.is_dry_run():
                return pulumi.Output.secret("")  # a plan needs no key, and who makes it may have none
            words = _("the key {file} cannot be read: {error}", file=host.private_key_file, error=error)
            hint = _("the file of your private key; or leave private_key_file out and set the secret sshPrivateKey")
            raise ending([Finding("ssh.no-key-file", words, hint, where="host.private_key_file")]) from None
    given = args.get(HOST_KEY.argument)
    if given is None:
        words = _("the machine needs a key to log in with, and none is given")
        hint = _(
            "`pulumi config set --secret {config_key}`, or host.private_key_file, or host.agent: true",
            config_key=HOST_KEY.config_key,
        )
        raise ending([Finding("secret.missing", words, hint, where="host")])
    return pulumi.Output.secret(given)


def _gpu(server: ResolvedServer) -> dict[str, Any]:
    """The cards that must be there. A driver tells a card of another size than what is marketed: see the catalogue."""
    row, host = catalog.load().gpus[server.spec.gpu], server.spec.host
    told = host.gpu_memory_gib if host is not None else None
    return {
        "card": row.name,
        "names": [row.name, *row.aliases],
        "count": server.spec.cards,
        "memory_gib": told or row.memory_gib,
        "driver": engine().min_driver,
    }


def _system_gib(node: NodeRequest) -> int:
    return SYSTEM_GIB + -(-bootstrap.unpacked_bytes(node) // 2**30)
