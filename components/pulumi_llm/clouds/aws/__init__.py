"""Amazon Web Services."""

from pathlib import Path

from pulumi_llm.clouds.folder import CloudFolder

CLOUD = CloudFolder(
    name="aws",
    package="aws",
    sdk="pulumi_aws",
    distribution="pulumi-aws",
    module=__name__,
    path=Path(__file__).parent,
    region_variables=("AWS_REGION", "AWS_DEFAULT_REGION"),
    credential_variables=("AWS_",),
)
