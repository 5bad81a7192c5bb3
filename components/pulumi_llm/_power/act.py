"""Bringing machines to a stop or to a start, and waiting until they are there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Literal

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._power.base import Action, Power, Seen, State
from pulumi_llm._power.machines import Machine, facts
from pulumi_llm._refresh.calls import Failure, patiently
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding

Goal = Literal["stopped", "running"]
EVERY = 5.0
"""Seconds between two looks."""
LOOKS = 2
"""How often an order that was taken may seem not to be, before the cloud's word for it counts."""
WORDS: Mapping[State, str] = {
    "running": _("running"),
    "stopped": _("stopped"),
    "starting": _("starting"),
    "stopping": _("stopping"),
    "other": _("in between"),
}


@dataclass(slots=True)
class Clock:
    """Time as it passes; a test has its own."""

    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


@dataclass(slots=True)
class Hand:
    """A machine, the cloud that holds it, and how to speak of its calls."""

    machine: Machine
    power: Power
    actions: Mapping[str, str]
    ordered: bool = False
    looks: int = 0
    """How often it was looked at since it was ordered."""
    state: State = "other"
    finding: Finding | None = None
    done: bool = False

    def look(self, clock: Clock) -> Seen | None:
        """How it is now. What fails, and that it is gone, becomes its finding; None there.

        Once it is ordered, a look that does not get through is no failure: the next one may.
        """
        try:
            seen = patiently(lambda: self.power.look(self.machine.id), clock.pause)
        except Failure as failure:
            if self.ordered and failure.kind in ("unreachable", "throttled"):
                return None
            self.finding = told(failure, self, "look")
            return None
        if seen is None:
            self.finding = gone(self.machine)
            return None
        self.state = seen.state
        return seen


@dataclass(slots=True)
class Progress:
    """Says what has changed, once."""

    say: Callable[[str], None]
    said: dict[str, str] = field(default_factory=dict)

    def of(self, hand: Hand, seconds: float) -> None:
        """Tell the state of a machine where it is another than before."""
        if self.said.get(hand.machine.id) != hand.state:
            self.said[hand.machine.id] = hand.state
            self.say(
                _(
                    "{machine}: {state} ({seconds:.0f} s)",
                    machine=hand.machine,
                    state=WORDS[hand.state],
                    seconds=seconds,
                )
            )


def bring(
    hands: Sequence[Hand], goal: Goal, *, seconds: float, say: Callable[[str], None], clock: Clock | None = None
) -> list[Finding]:
    """Order each machine to its goal, and wait until all are there; what stands in the way of one stops no other.

    ``seconds`` bound the whole. A machine in between is waited for before it is ordered. Gives what went wrong.
    """
    clock = clock or Clock()
    progress = Progress(say)
    begun = clock.now()
    while True:
        for hand in hands:
            if not hand.done and hand.finding is None:
                _step(hand, goal, clock)
                if hand.finding is None:
                    progress.of(hand, clock.now() - begun)
        waiting = [each for each in hands if not each.done and each.finding is None]
        if not waiting:
            break
        if clock.now() - begun >= seconds:
            for hand in waiting:
                hand.finding = _late(hand, goal, seconds)
            break
        clock.pause(EVERY)
    return [each.finding for each in hands if each.finding is not None]


def _step(hand: Hand, goal: Goal, clock: Clock) -> None:
    seen = hand.look(clock)
    if seen is None:
        return
    if seen.state == goal:
        hand.done = True
        if seen.charged:
            hand.finding = still_charged(hand.machine)
        return
    if hand.ordered:
        hand.looks += 1
        if seen.state in ("running", "stopped") and seen.trouble and hand.looks >= LOOKS:
            hand.finding = _failed(hand, goal, seen.trouble)
        return
    if seen.state in ("running", "stopped"):  # the other one
        action: Action = "stop" if goal == "stopped" else "start"
        order = hand.power.stop if goal == "stopped" else hand.power.start
        try:
            patiently(lambda: order(hand.machine.id), clock.pause)
        except Failure as failure:
            hand.finding = told(failure, hand, action)
        hand.ordered = True


