"""Who is asked for a status, and until when: the body of `pulumi-llm status`."""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import Namespace
from typing import Any

from pulumi_llm import _outputs as outputs
from pulumi_llm._addresses import host_of, without_secrets
from pulumi_llm._commands import DONE, REFUSED
from pulumi_llm._commands import _status_text as text
from pulumi_llm._commands._status_ask import Answer, Target, ask
from pulumi_llm._commands._status_hours import explained
from pulumi_llm._plan import project as projects
from pulumi_llm._plan import state
from pulumi_llm._plan.model import Plan
from pulumi_llm._system import why
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.roles import registry

UNREACHABLE = "status.unreachable"


def run(asked: Namespace) -> int:
    """Print the status. Gives the exit code."""
    targets = _targets(asked)
    plan: Plan | None = None
    show = _Lines().show if asked.json else text.Screen(sys.stdout, live=asked.watch).show
    while True:
        answers = [ask(each) for each in targets]
        if not asked.endpoint and any(each.problem and each.problem.code == UNREACHABLE for each in answers):
            plan = plan or _plan(asked)
            answers = explained(answers, plan)
        show(answers)
        ready = all(each.ready for each in answers)
        settled = ready or any(each.failed for each in answers)
        if settled or not asked.watch:
            if not asked.json:
                sys.stdout.flush()
                for each in answers:
                    if not each.ready:
                        sys.stderr.write(f"{text.verdict(each)}\n")
            return DONE if ready else REFUSED
        time.sleep(asked.interval)


def _plan(asked: Namespace) -> Plan:
    """The stack's resources by its own state; none where it cannot be read."""
    try:
        name = projects.find(asked.project).name
        return state.plan_of(outputs.state(asked.project, asked.stack, simulated=asked.sim), name, asked.stack)
    except Refusal:
        return Plan(project="", stack=asked.stack)


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


def _targets(asked: Namespace) -> list[Target]:
    if asked.endpoint:
        return [_named(asked)]
    return targets_of(outputs.read(asked.project, asked.stack, simulated=asked.sim), asked.stack)


def _named(asked: Namespace) -> Target:
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
        reason = why(error) if isinstance(error, OSError) else error
        message = _("{path} cannot be read: {problem}", path=asked.ca, problem=reason)
        hint = _("--ca FILE, the output certificate_authority")
        findings.append(Finding("status.no-authority-file", message, hint))
    if host_of(asked.endpoint) is None:
        shown = without_secrets(asked.endpoint)
        message = _("{endpoint!r} is not an https:// address, and a key goes over no other", endpoint=shown)
        findings.append(Finding("status.bad-endpoint", message, "--endpoint https://ADDRESS:PORT"))
    if findings:
        raise Refusal(findings)
    return Target("node", asked.endpoint, key, authority)


def targets_of(told: dict[str, Any], stack: str) -> list[Target]:
    """The nodes that a stack's outputs name: model server, proxy, a vector store's machine, where there are any.

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
        endpoint, key, address, authority = map(str, store)
        if not endpoint.startswith("https://"):  # it speaks no HTTP, and the status has a port of its own
            role = registry.of_argument("vectors", told.get("vectors_engine")).manifest
            port = next(each.port for each in role.listeners.values() if each.protocol == "http")
            endpoint = f"https://{address}:{port}"
        found.append(Target("vectors", endpoint, key, authority))
    if not found:
        message = _("the outputs of the stack {stack!r} name no endpoint with keys", stack=stack)
        hint = _("`pulumi up` prints how far a node is until it ends; then the outputs are there")
        raise Refusal([Finding("status.no-outputs", message, hint)])
    return found
