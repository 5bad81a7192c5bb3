"""Models that take turns on one card: one is awake, and the others sleep (vLLM's sleep mode)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pulumi_llm._flags import flags_of
from pulumi_llm._texts import _, listed
from pulumi_llm.spec.fields import Count, Part, invalid

if TYPE_CHECKING:
    from pulumi_llm.spec.models import ModelSpec
    from pulumi_llm.spec.server import ServerSpec

SPECULATIVE = "--speculative-config"
GUESSES = re.compile(rf"{SPECULATIVE}(\..+)?|--spec-(method|model|tokens)")
"""Every way in which vLLM is told what guesses ahead (0.32.0): whole, key by key, and by its short forms."""
AWAKE = "--no-enable-sleep-mode"


class TurnsSpec(Part):
    """``turns`` of the server: how models take turns that say ``takes_turns``. See "models that take turns".

    zh: 服务器的 ``turns``：写了 ``takes_turns`` 的模型如何轮流运行，见[轮流运行的模型](#轮流运行的模型)。"""

    weights: Literal["memory", "disk"] = "memory"
    """Where a sleeping model's weights are. ``memory``: the host's, from which they are back in seconds; all of them
    must find room there. ``disk``: nowhere else, and they are read again.

    zh: 休眠模型的权重放在哪里。``memory``：主机内存，几秒即可恢复，所有权重都要放得下。``disk``：只在磁盘上，
    唤醒时重新读取。"""
    awake_seconds: Annotated[Count, Field(ge=1, le=3600)] = 30
    """Seconds that a busy model stays awake while another one is asked for.

    zh: 有人请求另一个模型时，忙碌的模型至少保持唤醒的秒数。"""
    wait_seconds: Annotated[Count, Field(ge=5, le=600)] = 120
    """Seconds that a call waits for its model, and that answers under way may take to end. Then the caller gets 503
    with ``Retry-After``; no answer is cut off.

    zh: 一个请求等待其模型的秒数，也是正在进行的回答可用来结束的秒数。超过后调用方收到带 ``Retry-After`` 的 503；
    不会中断任何回答。"""


def taking(server: ServerSpec) -> tuple[str, ...]:
    """The further models that take turns with the main one."""
    return tuple(name for name, each in server.models.items() if each.takes_turns)


def level(server: ServerSpec) -> int:
    """How deep models sleep, as vLLM counts it (0.32.0, docs/features/sleep_mode.md); 0: nobody takes turns."""
    if not taking(server):
        return 0
    return 2 if server.turns is not None and server.turns.weights == "disk" else 1


def refuse_turns(server: ServerSpec) -> None:
    """Refuse what cannot be with models that take turns."""
    names = taking(server)
    if not names:
        if server.turns is not None:
            message = _("it is said how models take turns, and none does")
            raise invalid("spec.turns-without", message, _("takes_turns: true under models, or leave turns out"))
        return
    own = [f"models.{name}.gpus" for name in names if server.models[name].gpus is not None]
    beside = [*own, *(["replicas"] if server.replicas > 1 else [])]
    beside += _flags(server, names, AWAKE.__eq__)
    if level(server) == 2:
        # Weights are read again, and neither an adapter nor what guesses ahead is among them.
        beside += [f"{key}adapters" for key, each in _all(server, names) if each.adapters]
        beside += _flags(server, names, GUESSES.fullmatch)
    if beside:
        raise invalid(
            "spec.turns-and",
            _("{names} take turns with the main model, and that cannot be with {beside}", names=listed(names),
              beside=listed(beside)),
            _("leave out {beside}, or takes_turns", beside=listed(beside)),
        )  # fmt: skip


def _all(server: ServerSpec, names: tuple[str, ...]) -> list[tuple[str, ServerSpec | ModelSpec]]:
    return [("", server), *((f"models.{name}.", server.models[name]) for name in names)]


def _flags(server: ServerSpec, names: tuple[str, ...], meant: Callable[[str], object]) -> list[str]:
    """The flags of those models that are meant, by whose they are."""
    return [f"{key}{flag}" for key, each in _all(server, names) for flag in flags_of(each.extra_args) if meant(flag)]