def told(failure: Failure, hand: Hand, action: Action) -> Finding:
    """A call that failed, as a finding that says what would help."""
    known, machine, name = facts(hand.machine.cloud), hand.machine, hand.actions[action]
    said = " ".join(f"{failure.code}: {failure.message}".split())[:300]
    message = _("{machine}: {action} answered {said}", machine=machine, action=name, said=said)
    if failure.kind == "denied":
        hint = _(
            "let these credentials call {action} on {id}; docs/real-account.md has the whole policy",
            action=name,
            id=machine.id,
        )
        return Finding("power.denied", message, hint, where=machine.name)
    if failure.kind == "unreachable":
        hint = _("check the network and the proxy settings of this machine; nothing was changed by this call")
        return Finding("power.unreachable", message, hint, where=machine.name)
    if failure.kind == "throttled":
        return Finding("power.failed", message, _("call it again in a few minutes"), where=machine.name)
    if action == "start" and matches(known["sold_out"]["pattern"], failure.code):
        return Finding("power.sold-out", message, where=machine.name)
    if action == "stop" and matches(known["unfit"]["pattern"], failure.code):
        return _cannot_stop(machine, message)
    hint = _("`pulumi-llm {action} -s STACK` again is safe: what is done already is not done twice", action=action)
    return Finding("power.failed", message, hint, where=machine.name)


def matches(pattern: str, text: str) -> bool:
    """Whether a code is one of those that the pattern names; an empty pattern names none."""
    return bool(pattern) and re.search(pattern, text) is not None


def gone(machine: Machine) -> Finding:
    """A machine that the state has and the cloud has not."""
    return Finding(
        "power.gone",
        _(
            "{machine} is not there any more in {cloud} {region}",
            machine=machine,
            cloud=machine.cloud,
            region=machine.region,
        ),
        _("`pulumi refresh` takes it out of the state; `pulumi up` makes a new one. Is it the right account?"),
        where=machine.name,
    )


def unfit(machine: Machine, why: str) -> Finding:
    """A machine that its cloud would stop, and go on charging for."""
    message = _("{machine} ({type}) cannot be stopped: {why}", machine=machine, type=machine.instance_type, why=why)
    return _cannot_stop(machine, message)


def _cannot_stop(machine: Machine, message: str) -> Finding:
    hint = _("it costs until `pulumi destroy`; a stop that is charged for is left to the cloud's console")
    return Finding("power.cannot-stop", message, hint, where=machine.name)


def still_charged(machine: Machine) -> Finding:
    """A machine that stands still in a mode that is paid for."""
    return Finding(
        "power.still-charged",
        _(
            "{machine} stands still and is charged for all the same: it was not stopped in a mode that ends that",
            machine=machine,
        ),
        _("`pulumi-llm start`, then `pulumi-llm stop`; if it comes out like this again, its type cannot do it"),
        where=machine.name,
    )


def _failed(hand: Hand, goal: Goal, trouble: str) -> Finding:
    action: Action = "stop" if goal == "stopped" else "start"
    message = _(
        "{machine}: {action} was taken, and then: {trouble}",
        machine=hand.machine,
        action=hand.actions[action],
        trouble=" ".join(trouble.split())[:300],
    )
    known = facts(hand.machine.cloud)
    if action == "start" and matches(known["sold_out"]["pattern"], trouble):
        return Finding("power.sold-out", message, where=hand.machine.name)
    hint = _("`pulumi-llm {action} -s STACK` again is safe: what is done already is not done twice", action=action)
    return Finding("power.failed", message, hint, where=hand.machine.name)


def _late(hand: Hand, goal: Goal, seconds: float) -> Finding:
    return Finding(
        "power.timeout",
        _(
            "{machine} is {state} and not {goal} after {minutes:.0f} minutes",
            machine=hand.machine,
            state=WORDS[hand.state],
            goal=WORDS[goal],
            minutes=seconds / 60,
        ),
        _("the same command again goes on waiting (--timeout MINUTES); the cloud's console tells what holds it up"),
        where=hand.machine.name,
    )
