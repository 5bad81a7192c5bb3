"""A cloud that a third party brings: this folder and one entry point, and nothing of pulumi-llm is touched."""

from pathlib import Path

from pulumi_llm.clouds.folder import CloudFolder

CLOUD = CloudFolder(
    name="mars",
    package="mars",
    sdk="pulumi_mars",
    distribution="pulumi-mars",
    module=__name__,
    path=Path(__file__).parent,
    region_variables=("MARS_REGION",),
    fallback_region="olympus",
    credential_variables=("MARS_",),
)
