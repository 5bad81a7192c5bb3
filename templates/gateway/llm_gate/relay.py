"""One admitted call, to its end: target after target until one begins to answer."""

from __future__ import annotations

from llm_gate.attempt import BUSY, Attempt, Exchange, Failure, Tools
from llm_gate.errors import Refused, upstream_busy
from llm_gate.messages import Answer
from llm_gate.routes import Target
from llm_gate.turns import Turns
from llm_gate.usage import Count


async def answer(tools: Tools, exchange: Exchange, targets: list[Target]) -> Answer | None:
    """Relay the call. Raises `Refused` as long as nothing has been sent."""
    failures: list[Failure] = []
    progress, call = exchange.progress, exchange.call
    replicas, turns, starting = tools.replicas, tools.turns, tools.starting
    asked = replicas.arranged(targets, call, lambda each: tools.routes.cooling(each, exchange.caller))
    for target in starting.present(asked, exchange.caller):
        if not exchange.room():
            break
        progress.asks(target, Count(call.endpoint, call.tokens_in))
        replicas.begin(target)
        entered = False
        try:
            if turns.needs(target.upstream, call.endpoint):
                await _awake(turns, target, exchange.caller)
                entered = True
            return await Attempt(tools, exchange, target).answer()
        except Failure as failure:
            # Without the way that it came, on which lies the whole request: the collector would have to find them.
            failure.__context__ = None
            failures.append(failure.with_traceback(None))
            tools.count(target, failure.kind)
            if failure.worked:
                exchange.lose()
            if failure.kind in ("unreachable", "disconnected"):
                replicas.lost(target.upstream)
                starting.gone(targets, exchange.caller)
            if failure.own:
                tools.routes.failed(target, failure.wait)
            elif failure.told is None:
                # Asked elsewhere before anybody is blamed; see `Attempt`.
                exchange.suspects.append(target)
        finally:
            replicas.end(target)
            starting.left(target)
            if entered:
                turns.leave(target.upstream.name)
    if len(targets) == 1 and exchange.suspects:
        tools.routes.failed(targets[0], caller=exchange.caller)
    # No target has answered, so none is paid but those that may have worked.
    progress.target = None
    if (asleep := starting.none(targets, call.model, exchange.caller)) is not None:
        failures.clear()
        raise asleep
    raise _unavailable(failures)


async def _awake(turns: Turns, target: Target, caller: str) -> None:
    """Wait until the target's model is awake. Raises `Failure` where it is not in time: a fallback may answer."""
    try:
        await turns.enter(target.upstream.name, caller)
    except Refused as refused:
        raise Failure(refused.code, 503, told=refused) from None


def _unavailable(failures: list[Failure]) -> Refused:
    """What the caller is told: which kinds of trouble there were, and nothing that an upstream said."""
    told = [each.told for each in failures if each.told is not None]
    if told and len(told) == len(failures):
        failures.clear()  # what is raised knows of the frame that they are in, and they must not know of it
        return told[0]
    kinds = ", ".join(dict.fromkeys(each.kind for each in failures))
    if failures and all(each.status == 429 for each in failures):
        return upstream_busy(min(each.wait or BUSY for each in failures))
    status = failures[-1].status if failures else 503
    return Refused(
        status if status != 429 else 503,
        "api_error",
        "upstream_unavailable",
        f"no upstream answered ({kinds or 'none is there'})",
    )
