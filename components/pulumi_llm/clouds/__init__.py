"""The clouds. Each is imported, with its SDK, only when it is used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from pulumi_llm import extras
from pulumi_llm.errors import Finding, Refusal, UnknownName
from pulumi_llm.texts import _

if TYPE_CHECKING:
    from pulumi_llm.clouds.base import Cloud

NAMES = ("aliyun", "aws", "tencent")


def get(name: str) -> Cloud:
    """The adapter of the cloud called ``name``.

    Raises :class:`UnknownName` (``cloud.unknown``), or :class:`Refusal` (``cloud.sdk-missing``) where the
    cloud's SDK is not installed: each is an extra of this package.
    """
    if name not in NAMES:
        raise UnknownName("cloud.unknown", _("cloud"), name, NAMES)
    try:
        module = importlib.import_module(f"pulumi_llm.clouds.{name}")
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("pulumi_llm"):
            raise
        raise Refusal(
            [
                Finding(
                    "cloud.sdk-missing",
                    _(
                        "{name} is asked for, but its Pulumi SDK ({missing}) is not installed",
                        name=name,
                        missing=missing.name,
                    ),
                    extras.advice(name),
                )
            ]
        ) from None
    return cast("Cloud", module.ADAPTER)
