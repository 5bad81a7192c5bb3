"""Whether the name that an authority signs for leads here. What is found is a note, and keeps nobody from being ready:
what has the address instead may pass calls on to this machine on purpose.
"""

from __future__ import annotations

import json
import re
import socket
import time
from ipaddress import ip_address
from typing import Any

from llm_node import status
from llm_node.system import at, run, write

NOTE = "/run/llm/name.json"
CERTIFICATE = "/srv/llm/secrets/tls.crt"
AGAIN = 60.0  # seconds between two looks: whoever makes the record waits for it
PORTS = {"http": 80, "tls-alpn": 443}


class Looks:
    """The looks of one run of the watch."""

    def __init__(self) -> None:
        self.next = 0.0

    def look(self) -> None:
        """Look, if it is time again."""
        if time.monotonic() >= self.next:
            note(status.read(at("/opt/llm/watch.json")).get("name"))
            self.next = time.monotonic() + AGAIN


def note(want: dict[str, Any] | None) -> None:
    """Write down what is to be said of the name; nothing stands there while all is well, or nobody signs for one."""
    told = verdict(want["name"], PORTS[want["challenge"]]) if want else None
    if told is None:
        at(NOTE).unlink(missing_ok=True)
        return
    code, message = told
    write(at(NOTE), json.dumps({"code": code, "message": message, "hint": status.hint(code)}))


def verdict(name: str, port: int) -> tuple[str, str] | None:
    """What is wrong with where the name leads: a code and a message. None: nothing, or nobody can tell."""
    own = addresses()
    if not own:
        return None
    mine = f"this machine is {own[0]}"
    try:
        found = {str(ip_address(each[4][0])) for each in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError, ValueError) as error:
        if getattr(error, "errno", None) == socket.EAI_AGAIN and not resolver_is_here():
            return None
        return "caddy.name-unknown", f"{name} resolves to nothing ({error}), and {mine}"
    others = sorted(found - {*own, *of_interfaces()})
    if not others:
        return None
    message = f"{name} resolves to {', '.join(others)}, and {mine}; the authority asks there, on port {port}"
    return "caddy.name-elsewhere", message


def resolver_is_here() -> bool:
    """Whether it is a resolver on loopback that is asked, as systemd's is: the watch's unit may call no other."""
    path = at("/etc/resolv.conf")
    servers = re.findall(r"^nameserver\s+(\S+)", path.read_text() if path.exists() else "", re.MULTILINE)
    return all(each.startswith("127.") or each == "::1" for each in servers)


def addresses() -> list[str]:
    """Where others reach this machine: the addresses in its certificate, the public one first."""
    out = run("openssl", "x509", "-in", str(at(CERTIFICATE)), "-noout", "-ext", "subjectAltName")[1]
    return [str(ip_address(each)) for each in re.findall(r"IP Address:([0-9A-Fa-f:.]+)", out)]


def of_interfaces() -> set[str]:
    """The IPv6 addresses of its interfaces: its certificate is for one of IPv4, and its name may have both."""
    path = at("/proc/net/if_inet6")  # the watch's unit may not ask by netlink, as programs do
    rows = path.read_text().splitlines() if path.exists() else []
    return {str(ip_address(bytes.fromhex(row.split()[0]))) for row in rows}
