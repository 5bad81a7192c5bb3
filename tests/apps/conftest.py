"""Tests that are coroutines. A page takes a while to start, and longer where others work beside it."""

import asyncio
import inspect

import pytest

PATIENCE = 300.0


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine."""
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    names = inspect.signature(test).parameters
    asyncio.run(asyncio.wait_for(test(**{each: pyfuncitem.funcargs[each] for each in names}), PATIENCE))
    return True
