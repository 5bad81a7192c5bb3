"""The gateway's package is the node's, so the tests have to find it; and its tests are coroutines."""

import asyncio
import inspect
import sys

import pytest

from tests.gateway.harness import CODE

sys.path.insert(0, str(CODE))

PATIENCE = 90  # seconds after which a test that waits for something says so; a module may have others


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine."""
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    names = inspect.signature(test).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names if name in pyfuncitem.funcargs}
    patience = getattr(pyfuncitem.module, "PATIENCE", PATIENCE)
    asyncio.run(asyncio.wait_for(test(**arguments), patience))
    return True
