"""Aliyun (Alibaba Cloud)."""

from pathlib import Path

from pulumi_llm.clouds.folder import CloudFolder

CLOUD = CloudFolder(
    name="aliyun",
    package="alicloud",
    sdk="pulumi_alicloud",
    distribution="pulumi-alicloud",
    module=__name__,
    path=Path(__file__).parent,
    region_variables=("ALIBABA_CLOUD_REGION", "ALICLOUD_REGION"),
    fallback_region="cn-beijing",
    credential_variables=("ALIBABA_CLOUD_", "ALIBABACLOUD_", "ALICLOUD_", "ALIYUN_"),
)
