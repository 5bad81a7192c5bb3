"""The tests are coroutines, as the gateway's are."""

from tests.gateway.conftest import pytest_pyfunc_call

__all__ = ["pytest_pyfunc_call"]
