"""The clouds, each a folder. A folder is found without its SDK; the SDK is imported when its adapter is asked for.

Folders are found by the entry points ``pulumi_llm.clouds``: our own come through that door as others' do. In a checkout
that was installed before a folder of ours was there, the folder itself is the entry.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, cast

from pulumi_llm import _entry_points
from pulumi_llm._texts import _
from pulumi_llm.clouds.folder import CloudFolder
from pulumi_llm.errors import Finding, Refusal, UnknownName

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pulumi_llm.clouds.base import Cloud

GROUP = "pulumi_llm.clouds"
"""The group of entry points. Each names a cloud and leads to its :class:`CloudFolder`."""


def folders() -> Mapping[str, CloudFolder]:
    """The clouds that are installed and sell machines, in the order of their names. Raises as :func:`every`."""
    return _sellers()


@cache
def _sellers() -> Mapping[str, CloudFolder]:
    return {name: each for name, each in every().items() if each.sells}


@cache
def every() -> Mapping[str, CloudFolder]:
    """All that a machine may be of, by name: the clouds that sell them, and the user's own machines (``ssh``).

    Raises Refusal ``cloud.bad-entry-point`` for one whose entry point leads to no cloud, and where two bring the same.
    """
    found: dict[str, tuple[CloudFolder, str]] = {}
    wrong: list[Finding] = []
    for name, value, origin in _entries():
        try:
            folder = _load(name, value)
        except (ImportError, AttributeError, TypeError) as error:
            wrong.append(_bad(name, origin, _("{value} leads to no cloud: {problem}", value=value, problem=error)))
            continue
        if name in found and found[name][0] is not folder:
            wrong.append(_bad(name, origin, _("{found} brings a cloud of that name too", found=found[name][1])))
        found.setdefault(name, (folder, origin))
    if wrong:
        raise Refusal(wrong)
    return {name: found[name][0] for name in sorted(found)}


def forget() -> None:
    """Look for the folders anew when they are asked for again."""
    every.cache_clear()
    _sellers.cache_clear()


def names() -> tuple[str, ...]:
    """The names of the clouds that are installed and sell machines."""
    return tuple(folders())


def of_package(package: str) -> CloudFolder | None:
    """The cloud whose provider is the Pulumi package ``package``; None for a package that is no cloud's."""
    return next((each for each in folders().values() if each.package == package), None)


def get(name: str) -> Cloud:
    """The adapter of the cloud called ``name``.

    Raises :class:`UnknownName` (``cloud.unknown``), or :class:`Refusal` (``cloud.sdk-missing``) where the
    cloud's SDK is not installed.
    """
    folder = every().get(name)
    if folder is None:
        raise UnknownName("cloud.unknown", _("cloud"), name, every())
    try:
        module = importlib.import_module(f"{folder.module}.adapter")
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith(folder.sdk):
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
                    _how_to_get(folder),
                )
            ]
        ) from None
    return cast("Cloud", module.ADAPTER)


def _how_to_get(folder: CloudFolder) -> str:
    from pulumi_llm import _extras as extras  # reads the metadata of installed packages, which takes its time

    return (
        extras.advice(folder.name)
        if extras.requirements(folder.name)
        else _("pip install {distribution}", distribution=folder.distribution)
    )


def _entries() -> Iterator[_entry_points.Entry]:
    """First our own folders, then everybody's entry points."""
    for each in pkgutil.iter_modules(__path__):
        if each.ispkg:
            yield _entry_points.Entry(each.name, f"{__name__}.{each.name}:CLOUD", "pulumi-llm")
    yield from _entry_points.entries(GROUP)


def _load(name: str, value: str) -> CloudFolder:
    module, __, attribute = value.partition(":")
    found = getattr(importlib.import_module(module.strip()), attribute.strip() or "CLOUD")
    if not isinstance(found, CloudFolder) or found.name != name:
        raise TypeError(f"it is {found!r}, not the CloudFolder of {name!r}")
    return found


def _bad(name: str, origin: str, why: str) -> Finding:
    return Finding(
        "cloud.bad-entry-point",
        _("the cloud {name!r} of {origin} cannot be used: {why}", name=name, origin=origin, why=why),
        _("mend or remove {origin}; docs/clouds.md says what an entry point has to lead to", origin=origin),
    )
