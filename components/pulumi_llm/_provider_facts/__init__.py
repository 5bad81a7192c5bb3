"""What the providers do: which changes replace, which values they allow, what they fill in and what they overlook.

One set of facts for the simulated clouds, the review and whatever else asks what a change will do. A cloud's rows are
in its folder (`clouds/<name>/data/provider.json`), those of the other packages in `data/`; what an SDK itself tells
(inputs, types, outputs, secrets) is read from it and not repeated.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from pulumi_llm import _json, clouds

OTHERS = {
    "cloudflare": ("pulumi_cloudflare", "pulumi-cloudflare"),
    "command": ("pulumi_command", "pulumi-command"),
    "random": ("pulumi_random", "pulumi-random"),
    "tls": ("pulumi_tls", "pulumi-tls"),
}
"""The packages that are no cloud's: Pulumi package -> (Python package, distribution)."""

TOLD = ("kubernetes",)
"""Packages of which is known what a change does to whoever asks, and not which inputs replace."""
OBJECTS = {"kubernetes": ("pulumi_kubernetes", "pulumi-kubernetes")}
"""The packages whose simulation is a store of objects: see `pulumi_llm._simcloud.objects`. A plan checks none of
them."""


def packages() -> tuple[str, ...]:
    """The Pulumi packages whose providers are known."""
    return tuple(dict.fromkeys([*(each.package for each in clouds.folders().values()), *OTHERS]))


def sdk_of(package: str) -> tuple[str, str] | None:
    """The Python package and the distribution of a Pulumi package's SDK; None for a package that is not known."""
    if package in OTHERS or package in OBJECTS:
        return OTHERS.get(package) or OBJECTS[package]
    folder = clouds.of_package(package)
    return (folder.sdk, folder.distribution) if folder else None


@cache
def rows(package: str) -> dict[str, Any]:
    """The facts about a package as its file has them; empty for one that is not known. Not to be changed."""
    if package in OTHERS or package in TOLD:
        file = Path(__file__).parent / "data" / f"{package}.json"
        found: dict[str, Any] = _json.loads(file.read_text(encoding="utf-8"))
        return found
    folder = clouds.of_package(package)
    return folder.read("provider.json") if folder else {}
