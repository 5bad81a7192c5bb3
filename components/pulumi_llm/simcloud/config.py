"""Provider configuration: which keys there are, and which regions the cloud has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pulumi_llm import _json
from pulumi_llm.errors import nearest

from . import schema
from .check import Failure, check_type
from .offers import CLOUDS, Offers
from .values import Props, has_unknown, is_unknown

# Where a provider looks for a region that the program does not name, and what it takes when there is none.
ENVIRONMENT = {
    "aws": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "alicloud": ("ALIBABA_CLOUD_REGION", "ALICLOUD_REGION"),
    "tencentcloud": ("TENCENTCLOUD_REGION",),
}
FALLBACK = {"alicloud": "cn-beijing", "tencentcloud": "ap-guangzhou"}
ENGINE_KEYS = frozenset({"version", "pluginDownloadURL", "pluginChecksums", "parameterization", "envVarMappings"})


def settings(package: str, news: Props) -> dict[str, Any]:
    """Provider inputs as values: the engine sends what is not a string as JSON in a string."""
    described = schema.describe(f"pulumi:providers:{package}")
    kinds = described["inputs"] if described else {}
    found: dict[str, Any] = {}
    for key, value in news.items():
        found[key] = value
        if isinstance(value, str) and kinds.get(key, "string") != "string" and not is_unknown(value):
            try:
                found[key] = _json.loads(value)
            except ValueError:
                continue
    return found


def region(package: str, config: Mapping[str, Any]) -> str:
    """The region that a provider works in, "" where none is set."""
    if package not in CLOUDS:
        return ""
    named = config.get("region") or next(filter(None, map(os.environ.get, ENVIRONMENT[package])), None)
    return str(named or FALLBACK.get(package, ""))


def problems(package: str, news: Props, offers: Offers) -> list[Failure]:
    """What is wrong with a provider's inputs."""
    found = [*_wrong_keys(package, settings(package, news))]
    if package in CLOUDS and not has_unknown(news.get("region")):
        wanted = region(package, news)
        if not wanted:
            reason = (
                "Missing region information. The provider couldn't find a region to use: set `aws:region` in the "
                "stack's configuration, or the environment variable AWS_REGION."
            )
            found.append(Failure("region", reason))
        elif wanted not in offers.regions:
            near = nearest(wanted, offers.regions)
            hint = f" (did you mean {' or '.join(near)}?)" if near else ""
            found.append(Failure("region", _bad_region(package, wanted) + hint))
    return found


def _bad_region(package: str, name: str) -> str:
    if package == "aws":
        return f"invalid AWS Region: {name}"
    if package == "alicloud":
        return (
            f"Invalid Alibaba Cloud region: {name}. You can skip checking this region by setting provider parameter "
            "'skip_region_validation'."
        )
    return f"[TencentCloudSDKError] Code=UnsupportedRegion, Message=The region `{name}` is not supported."


def _wrong_keys(package: str, news: Props) -> list[Failure]:
    described = schema.describe(f"pulumi:providers:{package}")
    if described is None:
        return []
    given = {key: value for key, value in news.items() if key not in ENGINE_KEYS and not key.startswith("__")}
    found: list[Failure] = []
    check_type(given, {"object": described["inputs"], "required": []}, "", found)
    return [Failure(each.path, f"could not validate provider configuration: {each.reason}") for each in found]
