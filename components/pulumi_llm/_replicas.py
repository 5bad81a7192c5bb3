"""The further machines of a model server: what they are called, and how the first one's gateway gets there.

Each is a node like the first with nothing but the engines, behind a gateway that knows one key, which is the first
machine's. Nobody else reaches it. Keys, limits and content checks are on the first machine alone, so they are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from pulumi_llm._bootstrap import Upstream, WakeRole
from pulumi_llm._stopping import facts

if TYPE_CHECKING:
    from pulumi_llm._resolve import ResolvedServer
    from pulumi_llm.spec import ServerSpec

KEY = "front"
"""What the further machines call the first one's key."""
SECRET = "replica_key"  # noqa: S105 - the name of a secret
"""What the first machine calls it."""

FILL = 8
"""Calls at once on one machine before the next one gets any, where nothing is said: few for an engine that works on
dozens together, and enough that one machine does for a small office."""

STARTS = 12
"""Starts of further machines within a day, where nothing is said: one each two hours."""

Value = TypeVar("Value")


def numbers(server: ResolvedServer) -> range:
    """Of the further machines; the first one is 1."""
    return range(2, server.spec.replicas + 1)


def named(name: str, number: int) -> str:
    """A further machine's name in the program."""
    return f"{name}-replica-{number}"


def fill(server: ServerSpec) -> int:
    """Calls at once that one of several machines gets before the next one gets any; 0: calls are spread."""
    if server.idle_stop is None or server.replicas == 1:
        return 0
    return server.idle_stop.fill or FILL


def upstreams(server: ResolvedServer, addresses: Sequence[str]) -> list[Upstream]:
    """The further machines as upstreams of the first one's gateway. A name with a dot is nobody's whom a user names.

    To the gateway each is a vLLM, as there is nothing between that changes what is asked or answered.
    """
    return [
        Upstream(
            name=_upstream(number),
            kind="vllm",
            base_url=f"https://{address}:{server.port}/v1",
            secret=SECRET,
            ca_secret=_authority(number),
            replica=True,
            fill=fill(server.spec),
        )
        for number, address in zip(numbers(server), addresses, strict=bool(addresses))
    ]


def waking(server: ResolvedServer, ids: Sequence[str]) -> tuple[WakeRole, ...]:
    """The program that starts further machines, with their ids at the cloud once they are known; none: nobody asked."""
    wanted = server.spec
    if wanted.started_by != "request" or wanted.idle_stop is None:
        return ()
    return (
        WakeRole(
            machines={_upstream(number): each for number, each in zip(numbers(server), ids, strict=bool(ids))},
            most=wanted.idle_stop.starts_per_day or STARTS,
            sold_out=facts(wanted.cloud)["sold_out"]["pattern"],
        ),
    )


def secrets(key: Value, authorities: Iterable[Value], server: ResolvedServer) -> Mapping[str, Value]:
    """The key of the further machines and who signed their certificates, by the names that the first knows them by."""
    return {
        SECRET: key,
        **{_authority(number): each for number, each in zip(numbers(server), authorities, strict=True)},
    }


def _upstream(number: int) -> str:
    return f"replica.{number}"


def _authority(number: int) -> str:
    return f"replica_{number}_authority"
