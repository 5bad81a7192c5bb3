"""The catalogue with round prices."""

from __future__ import annotations

import pytest

from pulumi_llm.catalog import Catalog
from tests.review import samples


@pytest.fixture(scope="session")
def round_prices(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return samples.catalogue(tmp_path_factory.mktemp("catalogue") / "data")
