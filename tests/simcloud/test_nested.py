"""What a provider computes within blocks: unknown before it is there, and as it was afterwards."""

from __future__ import annotations

from typing import Any

from pulumi_llm._provider_facts import table
from pulumi_llm._provider_facts.values import UNKNOWN, secret
from pulumi_llm._simcloud.nested import with_computed

FACTS = table.find("gcp:compute/instance:Instance")


def interface(given: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    (found,) = with_computed({"networkInterfaces": [given]}, FACTS, state)["networkInterfaces"]
    return dict(found)


def test_an_address_in_a_block_is_unknown_before_it_is_there() -> None:
    assert interface({"subnetwork": "mine"}, {})["networkIp"] == UNKNOWN


def test_what_is_said_stays_as_it_is_said() -> None:
    found = interface({"subnetwork": "mine", "networkIp": "10.0.0.9"}, {})
    assert (found["subnetwork"], found["networkIp"]) == ("mine", "10.0.0.9")


def test_an_address_that_was_there_is_kept() -> None:
    state = {"networkInterfaces": [{"subnetwork": "mine", "networkIp": "10.0.0.5"}]}
    assert interface({"subnetwork": "mine"}, state)["networkIp"] == "10.0.0.5"


def test_what_is_given_is_not_changed_itself_and_a_secret_is_not_looked_into() -> None:
    given = {"networkInterfaces": [{"subnetwork": "mine"}], "bootDisk": secret({"mode": "READ_WRITE"})}
    made = with_computed(given, FACTS, {})
    assert given["networkInterfaces"] == [{"subnetwork": "mine"}]
    assert made["bootDisk"] == given["bootDisk"]


def test_no_block_is_made_up() -> None:
    assert with_computed({"name": "mine"}, FACTS, {}) == {"name": "mine"}
    assert with_computed({"name": "mine"}, None, {}) == {"name": "mine"}
