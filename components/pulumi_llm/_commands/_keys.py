"""Keys that are added, listed, rotated and revoked: the bodies of `pulumi-llm keys`."""

from __future__ import annotations

import datetime
import hashlib
import json
import secrets
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from pulumi_llm import _channel as channel
from pulumi_llm import _outputs as outputs
from pulumi_llm._commands import DONE
from pulumi_llm._commands._limits import limits as known_limits
from pulumi_llm._language import tr
from pulumi_llm._tables import aligned
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.roles import registry


def _ask(asked: Namespace, command: str, question: dict[str, Any]) -> dict[str, Any]:
    if asked.at == "vectors":
        return _of_vectors(asked, command)
    return channel.ask(channel.machine_of(asked.project, asked.stack, asked.at, simulated=asked.sim), command, question)


def _of_vectors(asked: Namespace, command: str) -> dict[str, Any]:
    """A vector store's keys, as the stack's outputs tell: it has one, with no limits, wherever it runs."""
    role = registry.of_argument("vectors").manifest
    if command != "list":
        message = _(
            "{title} has one key, which Pulumi makes: there is no other to add, to replace or to revoke",
            title=role.title,
        )
        hint = _(
            "for another one: `pulumi up --replace URN`, with the password's URN out of `pulumi stack --show-urns`"
        )
        raise Refusal([Finding("keys.service-has-one", message, hint)])
    if not outputs.read(asked.project, asked.stack, simulated=asked.sim).get("vectors_key"):
        message = _("the stack {stack!r} has no vectors that are up", stack=asked.stack)
        raise Refusal([Finding("channel.no-machine", message, _("pulumi up -s {stack}", stack=asked.stack))])
    users = [each.user or name for name, each in role.secrets.items() if each.generate]
    return {"keys": [{"name": user, "managed": "pulumi", "state": "valid", "limits": {}} for user in users]}


def _new_key() -> tuple[str, str]:
    """A key and its SHA-256: the key stays here, and the hash alone travels."""
    key = "sk-" + secrets.token_urlsafe(30).replace("-", "x").replace("_", "y")
    return key, hashlib.sha256(key.encode()).hexdigest()


def _show(key: str, said: str) -> int:
    sys.stderr.write(tr("{said}\nIt is shown once, and kept nowhere:\n", said=said))
    sys.stdout.write(f"{key}\n")
    return DONE


def _add(asked: Namespace) -> int:
    limits: dict[str, Any] = {name: getattr(asked, name) for name in known_limits() if getattr(asked, name) is not None}
    limits |= {"models": asked.model, "endpoints": asked.endpoint, "source_cidrs": asked.source_cidr}
    if asked.expires:
        limits["expires"] = asked.expires
    key, digest = _new_key()
    _ask(asked, "add", {"name": asked.name, "hash": digest, "limits": {k: v for k, v in limits.items() if v}})
    return _show(key, tr("The key {name!r} works from now on.", name=asked.name))


def _rotate(asked: Namespace) -> int:
    key, digest = _new_key()
    question = {"name": asked.name, "hash": digest, "overlap_seconds": 60 * asked.overlap_minutes}
    answer = _ask(asked, "rotate", question)
    return _show(
        key,
        tr(
            "The key {name!r} is new; the old one works until {time}.", name=asked.name, time=_time(answer["old_until"])
        ),
    )


def _revoke(asked: Namespace) -> int:
    answer = _ask(asked, "revoke", {"name": asked.name})
    sys.stdout.write(tr("No key called {name!r} works any more.\n", name=asked.name))
    if answer["managed"] == "pulumi":
        sys.stdout.write(tr("Pulumi made it: raise its `generation` and run `pulumi up` for a new one.\n"))
    return DONE


def _list(asked: Namespace) -> int:
    rows = _ask(asked, "list", {})["keys"]
    if asked.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return DONE
    table = [(tr("key"), tr("made by"), tr("state"), tr("limits"))]
    for row in rows:
        old = tr("; the old key until {time}", time=_time(row["old_until"])) if row.get("old_until") else ""
        table.append((row["name"], row["managed"], row["state"], f"{_limits(row['limits'])}{old}"))
    sys.stdout.write("\n".join(aligned(table, least=(0, 7, 7))) + "\n")
    return DONE


def _limits(limits: dict[str, Any]) -> str:
    shown = []
    for name, value in limits.items():
        if name in ("managed",) or value in (None, [], ""):
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        shown.append(f"{name.replace('_', ' ')} {_time(value) if name == 'expires' else text}")
    return "; ".join(shown) or tr("none")


def _time(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


ACTIONS: dict[str, Callable[[Namespace], int]] = {"add": _add, "list": _list, "rotate": _rotate, "revoke": _revoke}
