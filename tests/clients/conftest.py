"""The gateway's package has to be found, and its tests are coroutines: as in tests/gateway."""

from collections.abc import Iterator

import pytest

from tests.clients.engine import can_start, engine
from tests.gateway.conftest import pytest_pyfunc_call

__all__ = ["address", "pytest_pyfunc_call"]


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One vLLM for all tests that ask one as a node starts it."""
    if not can_start():
        pytest.skip("vLLM for the CPU or Python 3.13 is not there: tools/fetch boot")
    with engine(tmp_path_factory.mktemp("vllm")) as found:
        yield found
