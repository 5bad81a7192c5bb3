"""Provider configuration: which keys there are, and which regions the cloud has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pulumi_llm import _json, clouds
from pulumi_llm._provider_facts import schema
from pulumi_llm._provider_facts.check import Failure, check_type
from pulumi_llm._provider_facts.values import Props, has_unknown, is_unknown
from pulumi_llm.errors import nearest

from .offers import Offers

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
    """The region that a provider works in, "" where none is set, or where its resources name theirs."""
    folder = clouds.of_package(package)
    if folder is None or not folder.provider_has_region:
        return ""
    named = config.get("region") or next(filter(None, map(os.environ.get, folder.region_variables)), None)
    return str(named or folder.fallback_region)


def problems(package: str, news: Props, offers: Offers) -> list[Failure]:
    """What is wrong with a provider's inputs."""
    found = [*_wrong_keys(package, settings(package, news))]
    folder = clouds.of_package(package)
    if folder is not None and folder.provider_has_region and not has_unknown(news.get("region")):
        wanted = region(package, news)
        if not wanted:
            variable = next(iter(folder.region_variables), "")
            reason = (
                "Missing region information. The provider couldn't find a region to use: set "
                f"`{package}:region` in the stack's configuration, or the environment variable {variable}."
            )
            found.append(Failure("region", reason))
        elif wanted not in offers.regions:
            near = nearest(wanted, offers.regions)
            hint = f" (did you mean {' or '.join(near)}?)" if near else ""
            found.append(
                Failure("region", folder.read("simulated.json")["unknown_region"].format(region=wanted) + hint)
            )
    return found


def _wrong_keys(package: str, news: Props) -> list[Failure]:
    described = schema.describe(f"pulumi:providers:{package}")
    if described is None:
        return []
    given = {key: value for key, value in news.items() if key not in ENGINE_KEYS and not key.startswith("__")}
    found: list[Failure] = []
    check_type(given, {"object": described["inputs"], "required": []}, "", found)
    return [Failure(each.path, f"could not validate provider configuration: {each.reason}") for each in found]
