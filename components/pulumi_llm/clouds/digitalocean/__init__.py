"""DigitalOcean: droplets for a proxy overseas, or for whatever else needs no GPU."""

from pathlib import Path

from pulumi_llm.clouds.folder import CloudFolder

CLOUD = CloudFolder(
    name="digitalocean",
    package="digitalocean",
    sdk="pulumi_digitalocean",
    distribution="pulumi-digitalocean",
    module=__name__,
    path=Path(__file__).parent,
    provider_has_region=False,
    credential_variables=("DIGITALOCEAN_", "SPACES_"),
)
