"""What a rehearsal says: as text, as data, and what is wrong with the stack or with the rehearsal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from pulumi_llm._language import tr
from pulumi_llm._rehearsal.phases import Phase
from pulumi_llm._rehearsal.policy import least
from pulumi_llm._rehearsal.rehearsal import Rehearsal
from pulumi_llm._tables import aligned
from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding


def findings(rehearsal: Rehearsal) -> list[Finding]:
    """All that is wrong, worst first; nothing where the stack comes up, stays as it is and goes away."""
    found: list[Finding] = []
    for phase in rehearsal.phases:
        for error in phase.errors:
            words = _("{phase} failed: {error}", phase=phase.name, error=error)
            found.append(Finding("rehearse.failed", words, _("mend what it names; nothing was bought")))
        if phase.name.startswith("preview") and phase.steps:
            names = listed(f"{each.operation} {each.name}" for each in phase.steps)
            words = _("a preview after {phase} still shows changes: {names}", phase=before(phase), names=names)
            found.append(Finding("rehearse.not-clean", words, _("pulumi preview would show them each time")))
    if rehearsal.unknown:
        words = _("actions that the rehearsal does not know were refused: {names}", names=listed(rehearsal.unknown))
        hint = _("it follows our own programs; let the package be simulated (--sim PACKAGE), or report the action")
        found.append(Finding("rehearse.unknown-action", words, hint))
    if rehearsal.left:
        words = _("destroy leaves behind: {names}", names=listed(rehearsal.left))
        found.append(Finding("rehearse.left-over", words, _("on a real account it would go on costing money")))
    if rehearsal.refused:
        words = _("a program asked for addresses outside and got none: {names}", names=listed(rehearsal.refused))
        hint = _("nothing was sent there; whether it matters, the errors above say")
        found.append(Finding("rehearse.asked-outside", words, hint, severity="warning"))
    return found


def before(phase: Phase) -> str:
    """Which run of the engine a preview follows: ``up``, or ``change FILE``."""
    rest = phase.name.removeprefix("preview").strip()
    return f"change {rest}" if rest else "up"


def text(rehearsal: Rehearsal) -> str:
    """For people: each run of the engine with its calls in order, and the policies that allow them."""
    lines = [tr("{stack}: rehearsed on this machine; no cloud was called", stack=rehearsal.stack)]
    lines += [f"  {each.package} {each.version}  {each.path}" for each in rehearsal.plugins]
    lines += [tr("  {package}  simulated", package=each) for each in rehearsal.simulated]
    if not rehearsal.alone:
        lines.append(tr("  (no network namespace here: what kept calls inside was their addresses and the proxy)"))
    for phase in rehearsal.phases:
        lines += ["", *_phase(phase)]
    for each in rehearsal.plugins:
        policy = policies(rehearsal)[each.package]
        lines += ["", tr("the least policy of {package}", package=each.package), json.dumps(policy, indent=2)]
    return "\n".join(lines) + "\n"


def _phase(phase: Phase) -> Iterator[str]:
    kinds = listed(
        f"{count} {operation}" for operation, count in Counter(each.operation for each in phase.steps).items()
    )
    yield tr(
        "{phase}: {steps}; {calls} calls, {seconds:.0f} s",
        phase=phase.name,
        steps=kinds or tr("no change"),
        calls=len(phase.calls),
        seconds=phase.seconds,
    )
    if phase.name.startswith("change"):
        yield from (f"  {each.operation} {each.name}{_changed(each.changed)}" for each in phase.steps)
    rows = [(str(number), each.name, each.region, each.refused) for number, each in enumerate(phase.calls, start=1)]
    yield from (f"  {line}".rstrip() for line in aligned(rows, right={0}))


def _changed(names: tuple[str, ...]) -> str:
    return f" ({', '.join(names)})" if names else ""


def policies(rehearsal: Rehearsal) -> dict[str, dict[str, Any]]:
    """The least policy of each package that was called, in its cloud's form."""
    calls = [each for phase in rehearsal.phases for each in phase.calls]
    return {each.package: least(each.package, calls) for each in rehearsal.plugins}


def data(rehearsal: Rehearsal) -> dict[str, Any]:
    """As data. Parameters are as they were sent, without what must not be kept."""
    return {
        "stack": rehearsal.stack,
        "plugins": {each.package: each.version for each in rehearsal.plugins},
        "simulated": list(rehearsal.simulated),
        "network": "loopback only" if rehearsal.alone else "the machine's",
        "phases": [
            {
                "name": phase.name,
                "succeeded": phase.succeeded,
                "seconds": round(phase.seconds, 1),
                "steps": [
                    {"op": each.operation, "type": each.type, "name": each.name, "changed": list(each.changed)}
                    for each in phase.steps
                ],
                "calls": [
                    {
                        "package": each.package,
                        "action": each.name,
                        "region": each.region,
                        "parameters": each.parameters,
                        "refused": each.refused,
                    }
                    for each in phase.calls
                ],
                "errors": list(phase.errors),
            }
            for phase in rehearsal.phases
        ],
        "unknown_actions": list(rehearsal.unknown),
        "asked_outside": list(rehearsal.refused),
        "left": list(rehearsal.left),
        "policies": policies(rehearsal),
    }
