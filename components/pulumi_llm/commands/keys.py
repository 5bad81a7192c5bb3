"""`pulumi-llm keys add|list|rotate|revoke -s STACK`: keys of a gateway that runs, with no restart and no loss."""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pulumi_llm import channel, outputs
from pulumi_llm._tables import aligned
from pulumi_llm.commands import Parser, guarded, number, one_of, whole
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.language import tr, written
from pulumi_llm.texts import _, listed

LIMITS = {
    "requests_per_minute": whole(1, 10**6),
    "tokens_per_minute": whole(1, 10**9),
    "max_concurrency": whole(1, 10**5),
    "daily_tokens": whole(1, 10**12),
    "monthly_tokens": whole(1, 10**12),
    "daily_budget_usd": number(0, 10**7),
    "monthly_budget_usd": number(0, 10**8),
}
"""A key's limits, as options of `add`."""
AT = (*channel.PLACES, "vectors")
WEAVIATE_USER = "llm"
"""Whom Weaviate knows its key by: templates/weaviate/compose.yaml.j2."""


def run(argv: Sequence[str]) -> int:
    """Change or list the keys. Exit 0; 1 where it is refused or the machine does not answer; 2 where called wrongly."""
    if not argv or argv[0] in ("-h", "--help"):
        sys.stdout.write(tr("{doc}\n\n  pulumi-llm keys add --help tells the options\n", doc=written(__doc__)))
        return 0 if argv else 2
    action, *rest = argv
    if action not in ACTIONS:
        sys.stderr.write(
            tr(
                "pulumi-llm keys: there is no {action!r}; there are: {actions}\n",
                action=action,
                actions=listed(ACTIONS),
            )
        )
        return 2
    return _called(f"pulumi-llm keys {action}", action, rest)


def _called(prog: str, action: str, rest: Sequence[str]) -> int:
    asked: argparse.Namespace | None = None

    def read() -> int:
        nonlocal asked
        asked = _parser(prog, action).parse(rest)
        return 0

    left = guarded(prog, read)
    # What the machine refuses is told by the command line itself, with exit code 1.
    return left if asked is None else ACTIONS[action](asked)


def _parser(prog: str, action: str) -> Parser:
    parser = Parser(prog, __doc__)
    if action != "list":
        parser.add_argument("name", help="1 to 31 lower-case letters, digits and dashes")
    parser.add_argument("-s", "--stack", required=True)
    parser.add_argument("--sim", action="store_true", help="the stack of `pulumi-llm sim`")
    parser.add_argument("--at", type=one_of("place", AT), default="server", help="server or proxy; list also: vectors")
    parser.add_argument("--project", type=Path, default=Path(), help="a folder in the project (default: this one)")
    if action == "list":
        parser.add_argument("--json", action="store_true")
    if action == "rotate":
        parser.add_argument("--overlap-minutes", type=whole(0, 10080), default=60, help="how long the old one works on")
    if action == "add":
        for name, kind in LIMITS.items():
            parser.add_argument(f"--{name.replace('_', '-')}", type=kind)
        parser.add_argument("--model", action="append", default=[], help="a model that it may ask; may be repeated")
        parser.add_argument("--endpoint", action="append", default=[], help="a path that it may use; may be repeated")
        parser.add_argument("--source-cidr", action="append", default=[], help="from where; may be repeated")
        parser.add_argument("--expires", type=_day, help="the last day (UTC) on which it works: 2027-12-31")
    return parser


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


def _day(text: str) -> int:
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(tr("{text!r} is not a day such as 2027-12-31", text=text)) from None
    if day < _today():
        raise argparse.ArgumentTypeError(tr("{text} is over: the key would never work", text=text))
    midnight = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
    return int(midnight.timestamp()) + 86400


def _ask(asked: argparse.Namespace, command: str, question: dict[str, Any]) -> dict[str, Any]:
    if asked.at == "vectors":
        return _of_weaviate(asked, command)
    return channel.ask(channel.machine_of(asked.project, asked.stack, asked.at, simulated=asked.sim), command, question)


def _of_weaviate(asked: argparse.Namespace, command: str) -> dict[str, Any]:
    """Weaviate's keys, as the stack's outputs tell: it has one, with no limits, wherever it runs."""
    if command != "list":
        message = _("Weaviate has one key, which Pulumi makes: there is no other to add, to replace or to revoke")
        hint = _(
            "for another one: `pulumi up --replace URN`, with the password's URN out of `pulumi stack --show-urns`"
        )
        raise Refusal([Finding("keys.weaviate-has-one", message, hint)])
    if not outputs.read(asked.project, asked.stack, simulated=asked.sim).get("vectors_key"):
        message = _("the stack {stack!r} has no vectors that are up", stack=asked.stack)
        raise Refusal([Finding("channel.no-machine", message, _("pulumi up -s {stack}", stack=asked.stack))])
    return {"keys": [{"name": WEAVIATE_USER, "managed": "pulumi", "state": "valid", "limits": {}}]}


def _new_key() -> tuple[str, str]:
    """A key and its SHA-256: the key stays here, and the hash alone travels."""
    key = "sk-" + secrets.token_urlsafe(30).replace("-", "x").replace("_", "y")
    return key, hashlib.sha256(key.encode()).hexdigest()


def _show(key: str, said: str) -> int:
    sys.stderr.write(tr("{said}\nIt is shown once, and kept nowhere:\n", said=said))
    sys.stdout.write(f"{key}\n")
    return 0


def _add(asked: argparse.Namespace) -> int:
    limits: dict[str, Any] = {name: getattr(asked, name) for name in LIMITS if getattr(asked, name) is not None}
    limits |= {"models": asked.model, "endpoints": asked.endpoint, "source_cidrs": asked.source_cidr}
    if asked.expires:
        limits["expires"] = asked.expires
    key, digest = _new_key()
    _ask(asked, "add", {"name": asked.name, "hash": digest, "limits": {k: v for k, v in limits.items() if v}})
    return _show(key, tr("The key {name!r} works from now on.", name=asked.name))


def _rotate(asked: argparse.Namespace) -> int:
    key, digest = _new_key()
    question = {"name": asked.name, "hash": digest, "overlap_seconds": 60 * asked.overlap_minutes}
    answer = _ask(asked, "rotate", question)
    return _show(
        key,
        tr(
            "The key {name!r} is new; the old one works until {time}.", name=asked.name, time=_time(answer["old_until"])
        ),
    )


def _revoke(asked: argparse.Namespace) -> int:
    answer = _ask(asked, "revoke", {"name": asked.name})
    sys.stdout.write(tr("No key called {name!r} works any more.\n", name=asked.name))
    if answer["managed"] == "pulumi":
        sys.stdout.write(tr("Pulumi made it: raise its `generation` and run `pulumi up` for a new one.\n"))
    return 0


def _list(asked: argparse.Namespace) -> int:
    rows = _ask(asked, "list", {})["keys"]
    if asked.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return 0
    table = [(_("key"), _("made by"), _("state"), _("limits"))]
    for row in rows:
        old = tr("; the old key until {time}", time=_time(row["old_until"])) if row.get("old_until") else ""
        table.append((row["name"], row["managed"], row["state"], f"{_limits(row['limits'])}{old}"))
    sys.stdout.write("\n".join(aligned(table, least=(0, 7, 7))) + "\n")
    return 0


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


ACTIONS = {"add": _add, "list": _list, "rotate": _rotate, "revoke": _revoke}
