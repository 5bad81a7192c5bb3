"""How machines are brought to a stop or a start: one does not wait for another, and what is in the way is told."""

from __future__ import annotations

from pulumi_llm._power.act import bring
from pulumi_llm._power.base import Seen, State
from pulumi_llm._refresh.calls import Failure
from tests.power.conftest import Passing, hand_of


class Scripted:
    """A cloud that shows each machine in these states, one a look, and raises what is no state."""

    def __init__(self, **shown: list[State | Failure]) -> None:
        self.shown = shown
        self.orders: list[str] = []

    def look(self, machine: str) -> Seen | None:
        states = self.shown[machine]
        state = states.pop(0) if len(states) > 1 else states[0]
        if isinstance(state, Failure):
            raise state
        return Seen(state=state)

    def stop(self, machine: str) -> None:
        self.orders.append(machine)

    start = stop


def test_one_machine_that_fails_keeps_no_other_from_its_stop(time: Passing, said: list[str]) -> None:
    denied = Failure("denied", "Forbidden.RAM", "no")
    power = Scripted(a=[denied], b=["running", "stopping", "stopped"])
    hands = [hand_of("aliyun", power, "a"), hand_of("aliyun", power, "b")]
    (finding,) = bring(hands, "stopped", seconds=60, say=said.append, clock=time.clock())
    assert finding.code == "power.denied"
    assert power.orders == ["b"]
    assert said[-1] == "server b: stopped (10 s)"


def test_a_look_that_does_not_get_through_while_it_waits_is_no_failure(time: Passing, said: list[str]) -> None:
    lost = Failure("unreachable", "ConnectTimeout", "timed out")
    power = Scripted(a=["running", lost, lost, "stopped"])
    assert bring([hand_of("aws", power, "a")], "stopped", seconds=60, say=said.append, clock=time.clock()) == []
    assert power.orders == ["a"]


def test_a_cloud_that_is_not_reached_at_the_start_is_told(time: Passing, said: list[str]) -> None:
    power = Scripted(a=[Failure("unreachable", "ConnectTimeout", "timed out")])
    (finding,) = bring([hand_of("aws", power, "a")], "stopped", seconds=60, say=said.append, clock=time.clock())
    assert (finding.code, power.orders) == ("power.unreachable", [])


def test_both_are_ordered_before_either_is_waited_for(time: Passing, said: list[str]) -> None:
    power = Scripted(a=["running", "stopping", "stopping", "stopped"], b=["running", "stopped"])
    hands = [hand_of("tencent", power, each) for each in "ab"]
    assert bring(hands, "stopped", seconds=60, say=said.append, clock=time.clock()) == []
    assert power.orders == ["a", "b"]
    assert time.seconds == 15
