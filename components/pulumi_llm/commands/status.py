"""`pulumi-llm status -s STACK`: what a stack's nodes are at, whether they are ready, and what is in the way.

The nodes are found in the stack's outputs (``pulumi stack output --json --show-secrets``; with ``--sim`` those of the
simulation), or one is named by ``--endpoint``. Each is asked for its status document over verified TLS, with one of its
gateway keys; Weaviate's own machine with Weaviate's key. The document is described by
templates/node/status.schema.json. ``--json`` prints
``{"ready": bool, "nodes": [{"name", "endpoint", "document": {…} | null, "problem": {…} | null}]}``, where a problem has
``code``, ``message`` and ``hint``; with ``--watch`` one such line for each change.

Exit 0: all are ready. Exit 1: one is not, or has failed, or cannot be asked; its code and hint are printed. Exit 2:
called wrongly.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pulumi_llm import _help, outputs
from pulumi_llm.commands import _status_text as text
from pulumi_llm.commands._status_ask import Answer, Target, ask
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.language import tr
from pulumi_llm.texts import _

FAILED, USAGE = 1, 2
CALLED_WRONGLY = {"status.no-key-variable", "status.no-authority-file", "status.bad-endpoint"}


def run(argv: Sequence[str]) -> int:
    """Print the status. See the module for the exit codes."""
    asked = _parser().parse_args(argv)
    try:
        return _run(asked, _targets(asked))
    except Refusal as refusal:
        for finding in refusal.findings:
            sys.stderr.write(f"{finding.text()}\n")
        return USAGE if {each.code for each in refusal.findings} & CALLED_WRONGLY else FAILED


def _run(asked: argparse.Namespace, targets: list[Target]) -> int:
    show = _Lines().show if asked.json else text.Screen(sys.stdout, live=asked.watch).show
    while True:
        answers = [ask(each) for each in targets]
        show(answers)
        ready = all(each.ready for each in answers)
        settled = ready or any(each.failed for each in answers)
        if settled or not asked.watch:
            if not asked.json:
                sys.stdout.flush()
                for each in answers:
                    if not each.ready:
                        sys.stderr.write(f"{text.verdict(each)}\n")
            return 0 if ready else FAILED
        time.sleep(asked.interval)


class _Lines:
    """One line of JSON for each change."""

    said = ""

    def show(self, answers: list[Answer]) -> None:
        nodes = [each.to_json() for each in answers]
        line = json.dumps({"ready": all(each.ready for each in answers), "nodes": nodes}, ensure_ascii=False)
        if line != self.said:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
            self.said = line


# Whom to ask.


def _targets(asked: argparse.Namespace) -> list[Target]:
    if asked.endpoint:
        return [_named(asked)]
    return targets_of(outputs.read(asked.project, asked.stack, simulated=asked.sim), asked.stack)


def _named(asked: argparse.Namespace) -> Target:
    """The node that the options name. All that is wrong with them is reported at once."""
    findings = []
    key = os.environ.get(asked.key_env or "", "").strip()
    if not key:
        message = (
            _("the environment variable {key_env} is not set", key_env=asked.key_env)
            if asked.key_env
            else _("no key is named")
        )
        findings.append(
            Finding("status.no-key-variable", message, _("--key-env NAME, the variable that holds a gateway key"))
        )
    authority = ""
    try:
        authority = asked.ca.read_text(encoding="utf-8") if asked.ca else ""
    except (OSError, UnicodeDecodeError) as error:
        findings.append(
            Finding(
                "status.no-authority-file", f"{asked.ca}: {error}", _("--ca FILE, the output certificate_authority")
            )
        )
    if not asked.endpoint.startswith("https://"):
        message = _("{endpoint!r} is not an https:// address, and a key goes over no other", endpoint=asked.endpoint)
        findings.append(Finding("status.bad-endpoint", message, "--endpoint https://ADDRESS:PORT"))
    if findings:
        raise Refusal(findings)
    return Target("node", asked.endpoint, key, authority)


def targets_of(told: dict[str, Any], stack: str) -> list[Target]:
    """The nodes that a stack's outputs name: the model server, the proxy, and Weaviate's machine, where there are any.

    Raises:
        Refusal: ``status.no-outputs`` where they name none.
    """
    found = []
    for name, prefix in (("server", ""), ("proxy", "proxy_")):
        endpoint, keys = told.get(f"{prefix}endpoint"), told.get(f"{prefix}api_keys")
        if isinstance(endpoint, str) and isinstance(keys, dict) and keys:
            # Any key will do; the default one first, the proxy's key for the server last.
            key = keys[min(keys, key=lambda each: (each == "server", each != "default", each))]
            found.append(Target(name, endpoint, str(key), str(told.get(f"{prefix}certificate_authority") or "")))
    store = [told.get(f"vectors_{name}") for name in ("endpoint", "key", "address", "certificate_authority")]
    if all(isinstance(each, str) and each for each in store):
        # Without an address of its own it runs on the model server, whose document tells of it.
        endpoint, key, __, authority = map(str, store)
        found.append(Target("vectors", endpoint, key, authority))
    if not found:
        message = _("the outputs of the stack {stack!r} name no endpoint with keys", stack=stack)
        hint = _("`pulumi up` prints how far a node is until it ends; then the outputs are there")
        raise Refusal([Finding("status.no-outputs", message, hint)])
    return found


class _Parser(argparse.ArgumentParser):
    def format_help(self) -> str:
        _help.translate(self)
        self.formatter_class = _help.formatter(self.formatter_class)
        return super().format_help()


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="pulumi-llm status", description="What a stack's nodes are at, and what is in the way.")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("-s", "--stack", help="the nodes of a stack, by its outputs")
    which.add_argument("--endpoint", metavar="URL", help="one node, such as https://203.0.113.7:18443")
    parser.add_argument("--key-env", metavar="NAME", help="with --endpoint: the variable that holds a gateway key")
    parser.add_argument(
        "--ca", type=Path, metavar="FILE", help="with --endpoint: the node's certificate authority (PEM)"
    )
    parser.add_argument("--sim", action="store_true", help="with -s: the stack of `pulumi-llm sim`")
    parser.add_argument("--project", type=_folder, default=Path(), help="a folder in the project (default: this one)")
    parser.add_argument("--watch", action="store_true", help="until all are ready or one has failed")
    parser.add_argument(
        "--interval", type=_seconds, default=3.0, metavar="S", help="seconds between looks (default: 3)"
    )
    parser.add_argument("--json", action="store_true")
    return parser


def _folder(given: str) -> Path:
    path = Path(given)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(tr("{given} is not a folder", given=given))
    return path


def _seconds(given: str) -> float:
    try:
        seconds = float(given)
    except ValueError:
        raise argparse.ArgumentTypeError(tr("{given!r} is not a number", given=given)) from None
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(tr("{given} is not between 0 and 3600", given=given))
    return seconds


__all__ = ["run", "targets_of"]
