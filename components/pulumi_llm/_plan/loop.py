"""How a program runs while its plan is captured, without what it costs beside an engine and no plan needs."""

from __future__ import annotations

import asyncio
import contextlib
import types
from collections.abc import Callable, Coroutine, Generator, Iterator
from concurrent.futures import Executor
from typing import Any, TypeVar

from pulumi.runtime import resource
from pulumi.runtime.proto import source_pb2

T = TypeVar("T")

ROUNDS = 10
"""How often the loop goes round for all others before it goes on with what is run :func:`last`."""


class AtOnce(asyncio.SelectorEventLoop):
    """Makes the SDK's calls to the monitor where they stand, not on threads.

    To an engine such a call is a request over a socket, which may take its time; our monitor answers in the same
    process and waits for nothing. The threads, and the wake-ups of the loop between them, were a fifth of a plan's CPU.
    What a program itself puts on a thread still goes there: it may wait for the loop.
    """

    def run_in_executor(  # type: ignore[override] # typeshed has it with type variables of its own
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """As the base class has it, but for the SDK's own calls."""
        if executor is not None or getattr(func, "__module__", None) != "pulumi.runtime._context":
            return super().run_in_executor(executor, func, *args)
        answer: asyncio.Future[Any] = self.create_future()
        try:
            answer.set_result(func(*args))
        except Exception as failed:
            answer.set_exception(failed)
        return answer


async def last(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` so that each time it can go on, everything else that can goes first.

    The SDK waits for a program's outputs with `asyncio.wait` until the first of them is there, and then for those that
    are left, hundreds of them, again: the more are there each time, the less often it does that.
    """
    return await _last(work)


@types.coroutine
def _last(work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    step: Callable[[], Any] = lambda: work.send(None)  # noqa: E731 - what is done next
    while True:
        try:
            awaited = step()
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        try:
            yield awaited
            for _ in range(ROUNDS):
                yield
            step = lambda: work.send(None)  # noqa: E731
        except BaseException as thrown:  # such as that it was cancelled: for the work to hear
            step = _throw(work, thrown)


def _throw(work: Coroutine[Any, Any, Any], thrown: BaseException) -> Callable[[], Any]:
    return lambda: work.throw(thrown)


@contextlib.contextmanager
def without_traces() -> Iterator[None]:
    """Meanwhile the SDK does not note at which lines of which files a resource is made.

    The engine shows them in its traces; no plan holds them, and they were a tenth of its CPU. The SDK has no switch for
    it. Where it calls the function by another name one day, nothing is changed.
    """
    noted = getattr(resource, "_get_stack_trace", None)
    if noted is None:
        yield
        return
    resource._get_stack_trace = source_pb2.StackTrace
    try:
        yield
    finally:
        resource._get_stack_trace = noted
