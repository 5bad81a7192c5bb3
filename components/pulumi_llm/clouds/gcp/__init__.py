"""Google Cloud: Compute Engine machines, with a GPU or for a proxy overseas."""

from pathlib import Path

from pulumi_llm.clouds.folder import CloudFolder

CLOUD = CloudFolder(
    name="gcp",
    package="gcp",
    sdk="pulumi_gcp",
    distribution="pulumi-gcp",
    module=__name__,
    path=Path(__file__).parent,
    region_variables=("GOOGLE_REGION", "GCLOUD_REGION", "CLOUDSDK_COMPUTE_REGION"),
    credential_variables=("GOOGLE_", "GCLOUD_", "CLOUDSDK_"),
)
