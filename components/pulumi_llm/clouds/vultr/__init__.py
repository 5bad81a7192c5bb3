"""Vultr: machines for a proxy overseas, and whole cards (A16, A40, A100, L40S) for servers."""

from pathlib import Path

from pulumi_llm.clouds.folder import CloudFolder

CLOUD = CloudFolder(
    name="vultr",
    package="vultr",
    sdk="ediri_vultr",
    distribution="ediri-vultr",
    module=__name__,
    path=Path(__file__).parent,
    provider_has_region=False,
    credential_variables=("VULTR_",),
)
