"""Machines that are stopped and started: the body of `pulumi-llm stop` and `pulumi-llm start`."""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pulumi_llm import _outputs as outputs
from pulumi_llm import catalog, clouds
from pulumi_llm._commands import DONE, REFUSED
from pulumi_llm._commands import _power_text as text
from pulumi_llm._commands import _status_text as status_text
from pulumi_llm._commands._asking import confirm, say
from pulumi_llm._commands._status import targets_of
from pulumi_llm._commands._status_ask import Target, ask
from pulumi_llm._language import tr
from pulumi_llm._plan import project as projects
from pulumi_llm._plan import state
from pulumi_llm._power import act, charges, elsewhere, machines
from pulumi_llm._power.base import Power
from pulumi_llm._power.machines import Machine
from pulumi_llm._simcloud import faults
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

LOOK_AT_STATUS = 3.0
"""Seconds between two looks at a node that becomes ready."""
BOOT = 300.0
"""Seconds in which a machine that was started is given to answer at all."""


def run(goal: act.Goal, asked: Namespace) -> int:
    """Bring the machines to the goal. Gives the exit code."""
    data = catalog.load()
    project = projects.find(asked.project)
    exported = outputs.state(asked.project, asked.stack, simulated=asked.sim)
    plan = state.plan_of(exported, project.name, asked.stack)
    values = projects.read_stack(project, asked.stack).values
    packages = [each.pulumi_package for each in data.clouds.values()]
    regions = {each: values[f"{each}:region"] for each in packages if values.get(f"{each}:region")}
    meant = machines.chosen(machines.machines_of(plan, data, regions), asked.at, asked.stack)
    if goal == "stopped":
        refused = list(machines.refused(meant, data))
        if refused:
            raise Refusal(refused)
    hands = _hands(meant, project.folder, simulated=asked.sim)
    moving = _to_be_moved(hands, goal)
    if moving:
        costs = charges.charges_of(plan, [each.machine for each in moving], data, regions, datetime.now(UTC).date())
        sys.stdout.write(text.announcement(goal, asked.stack, moving, costs, data))
        confirm(asked, tr("Stop? [y/N] ") if goal == "stopped" else tr("Start? [y/N] "))
        found = act.bring(moving, goal, seconds=60 * asked.timeout, say=say)
        if found:
            by_name = {each.machine.name: each.machine for each in moving}
            raise Refusal(_advised(each, by_name, data) for each in found)
        say(text.done(goal, moving))
    if goal == "running" and not asked.no_wait:
        return _until_ready(asked)
    return DONE


def _hands(meant: Sequence[Machine], folder: Path, *, simulated: bool) -> list[act.Hand]:
    """Each machine with what moves it: one connection for each region of each cloud."""
    reached: dict[tuple[str, str], Power] = {}
    hands, findings = [], []
    for machine in meant:
        known = machines.facts(machine.cloud)
        place = machine.cloud, machine.region
        module = clouds.folders()[machine.cloud].part("power")
        assert module is not None, known  # noqa: S101 - with the facts comes the module
        try:
            if place not in reached:
                reached[place] = _simulated(folder, machine.cloud) if simulated else module.connect(machine.region)
        except Refusal as refusal:
            findings += [each for each in refusal.findings if each not in findings]
            continue
        hands.append(act.Hand(machine, reached[place], module.ACTIONS))
    if findings:
        raise Refusal(findings)
    return hands


def _simulated(folder: Path, cloud: str) -> Power:
    from pulumi_llm._simcloud import power
    from pulumi_llm._simcloud.store import home_beside

    return power.connect(home_beside(folder), cloud, os.environ.get(faults.VARIABLE, ""))


def _to_be_moved(hands: Sequence[act.Hand], goal: act.Goal) -> list[act.Hand]:
    """Those that are not there yet. Raises Refusal for what is gone, unfit, or cannot be looked at."""
    moving, findings = [], []
    for hand in hands:
        seen = hand.look(act.Clock())
        if seen is None:
            findings += [hand.finding] if hand.finding else []
        elif seen.state == goal:
            if seen.charged:
                findings.append(act.still_charged(hand.machine))
            else:
                say(text.already(goal, hand))
        elif goal == "stopped" and seen.unfit:
            findings.append(act.unfit(hand.machine, seen.unfit))
        else:
            moving.append(hand)
    if findings:
        raise Refusal(findings)
    return moving


def _advised(finding: Finding, by_name: Mapping[str, Machine], data: catalog.Catalog) -> Finding:
    if finding.code != "power.sold-out":
        return finding
    return replace(finding, hint=elsewhere.advice(by_name[finding.where], data))


def _until_ready(asked: Namespace) -> int:
    """Look at the nodes until they are ready, have failed, or time is up; say how to look where none answers."""
    if asked.sim:
        say(_in_simulation(asked))
        return DONE
    later = _("`pulumi-llm status -s {stack} --watch` tells when it is ready", stack=asked.stack)
    try:
        targets = [
            each
            for each in targets_of(outputs.read(asked.project, asked.stack), asked.stack)
            if asked.at in (machines.EVERYWHERE, each.name)
        ]
    except Refusal:
        targets = []
    if not targets:
        say(later)
        return DONE
    return _watched(targets, later, 60.0 * asked.timeout)


def _in_simulation(asked: Namespace) -> str:
    from pulumi_llm._simcloud import power
    from pulumi_llm._simcloud.store import home_beside

    if power.are_booted(home_beside(projects.find(asked.project).folder)):
        return _(
            "booted machines are reached from their own network alone: there `pulumi-llm status -s {stack} --sim` "
            "tells when they are ready",
            stack=asked.stack,
        )
    return _("simulated machines run no node: there is nothing to wait for")


def _watched(targets: Sequence[Target], later: str, seconds: float) -> int:
    screen, begun = status_text.Screen(sys.stdout, live=True), time.monotonic()
    while True:
        answers = [ask(each) for each in targets]
        screen.show(answers)
        passed = time.monotonic() - begun
        if all(each.ready for each in answers):
            return DONE
        failed = [each for each in answers if each.failed]
        if failed:
            sys.stderr.write("".join(f"{status_text.verdict(each)}\n" for each in failed))
            return REFUSED
        unreachable = all(each.document is None for each in answers)
        if passed >= (min(BOOT, seconds) if unreachable else seconds):
            say(later)
            return DONE if unreachable else REFUSED
        time.sleep(LOOK_AT_STATUS)
