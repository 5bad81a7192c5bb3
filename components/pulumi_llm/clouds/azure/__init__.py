"""Microsoft Azure: virtual machines for a proxy overseas. Machines with a GPU are not among them."""

from pathlib import Path

from pulumi_llm.clouds.folder import CloudFolder

CLOUD = CloudFolder(
    name="azure",
    package="azure-native",
    sdk="pulumi_azure_native",
    distribution="pulumi-azure-native",
    module=__name__,
    path=Path(__file__).parent,
    provider_has_region=False,
    credential_variables=("ARM_", "AZURE_"),
)
