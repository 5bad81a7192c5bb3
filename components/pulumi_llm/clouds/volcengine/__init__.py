"""Volcengine (ByteDance's cloud)."""

from pathlib import Path

from pulumi_llm.clouds.folder import CloudFolder

CLOUD = CloudFolder(
    name="volcengine",
    package="volcengine",
    sdk="pulumi_volcengine",
    distribution="pulumi-volcengine",
    module=__name__,
    path=Path(__file__).parent,
    region_variables=("VOLCENGINE_REGION",),
    credential_variables=("VOLCENGINE_", "VOLC_"),
)
