"""Plain facts of the gateway that more than one component needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_llm import catalog
from pulumi_llm.bootstrap import Sources

if TYPE_CHECKING:
    from pulumi_llm.spec import UpstreamSpec  # `check` asks for sources too, and does without pydantic

LITELLM_PREFIX = {"openai": "openai", "anthropic": "anthropic", "gemini": "gemini"}
"""How LiteLLM spells each vendor in front of a model's name."""


def foreign_models(upstreams: dict[str, UpstreamSpec]) -> tuple[str, ...]:
    """Every model that the upstreams name, in order."""
    return tuple(model for vendor in sorted(upstreams) for model in upstreams[vendor].models)


def node_sources(cloud: str, region: str) -> Sources:
    """Where a node in that region fetches from, best first, as the catalogue has it."""
    rows = catalog.load().sources(cloud, region)
    return Sources(
        pypi=tuple(row.url for row in rows.pypi),
        apt=tuple(row.url for row in rows.apt),
        registries=tuple(
            f"{row.url}/" if row.form == "prefix" else "" for row in rows.containers if row.form in ("prefix", "direct")
        ),
        hubs=rows.hub_names,
    )
