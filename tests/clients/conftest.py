"""The gateway's package has to be found, and its tests are coroutines: as in tests/gateway."""

from tests.gateway.conftest import pytest_pyfunc_call

__all__ = ["pytest_pyfunc_call"]
