"""A machine that exists: nothing is bought, and what is put on it is taken away again.

One command over SSH does what user data does elsewhere. Before it touches anything it looks whether the machine is what
the spec says, and whether anything that is there already would be in the way (`remote/host.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_command as command

from pulumi_llm.clouds.base import BareHost
from pulumi_llm.clouds.capabilities import Capability
from pulumi_llm.clouds.ssh import probe
from pulumi_llm.clouds.ssh.program import program, supervisor
from pulumi_llm.errors import Refusal
from pulumi_llm.preflight import capabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulumi_llm.clouds.base import (
        Cloud,
        ExistingHost,
        HostOrder,
        NetworkHandle,
        NetworkRequest,
        RecordRequest,
        Rule,
        Scope,
    )

SSH = 22
HOME = "/var/lib/pulumi-llm"
LOGIN = (
    "command -v sudo >/dev/null || { echo '[ssh.no-sudo] there is no sudo on the machine -- try: install it, "
    "also where root logs in: apt-get install sudo' >&2; exit 1; }; "
    "sudo -n true 2>/dev/null || { echo '[ssh.sudo-password] sudo asks this user for a password, or does not let him "
    "-- try: a line USER ALL=(ALL) NOPASSWD:ALL in /etc/sudoers.d, or another user' >&2; exit 1; }; "
    "command -v python3 >/dev/null || { echo '[ssh.old-system] there is no python3 on the machine -- try: "
    "apt-get install python3' >&2; exit 1; }; "
)
"""What can be told before Python runs there."""
RUN = "exec sudo -n python3 -Ic 'import json,sys;d=json.load(sys.stdin);exec(d[\"program\"],dict(told=d))'"
LEAVE = f"sudo -n test ! -e {HOME}/host.py || exec sudo -n python3 -I {HOME}/host.py leave"
IN_CONTAINER = (
    "[ \"$(id -u)\" = 0 ] || { echo '[ssh.not-root] who logs in is not root -- try: host.user: root' >&2; exit 1; }; "
    "[ -x /usr/bin/python3 ] || { echo '[ssh.old-system] there is no /usr/bin/python3 in the container -- try: "
    "apt-get install python3; conda is left alone' >&2; exit 1; }; "
)
"""The same of a container: root logs in, there may be no sudo, and the Python in front may be conda's."""
RUN_IN_CONTAINER = RUN.replace("sudo -n python3", "/usr/bin/python3")
LEAVE_CONTAINER = LEAVE.replace("sudo -n test", "test").replace("sudo -n python3", "/usr/bin/python3")
TRIES = 5
"""A machine that exists answers at once, or there is a reason."""


class Ssh:
    """The adapter for machines that exist."""

    name = "ssh"
    package = "command"

    def provider(self, name: str, region: str, parent: pulumi.Resource) -> pulumi.ProviderResource:
        """The command package's, which needs no credentials."""
        return command.Provider(name, opts=pulumi.ResourceOptions(parent=parent))

    def network(self, name: str, request: NetworkRequest, scope: Scope) -> NetworkHandle:
        """None is made: Refusal ``cloud.cannot``."""
        raise _cannot(Capability.PRIVATE_NET)

    def record(self, name: str, request: RecordRequest, scope: Scope) -> pulumi.Resource:
        """None is kept: Refusal ``cloud.cannot``."""
        raise _cannot(Capability.DNS)

    def let_start(self, name: str, front: BareHost, others: Sequence[BareHost], scope: Scope) -> pulumi.Resource:
        """Nobody starts a machine that exists: Refusal ``cloud.cannot``."""
        raise _cannot(Capability.WAKES)

    def provision(self, order: HostOrder, scope: Scope) -> BareHost:
        """Look at the machine, and put on it what user data would."""
        host = order.existing
        if host is None:
            raise _cannot(Capability.FIREWALL)
        key = pulumi.Output.secret(host.private_key) if host.private_key is not None else None
        probe.look(host)
        take = IN_CONTAINER + RUN_IN_CONTAINER if host.container else LOGIN + RUN
        taken = command.remote.Command(
            f"{order.name}-host",
            connection=command.remote.ConnectionArgs(
                host=host.address,
                port=host.port,
                user=host.user,
                host_key=host.host_key,
                private_key=key,
                dial_error_limit=TRIES,
                per_dial_timeout=15,
            ),
            create=take,
            update=take,
            # Of a machine that moved to another address this finds that somebody has taken it since, and lets it be.
            delete=f"{LEAVE_CONTAINER if host.container else LEAVE} {order.name}@{host.address}",
            stdin=_document(order, host),
            # Another address is another machine: it is taken, and then the one before is left.
            triggers=[host.address],
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions.merge(scope.child(minutes=20), pulumi.ResourceOptions(protect=order.protect)),
        )
        address = pulumi.Output.from_input(host.address)
        return BareHost(
            id=address,
            address=address,
            private_address=address,
            user=host.user,
            private_key=key if key is not None else pulumi.Output.secret(""),
            port=host.port,
            host_key=host.host_key,
            by_agent=key is None,
            as_root=host.container,
            # A container that was made anew says so, and is told everything again.
            told_anew_with=(taken.id, taken.stdout) if host.container else (taken.id,),
            after=(taken,),
        )


def _document(order: HostOrder, host: ExistingHost) -> pulumi.Output[str]:
    """What the machine is told: the program, what it has to look for, and what it puts there."""
    told = {
        "program": program(),
        "token": f"{order.name}@{host.address}",
        **({"supervisor": supervisor()} if host.container else {}),
        **host.wants,
        "fence": [] if host.container else [_opening(each) for each in order.rules if each.port != SSH],
    }
    return pulumi.Output.json_dumps(told, sort_keys=True)


def _opening(rule: Rule) -> dict[str, object]:
    return {"port": rule.port, "cidrs": list(rule.cidrs)}


def _cannot(word: Capability) -> Refusal:
    return Refusal(capabilities.lacking("ssh", [word]))


ADAPTER: Cloud = Ssh()
