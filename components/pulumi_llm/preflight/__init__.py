"""Will it work? Findings with numbers, from the spec and the catalogue alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal, UnknownName
from pulumi_llm.preflight.defaults import DEFAULT_CONTEXT

if TYPE_CHECKING:
    from pulumi_llm.preflight.memory import Memory
    from pulumi_llm.preflight.placement import Placing
    from pulumi_llm.preflight.sharing import Seat
    from pulumi_llm.spec import ServerSpec, VectorsSpec

__all__ = ["DEFAULT_CONTEXT", "Verdict", "check_server", "judge", "require"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the fit check says of a server: errors and warnings, worst first, and the memory where it can be told.

    ``max_num_seqs`` is what vLLM is told: what was asked, else None where its own number will do, else as many as it
    starts with (see `requests.number_that_starts`).
    """

    findings: tuple[Finding, ...]
    memory: Memory | None = None
    max_num_seqs: int | None = None
    seats: tuple[Seat, ...] = ()
    """Where there are further models: each with its share of a card, the main one first."""


def check_server(server: ServerSpec, vectors: VectorsSpec | None = None) -> list[Finding]:
    """The findings of :func:`judge`."""
    return list(judge(server, vectors).findings)


def judge(server: ServerSpec, vectors: VectorsSpec | None = None, placing: Placing | None = None) -> Verdict:
    """Every rule's errors and warnings about a server, with a vector store beside it if so; worst first, all at once.

    ``placing``: what came of looking for its place, where somebody has looked already. A model that the catalogue does
    not have is an error, ``fit.unknown-model``, as nothing can be said of it.
    """
    # A component pays for the models' rows only here.
    from pulumi_llm.preflight import report, request, rules_change, rules_host

    seats: tuple[Seat, ...] = ()
    of_cpu: list[Finding] = []
    server = rules_change.settled(server)
    if server.models:
        from pulumi_llm.preflight import on_cpu, sharing

        of_cpu = [one.placed(f"models.{each.name}") for each in on_cpu.of_server(server)
                  for one in on_cpu.findings(each)]  # fmt: skip
        seats = sharing.seats(sharing.wishes(server))
        server = sharing.settled(server, seats)

    def together(found: Iterable[Finding]) -> tuple[Finding, ...]:
        return (*(sharing.findings(seats, found) if seats else found), *of_cpu)

    asked = request.of_server(server, vectors)
    if request.gpu_of(asked).tpu:
        from pulumi_llm.preflight import rules_tpu  # few have one

        of_cpu += rules_tpu.of_server(server)
    placing = placing or request.placing_of(asked)
    try:
        case = request.case_of(asked, placing=placing)
        found = together(report.findings(case))
    except UnknownName as unknown:
        of_model = (_unknown_model(finding) for finding in unknown.findings)
        host = rules_host.of_unknown_model(asked, placing.place)
        twice = rules_change.share_too_large(asked, request.gpu_of(asked).memory_gib)
        return Verdict(together((*of_model, *twice, *host)), max_num_seqs=server.max_num_seqs, seats=seats)
    except Refusal as refusal:
        return Verdict(together(refusal.findings), max_num_seqs=server.max_num_seqs, seats=seats)
    told = tuple(each for each in found if each.severity != "info")
    return Verdict(told, case.memory, request.max_num_seqs_of(case), seats)


def require(findings: Iterable[Finding], override: Collection[str] = ()) -> list[Finding]:
    """The warnings among the findings, with the errors that ``override`` names by code turned into warnings.

    Raises Refusal with all other errors. What is overridden says so, and stays visible. A code in ``override`` that no
    finding has is answered by the warning ``preflight.override-unused``.
    """
    told: list[Finding] = []
    errors: list[Finding] = []
    codes = set()
    for finding in findings:
        codes.add(finding.code)
        if finding.severity != "error":
            told.append(finding)
        elif finding.code in override:
            told.append(
                replace(finding, severity="warning", message=_("overridden: {message}", message=finding.message))
            )
        else:
            errors.append(finding)
    if errors:
        raise Refusal(errors)
    told += [
        Finding(
            "preflight.override-unused",
            _("override names {code!r}, and nothing of that code was found", code=code),
            _("leave it out"),
            severity="warning",
            where="override",
        )
        for code in sorted(set(override) - codes)
    ]
    return told


def _unknown_model(finding: Finding) -> Finding:
    code = "fit.unknown-model" if finding.code == "catalog.unknown-model" else finding.code
    hint = (
        _(
            "{hint} (pulumi-llm check PATH/config.json). If you know that it works, override {code}",
            hint=finding.hint,
            code=code,
        )
        if code == "fit.unknown-model"
        else finding.hint
    )
    return replace(finding, code=code, hint=hint, where=finding.where or "model")
