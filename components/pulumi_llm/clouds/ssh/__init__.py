"""A machine that exists already, reached by SSH: one's own, or one that is rented elsewhere. Nothing is bought."""

from pathlib import Path

from pulumi_llm.clouds.folder import CloudFolder

CLOUD = CloudFolder(
    name="ssh",
    package="command",
    sdk="pulumi_command",
    distribution="pulumi-command",
    module=__name__,
    path=Path(__file__).parent,
    sells=False,
    provider_has_region=False,
)
