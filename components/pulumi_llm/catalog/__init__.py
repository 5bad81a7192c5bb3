"""What exists and what it costs: clouds, regions, GPUs, instance types, prices, models, images and mirrors.

Plain data from files in the package, each row with its source and the date of that source. Nothing here
imports a cloud's SDK or reaches the network, and files are read when first asked for. Outside the package only
the folder that PULUMI_LLM_CATALOG names is read.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from pulumi_llm._texts import _
from pulumi_llm.catalog import own
from pulumi_llm.catalog.catalog import DATA, Catalog
from pulumi_llm.catalog.models import GIB, Mla, Model, Moe, SlidingWindow, count_parameters
from pulumi_llm.catalog.rows import (
    STALE_AFTER_DAYS,
    CloudFacts,
    Disk,
    ExchangeRate,
    ExtraPrice,
    Gpu,
    GuidePrice,
    Image,
    Instance,
    NameRule,
    Offer,
    Price,
    Region,
    lies_in,
)
from pulumi_llm.catalog.supply import Mirror, Sources
from pulumi_llm.errors import Finding, Refusal

__all__ = [
    "DATA",
    "ENVIRONMENT",
    "GIB",
    "STALE_AFTER_DAYS",
    "Catalog",
    "CloudFacts",
    "Disk",
    "ExchangeRate",
    "ExtraPrice",
    "Gpu",
    "GuidePrice",
    "Image",
    "Instance",
    "Mirror",
    "Mla",
    "Model",
    "Moe",
    "NameRule",
    "Offer",
    "Price",
    "Region",
    "SlidingWindow",
    "Sources",
    "count_parameters",
    "lies_in",
    "load",
    "model_from_config",
]


ENVIRONMENT = "PULUMI_LLM_CATALOG"
"""The environment variable that names a folder with another catalogue, such as `catalog refresh` writes."""


def load(directory: Path | None = None) -> Catalog:
    """The catalogue in ``directory``; without one, that which ``PULUMI_LLM_CATALOG`` names, else the package's own.

    The default is made once a folder. Raises Refusal ``catalog.bad-directory`` where the variable names none.
    """
    if directory is not None:
        return Catalog(Path(directory))
    return _default(os.environ.get(ENVIRONMENT, ""), own.find())


def model_from_config(path: Path | str) -> Model:
    """The model that a ``config.json``, or a folder that holds one, describes.

    Its parameters are counted from its shape, so its memory is estimated like that of any model here.
    Raises Refusal with every finding: ``catalog.bad-config-unreadable``, ``-json``, ``-missing``, ``-type``,
    ``-range``.
    """
    from pulumi_llm.catalog import config  # few commands read one

    return config.model_from_config(path)


@cache
def _default(named: str, own_models: Path | None) -> Catalog:
    if not named:
        return Catalog(own_models=own_models)
    directory = Path(named)
    if not directory.is_absolute():
        why = _("it is not an absolute path, and Pulumi runs programs in folders of its own choice")
    elif not directory.is_dir():
        why = _("there is no such folder")
    elif not os.access(directory / "instances.json", os.R_OK):
        why = _("it holds no instances.json that can be read")
    else:
        return Catalog(directory, own_models)
    hint = _(
        "`pulumi-llm catalog refresh` makes one; unset {environment} for the package's own", environment=ENVIRONMENT
    )
    raise Refusal(
        [
            Finding(
                "catalog.bad-directory",
                _("{environment} is {named!r}: {why}", environment=ENVIRONMENT, named=named, why=why),
                hint,
            )
        ]
    )
