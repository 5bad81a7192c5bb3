"""Will it work? Findings with numbers, from the spec and the catalogue alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from pulumi_llm._flags import flags_of
from pulumi_llm.errors import Finding, Refusal, UnknownName

if TYPE_CHECKING:
    from pulumi_llm.preflight.report import Report
    from pulumi_llm.spec import ServerSpec, VectorsSpec

DEFAULT_CONTEXT = 8192
"""Tokens that are served where no context length is given and the model can do more."""

__all__ = ["DEFAULT_CONTEXT", "check_server", "dtype_for", "max_num_seqs_for", "report_of", "require"]


def check_server(server: ServerSpec, vectors: VectorsSpec | None = None) -> list[Finding]:
    """Every rule's errors and warnings about a server, with Weaviate beside the model if so; worst first, all at once.

    A model that the catalogue does not have is an error, ``fit.unknown-model``, as nothing can be said of it.
    """
    from pulumi_llm.preflight import report, request, rules_host  # a component pays for the models' rows only here

    asked = request.of_server(server, vectors)
    try:
        found = report.check(asked).findings
    except UnknownName as unknown:
        return [*(_unknown_model(finding) for finding in unknown.findings), *rules_host.of_unknown_model(asked)]
    except Refusal as refusal:
        return list(refusal.findings)
    return [finding for finding in found if finding.severity != "info"]


def report_of(server: ServerSpec) -> Report | None:
    """The whole verdict on a server, with its memory; None where the catalogue does not know its model."""
    from pulumi_llm.preflight import report, request

    try:
        return report.check(request.of_server(server))
    except Refusal:
        return None


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
            told.append(replace(finding, severity="warning", message=f"overridden: {finding.message}"))
        else:
            errors.append(finding)
    if errors:
        raise Refusal(errors)
    told += [
        Finding(
            "preflight.override-unused",
            f"override names {code!r}, and nothing of that code was found",
            "leave it out",
            severity="warning",
            where="override",
        )
        for code in sorted(set(override) - codes)
    ]
    return told


def dtype_for(server: ServerSpec) -> str:
    """What is passed to vLLM as ``--dtype``: ``half``, ``bfloat16`` or ``auto`` (as the model's files say).

    What the spec asks, else ``half`` on GPUs that have no bfloat16 (T4), unless the model is refused in it.
    """
    from pulumi_llm import catalog
    from pulumi_llm.preflight.engine import engine
    from pulumi_llm.preflight.request import dtype_on

    data = catalog.load()
    return dtype_on(server.dtype, data.models.get(server.model), data.gpus[server.gpu], engine())


def max_num_seqs_for(server: ServerSpec) -> int | None:
    """What is passed to vLLM as ``--max-num-seqs``; None where its own number, or one in ``extra_args``, will do.

    What the spec asks, else for models that keep a state for each request as many as the GPU's memory has room for:
    vLLM refuses to start with more (see `requests.number_that_starts`).
    """
    from pulumi_llm.preflight import request
    from pulumi_llm.preflight.engine import engine

    if server.max_num_seqs is not None:
        return server.max_num_seqs
    try:
        case = request.case_of(request.of_server(server))
    except Refusal:  # a model that nobody here knows
        return None
    if not case.model.state_layers or "--max-num-seqs" in flags_of(server.extra_args):
        return None
    own = engine().defaults(case.gpu.name, case.gpu.memory_gib).max_num_seqs
    return None if case.load.max_num_seqs == own else case.load.max_num_seqs


def _unknown_model(finding: Finding) -> Finding:
    code = "fit.unknown-model" if finding.code == "catalog.unknown-model" else finding.code
    hint = (
        f"{finding.hint} (pulumi-llm check PATH/config.json); who is sure of it overrides {code}"
        if code == "fit.unknown-model"
        else finding.hint
    )
    return replace(finding, code=code, hint=hint, where=finding.where or "model")
