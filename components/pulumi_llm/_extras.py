"""The package's extras: which programs of others a command needs that the wheel alone does not bring."""

from __future__ import annotations

import re
from importlib import metadata

from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding, Refusal

PACKAGE = "pulumi-llm"


def requirements(extra: str) -> tuple[str, ...]:
    """What ``extra`` installs, as pip takes it (``cryptography>=44``); empty where the package was not installed.

    The source is the installed package's own metadata, so it is what pyproject.toml said when it was built.
    """
    try:
        declared = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:  # run from its folder alone
        return ()
    wanted = re.compile(rf"""extra\s*==\s*["']{re.escape(extra)}["']""")
    rows = (each.partition(";") for each in declared)
    return tuple(what.strip().replace(" ", "") for what, __, marker in rows if wanted.search(marker))


def missing(extra: str) -> tuple[str, ...]:
    """Those requirements of ``extra`` whose package is not installed, in any version."""
    return tuple(each for each in requirements(extra) if not _is_installed(each))


def advice(extra: str) -> str:
    """How to get ``extra``: what pip is to be told, and the extra's name. The package itself is not on PyPI yet."""
    packages = " ".join(f"'{each}'" for each in missing(extra) or requirements(extra))
    pip = (
        _("pip install {packages}", packages=packages)
        if packages
        else _("pip install 'PATH[{extra}]', PATH being the wheel or the clone", extra=extra)
    )
    return _("{pip} (the extra {extra!r} of {package}); in a clone: uv sync", pip=pip, extra=extra, package=PACKAGE)


def demand(extra: str, code: str, purpose: str) -> None:
    """Raise Refusal ``code`` where a package of ``extra`` is not installed; ``purpose`` is what needs it."""
    lacking = missing(extra)
    if lacking:
        names = listed(_name(each) for each in lacking)
        raise Refusal(
            [
                Finding(
                    code,
                    _("{purpose} needs what is not installed here: {names}", purpose=purpose, names=names),
                    advice(extra),
                )
            ]
        )


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]


def _is_installed(requirement: str) -> bool:
    try:
        metadata.distribution(_name(requirement))
    except metadata.PackageNotFoundError:
        return False
    return True
