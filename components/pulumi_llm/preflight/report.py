"""The verdict on a request: what was found, the memory, and what would work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pulumi_llm.errors import Finding
from pulumi_llm.preflight import suggest
from pulumi_llm.preflight.request import Case, FitRequest, case_of
from pulumi_llm.preflight.rules import findings_of

NOT_KNOWN = frozenset({"fit.unknown-shape", "fit.unknown-memory", "fit.unknown-quantization"})
"""Refusals that say that there is no figure, not that it cannot work."""


@dataclass(frozen=True, slots=True)
class Report:
    """A request's findings, worst first, and the cheapest machine of the catalogue that passes (None: none does)."""

    case: Case
    findings: tuple[Finding, ...]
    suggestion: suggest.Suggestion | None

    @property
    def ok(self) -> bool:
        """Whether it would work."""
        return not any(finding.severity == "error" for finding in self.findings)

    @property
    def known(self) -> bool:
        """Whether there is a verdict at all: not where the only objection is that something is not known."""
        objections = {finding.code for finding in self.findings if finding.severity == "error"}
        return not objections or not objections <= NOT_KNOWN

    def for_json(self) -> dict[str, object]:
        """The report as ``check --json`` prints it: sizes per GPU, in GiB."""
        memory = self.case.memory
        return {
            "ok": self.ok,
            "findings": [
                {
                    "code": finding.code,
                    "severity": finding.severity,
                    "message": finding.message,
                    "hint": finding.hint,
                }
                for finding in self.findings
            ],
            "memory": None if memory is None else memory.for_json(),
            "suggestion": None if self.suggestion is None else self.suggestion.for_json(),
        }

    def __str__(self) -> str:
        case, memory = self.case, self.case.memory
        verdict = "works" if self.ok else "does not work" if self.known else "not known"
        lines = [f"{case.model.id} on {case.request.gpu_count} x {case.gpu.name}: {verdict}"]
        if memory is not None:
            parts = (
                f"sampler and activations {memory.activation_gib:.2f}, CUDA graphs {memory.graphs_gib:.2f}, "
                f"CUDA and communication {memory.non_torch_gib:.2f}"
            )
            need = f"one request of {case.max_model_len:,} needs {memory.need_gib:.2f}"
            at_once = f"{memory.max_concurrency:g} requests of {case.max_model_len:,} at once"
            lines += [
                "",
                f"  GiB per GPU   {memory.gpu_gib:7.2f}  that the driver reports for {case.gpu.name}",
                f"  budget        {memory.budget_gib:7.2f}  at gpu_memory_utilization {case.load.utilization:g}",
                f"  weights       {memory.weights_gib:7.2f}  {case.quantization or '16 bit'}",
                f"  overhead      {memory.overhead_gib:7.2f}  {parts}",
                f"  KV cache      {memory.kv_gib:7.2f}  {memory.kv_tokens:,} tokens; {need}",
                "",
                f"  longest context {memory.max_model_len:,} tokens; {at_once}",
            ]
        for finding in self.findings:
            lines += ["", f"{finding.severity}: {finding}"]
        if self.suggestion is not None:
            lines += ["", f"cheapest that passes: {self.suggestion}"]
        elif not self.ok:
            lines += ["", "cheapest that passes: nothing in the catalogue does"]
        return "\n".join(lines) + "\n"


_ORDER = {"error": 0, "warning": 1, "info": 2}


def check(request: FitRequest) -> Report:
    """The whole verdict. Raises UnknownName for a model or GPU that the catalogue does not have."""
    case = case_of(request)
    suggestion = suggest.cheapest(case)
    return Report(case, _sorted(suggest.with_hints(case, findings_of(case), suggestion)), suggestion)


def findings(case: Case) -> tuple[Finding, ...]:
    """The findings of a verdict alone: a machine is looked for only where one of them has to say what would work."""
    told = findings_of(case)
    if suggest.wants_hint(told):
        told = suggest.with_hints(case, told, suggest.cheapest(case))
    return _sorted(told)


def _sorted(found: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(found, key=lambda finding: _ORDER[finding.severity]))
