"""Findings of several parts at once: what is wrong in one hides nothing that is wrong in another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, TypeVar

from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding, Refusal

Kept = TypeVar("Kept")


def gather(*parts: Callable[[], Any], beside: Iterable[Finding] = ()) -> list[Any]:
    """What each part gives. Raises :class:`Refusal` with the findings of all of them, not of the first that fails.

    ``beside``: what is known to be wrong already, with the argument that is meant in ``where``. A part that misses such
    an argument, since it was not given it, says nothing new.
    """
    results: list[Any] = []
    findings: list[Finding] = list(beside)
    told = {finding.where.split(".")[0] for finding in findings}
    for part in parts:
        try:
            results.append(part())
        except Refusal as refusal:
            findings += (
                each
                for each in refusal.findings
                if each.code != "spec.missing-key" or each.where.split(".")[0] not in told
            )
    if findings:
        raise Refusal(dict.fromkeys(findings))
    return results


def keep(findings: list[Finding], task: Callable[[], Kept], where: str = "") -> Kept | None:
    """What ``task`` gives; None where it refuses, and then its findings are among ``findings``, placed at ``where``."""
    try:
        return task()
    except Refusal as refusal:
        findings += [each.placed(where) for each in refusal.findings]
        return None


def refuse(code: str, message: str, hint: str = "", where: str = "") -> NoReturn:
    """Refuse with one finding."""
    raise Refusal([Finding(code, message, hint, where=where)])


def all_or_none(args: Mapping[str, Any], *names: str) -> bool:
    """Whether the arguments are given; refuse where only some of them are."""
    given = [name for name in names if args.get(name) is not None]
    if given and len(given) < len(names):
        lacking = listed(name for name in names if name not in given)
        refuse(
            "spec.missing-key",
            _("{given} is given, but {lacking} is not", given=listed(given), lacking=lacking),
            _("give all of them, or none"),
        )
    return bool(given)


def pick(args: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Those of ``names`` that are given, as a mapping."""
    return {name: args[name] for name in names if args.get(name) is not None}
