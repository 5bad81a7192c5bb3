"""The verdict on a request: what was found, the memory, and what would work."""

from __future__ import annotations

from collections.abc import Iterable

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._language import told, tr
from pulumi_llm._texts import _
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
    together: bool = False
    """It is about several models, and what one of them would run on alone is not told."""

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
        verdict = _("works") if self.ok else (_("does not work") if self.known else _("not known"))
        lines = [
            tr(
                "{model} on {gpu_count} x {gpu}: {verdict}",
                model=case.model.id,
                gpu_count=case.request.gpu_count,
                gpu=case.gpu.name,
                verdict=verdict,
            )
        ]
        if memory is not None:
            parts = tr(
                "sampler and activations {activation_gib:.2f}, CUDA graphs {graphs_gib:.2f}, CUDA "
                "and communication {non_torch_gib:.2f}",
                activation_gib=memory.activation_gib,
                graphs_gib=memory.graphs_gib,
                non_torch_gib=memory.non_torch_gib,
            )
            need = tr(
                "one request of {max_model_len:,} needs {need_gib:.2f}",
                max_model_len=case.max_model_len,
                need_gib=memory.need_gib,
            )
            at_once = tr(
                "{max_concurrency:g} requests of {max_model_len:,} at once",
                max_concurrency=memory.max_concurrency,
                max_model_len=case.max_model_len,
            )
            lines += [
                "",
                tr(
                    "  GiB per GPU   {gpu_gib:7.2f}  that the driver reports for {gpu}",
                    gpu_gib=memory.gpu_gib,
                    gpu=case.gpu.name,
                )
                if not case.gpu.tpu
                else tr("  GiB per chip  {gpu_gib:7.2f}  of {gpu}", gpu_gib=memory.gpu_gib, gpu=case.gpu.name),
                tr(
                    "  budget        {budget_gib:7.2f}  at gpu_memory_utilization {utilization:g}",
                    budget_gib=memory.budget_gib,
                    utilization=case.load.utilization,
                ),
                tr(
                    "  weights       {weights_gib:7.2f}  {kind}",
                    weights_gib=memory.weights_gib,
                    kind=case.quantization or _("16 bit"),
                ),
                *(
                    [tr("    of these    {gib:7.2f}  slots for adapters", gib=memory.adapters_gib)]
                    if memory.adapters_gib
                    else []
                ),
                *(
                    [tr("    of these    {gib:7.2f}  what guesses ahead", gib=memory.draft_gib)]
                    if memory.draft_gib
                    else []
                ),
                tr("  overhead      {overhead_gib:7.2f}  {parts}", overhead_gib=memory.overhead_gib, parts=parts)
                if not case.gpu.tpu
                else tr(
                    "  beside it     {beside_gib:7.2f}  for what is worked on, about {activation_gib:.2f}, and for "
                    "XLA's programs",
                    beside_gib=memory.gpu_gib - memory.budget_gib,
                    activation_gib=memory.activation_gib,
                ),
                tr(
                    "  KV cache      {kv_gib:7.2f}  {kv_tokens:,} tokens; {need}",
                    kv_gib=memory.kv_gib,
                    kv_tokens=memory.kv_tokens,
                    need=need,
                )
                if memory.need_gib
                else tr("  left over     {kv_gib:7.2f}  this model keeps no KV cache", kv_gib=memory.kv_gib),
                "",
                tr(
                    "  longest context {max_model_len:,} tokens; {at_once}",
                    max_model_len=memory.max_model_len,
                    at_once=at_once,
                ),
            ]
        for finding in self.findings:
            lines += ["", f"{told(SEVERITIES[finding.severity])}: {finding.text()}"]
        if self.suggestion is not None:
            lines += ["", tr("cheapest that passes: {suggestion}", suggestion=self.suggestion)]
        elif not self.ok and not self.together:
            lines += ["", tr("cheapest that passes: nothing in the catalogue does")]
        return "\n".join(lines) + "\n"


SEVERITIES = {"error": _("error"), "warning": _("warning"), "info": _("info")}

_ORDER = {"error": 0, "warning": 1, "info": 2}


def check(request: FitRequest) -> Report:
    """The whole verdict. Raises UnknownName for a model or GPU that the catalogue does not have."""
    case = case_of(request)
    suggestion = suggest.cheapest(case)
    return Report(case, in_order(suggest.with_hints(case, findings_of(case), suggestion)), suggestion)


def findings(case: Case) -> tuple[Finding, ...]:
    """The findings of a verdict alone: a machine is looked for only where one of them has to say what would work."""
    told = findings_of(case)
    if suggest.wants_hint(told):
        told = suggest.with_hints(case, told, suggest.cheapest(case))
    return in_order(told)


def in_order(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The same, worst first."""
    return tuple(sorted(found, key=lambda finding: _ORDER[finding.severity]))
