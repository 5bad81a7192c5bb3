"""Which properties of a simulated machine say whether it runs, and what they are now."""

from __future__ import annotations

from pulumi_llm import clouds
from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.store import Record


def keys_of(package: str, token: str) -> set[str]:
    """What a stop or a start changes on a resource of that type; nothing on what is no machine."""
    folder = clouds.of_package(package)
    power = folder.read("power.json") if folder else {}
    if power.get("type") != token:
        return set()
    told = power["simulated"]
    return {*told["running"], *filter(None, [told.get("wanted_at")])}


def overlay(package: str, found: Record) -> Props:
    """What a stop or a start changed, as the provider would read it."""
    return {key: found.properties[key] for key in keys_of(package, found.type) if key in found.properties}
