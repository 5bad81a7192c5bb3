"""What a role's files are refused for is known when a stack is planned, also where its settings wait for a proxy."""

from __future__ import annotations

from pathlib import Path

import pytest

import pulumi_llm as llm
from pulumi_llm.errors import Refusal
from tests.roles.sample import COMPOSE, installed
from tests.test_components import WITH_PROXY, plan_of


def test_a_compose_file_that_is_refused_ends_a_platform_with_a_proxy_before_anything_is_made(tmp_path: Path) -> None:
    described = {**WITH_PROXY, "server": {**WITH_PROXY["server"], "services": {"ledger": {}}}}
    bad = COMPOSE.replace("    pull_policy: never\n", "    pull_policy: never\n    privileged: true\n")
    assert bad != COMPOSE
    with installed(tmp_path, compose=bad), pytest.raises(Refusal) as refused:
        plan_of(llm.Platform, described)
    assert {each.code for each in refused.value.findings} == {"roles.bad-compose"}
