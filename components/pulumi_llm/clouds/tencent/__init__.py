"""Tencent Cloud."""

from pathlib import Path

from pulumi_llm.clouds.folder import CloudFolder, RefreshOption

CLOUD = CloudFolder(
    name="tencent",
    package="tencentcloud",
    sdk="tencentcloud_iac_pulumi",
    distribution="tencentcloud-iac-pulumi",
    module=__name__,
    path=Path(__file__).parent,
    region_variables=("TENCENTCLOUD_REGION",),
    fallback_region="ap-guangzhou",
    credential_variables=("TENCENTCLOUD_",),
    refresh_option=RefreshOption(
        name="site",
        choices=("china", "international"),
        help="where the Tencent account was opened: its API answers prices without a currency, CNY or USD",
    ),
)
