"""The least policy under which recorded calls are allowed, in each cloud's own form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pulumi_llm import clouds
from pulumi_llm._rehearsal.calls import Recorded

VERSIONS: Mapping[str, Mapping[str, Any]] = {
    "alicloud": {"Version": "1", "Statement": [{"Effect": "Allow", "Action": [], "Resource": "*"}]},
    "tencentcloud": {"version": "2.0", "statement": [{"effect": "allow", "action": [], "resource": ["*"]}]},
    "aws": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [], "Resource": "*"}]},
}
"""Each cloud's policy language (RAM, CAM and IAM references, 2026-11-28), as a statement without actions."""


def least(package: str, calls: Iterable[Recorded]) -> dict[str, Any]:
    """The policy for the calls that were answered: a call that was refused did nothing. Sorted, each once.

    With what a call needs besides its own name: whoever hands a role to a machine or a function must be allowed to.
    """
    mine = [call for call in calls if not call.refused and call.package in ("", package)]
    names = sorted({*(call.name for call in mine), *_handing(package, mine)})
    form = VERSIONS[package]
    found: dict[str, Any] = {}
    for key, value in form.items():
        if isinstance(value, list):
            found[key] = [{inner: names if each == [] else each for inner, each in row.items()} for row in value]
        else:
            found[key] = value
    return found


def _handing(package: str, calls: Sequence[Recorded]) -> set[str]:
    """The permissions that are needed where one of the calls hands a role to a machine or a function."""
    folder = clouds.of_package(package)
    rows = folder.read("rehearsal.json").get("handing", []) if folder else []
    # AWS's parameters are flat: `IamInstanceProfile.Name`.
    return {
        str(row["needs"])
        for row in rows
        for call in calls
        if call.name in row["calls"] and any(each.partition(".")[0] == row["parameter"] for each in call.parameters)
    }
