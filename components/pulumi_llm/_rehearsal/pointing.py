"""How each cloud's official plugin is pointed at loopback, and what a user has set who wants it to go elsewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pulumi_llm import clouds
from pulumi_llm._rehearsal.gate import domain_of
from pulumi_llm._rehearsal.plugins import Official
from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding, Refusal

SETTINGS = "PULUMI_LLM_REHEARSAL"
"""Environment variable of the relays: per package ``program``, ``environment``, ``arguments`` and ``own`` as JSON."""

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
DIRECT = ("127.0.0.1", "localhost")
"""What the engine, the program and the plugins reach without the gate: each other."""


def facts(cloud: str) -> Mapping[str, Any]:
    """The file ``rehearsal.json`` of a cloud; empty where it has none."""
    return clouds.folders()[cloud].read("rehearsal.json")


def rehearsed() -> tuple[str, ...]:
    """The clouds that can be rehearsed, by name."""
    return tuple(name for name in clouds.names() if facts(name))


def settings(cloud: str, official: Official, address: str, trusted: Path) -> dict[str, Any]:
    """What the relay of a cloud's plugin is told.

    ``address`` is that of the cloud's server (``127.0.0.1:PORT``), ``trusted`` the file with the certificate that the
    server shows, which a plugin written in Go takes from a variable (not on macOS, as Go's crypto/x509 says).
    """
    rows = facts(cloud)
    words = {"address": address, "domain": domain_of(cloud), "nothing": os.devnull}
    return {
        "program": str(official.path),
        "environment": {**rows["credentials"], **_filled(rows["variables"], words), "SSL_CERT_FILE": str(trusted)},
        "arguments": _filled(rows["arguments"], words),
        "own": rows["own"]["arguments"],
    }


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    """``value`` with the words in its texts, however deep."""
    if isinstance(value, Mapping):
        return {key: _filled(each, words) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, words) for each in value]
    return value.format(**words) if isinstance(value, str) else value


def through(gate: str) -> dict[str, str]:
    """The variables that make a program's calls go through the gate (``127.0.0.1:PORT``)."""
    found: dict[str, str] = {"NO_PROXY": ",".join(DIRECT)}
    found |= dict.fromkeys(PROXIES, f"http://{gate}")
    return {**found, **{name.lower(): value for name, value in found.items()}}


def refuse_own_endpoints(names: Mapping[str, str], config: Mapping[str, Any]) -> None:
    """Raise ``Refusal`` (``rehearse.own-endpoints``) where the user has set an endpoint himself.

    ``names`` is an environment, ``config`` a stack's configuration by full key (``alicloud:endpoints``). What a program
    gives its provider is seen when it runs: see :mod:`relay`.
    """
    found: list[str] = []
    for cloud in rehearsed():
        own = facts(cloud)["own"]
        found += [name for name in sorted(names) if any(fnmatchcase(name, each) for each in own["variables"])]
        package = clouds.folders()[cloud].package
        found += [f"{package}:{key}" for key in own["arguments"] if config.get(f"{package}:{key}")]
    if found:
        words = _("endpoints are set already: {found}", found=listed(dict.fromkeys(found)))
        hint = _("take them away for the rehearsal: it reaches no address but its own")
        raise Refusal([Finding("rehearse.own-endpoints", words, hint)])


def caller() -> Mapping[str, str]:
    """The caller's environment."""
    return dict(os.environ)
