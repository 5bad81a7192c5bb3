"""The network that machines are in: a namespace for the world outside, and one for each machine, joined by a wire.

Every machine hangs on a wire of its own, so that two machines of different private networks may have the same private
address. The world routes public addresses alone. A machine without one reaches nobody, as in the clouds.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path

from llm_boot.support import run

NAMESPACES = Path("/run/netns")


def make_world(name: str, addresses: list[str]) -> None:
    """The namespace of all that is outside, with these addresses of its own."""
    run("ip", "netns", "add", name)
    _ip(name, "link", "set", "lo", "up")
    for each in addresses:
        _ip(name, "addr", "add", f"{each}/32", "dev", "lo")
    _set(name, "net/ipv4/ip_forward", "1")


def make_place(world: str, name: str, wire: str, gateway: str, private: str | None = None) -> None:
    """A namespace on a wire into the world. ``private``: its address and prefix, such as 10.0.0.4/24."""
    run("ip", "netns", "add", name)
    _ip(name, "link", "set", "lo", "up")
    _ip(world, "link", "add", wire, "type", "veth", "peer", "name", "eth0", "netns", name)
    _ip(world, "link", "set", wire, "up")
    _ip(name, "link", "set", "eth0", "up")
    if private:
        # Not what it calls out from, nor what a container behind it is hidden behind.
        _ip(name, "addr", "add", private, "dev", "eth0", "scope", "link", "noprefixroute")
    _ip(name, "route", "add", gateway, "dev", "eth0", "scope", "link")
    # What a container engine would set itself, were this not read-only inside of a machine.
    _set(name, "net/ipv4/ip_forward", "1")


def give_address(world: str, name: str, wire: str, gateway: str, public: str) -> None:
    """From now on the place is reached at, and calls out from, a public address."""
    _ip(name, "addr", "replace", f"{public}/32", "dev", "eth0")
    _ip(name, "route", "replace", gateway, "dev", "eth0", "scope", "link", "src", public)
    _ip(name, "route", "replace", "default", "via", gateway, "dev", "eth0", "src", public)
    _ip(world, "route", "replace", f"{public}/32", "dev", wire)


def take_address(world: str, name: str, wire: str, gateway: str, public: str) -> None:
    """The place is reached at this address no more."""
    _ip(world, "route", "del", f"{public}/32", "dev", wire, check=False)
    _ip(name, "route", "del", "default", check=False)
    _ip(name, "route", "replace", gateway, "dev", "eth0", "scope", "link", check=False)
    _ip(name, "addr", "del", f"{public}/32", "dev", "eth0", check=False)


def remove(name: str) -> None:
    """A namespace and its wires, if they are there."""
    if (NAMESPACES / name).exists():
        run("ip", "netns", "del", name, check=False)


def prefix_of(cidr: str) -> int:
    """The length of a network's prefix."""
    return ipaddress.ip_network(cidr, strict=False).prefixlen


def _ip(name: str, *arguments: str, check: bool = True) -> None:
    run("ip", "-n", name, *arguments, check=check)


def _set(name: str, key: str, value: str) -> None:
    run("ip", "netns", "exec", name, "sh", "-c", f"echo {value} > /proc/sys/{key}")
