"""Where a node fetches from. A module of its own: `check` asks too, and does without pydantic."""

from pulumi_llm import catalog
from pulumi_llm._bootstrap import Sources
from pulumi_llm.catalog import systems


def node_sources(cloud: str, region: str, system: str = systems.DEFAULT) -> Sources:
    """Where a node in that region fetches from, best first, as the catalogue has it."""
    rows = catalog.load().sources(cloud, region)
    archive = rows.apt if systems.system(system).mirrors == "apt" else rows.debian_apt
    return Sources(
        pypi=tuple(row.url for row in rows.pypi),
        apt=tuple(row.url for row in archive),
        registries=tuple(
            f"{row.url}/" if row.form == "prefix" else "" for row in rows.containers if row.form in ("prefix", "direct")
        ),
        hubs=rows.hub_names,
    )
