"""All rules, in the order in which their findings are told."""

from __future__ import annotations

from collections.abc import Iterable

from pulumi_llm.errors import Finding
from pulumi_llm.preflight import (
    rules_between,
    rules_change,
    rules_flags,
    rules_hardware,
    rules_host,
    rules_memory,
    rules_model,
    rules_place,
    rules_shape,
    rules_tpu,
)
from pulumi_llm.preflight.objections import Holds, Rule, objects
from pulumi_llm.preflight.request import Case

MODEL_RULES: tuple[Rule, ...] = (
    rules_model.own_row_differs,
    rules_model.unknown_architecture,
    rules_model.part_without_class,
    rules_model.needs_own_code,
    rules_model.needs_newer_vllm,
    rules_hardware.capability_too_old,
    rules_hardware.arm_without_kernels,
    rules_hardware.dtype_needs_capability,
    rules_hardware.model_refuses_fp16,
    rules_hardware.quantization_unknown,
    rules_hardware.quantization_form_not_served,
    rules_model.quantization_needs_package,
    rules_hardware.quantization_contradicts_files,
    rules_hardware.quantization_needs_capability,
    rules_hardware.kv_cache_needs_capability,
    rules_hardware.sparse_attention_needs_capability,
    rules_hardware.sparse_attention_needs_compiler,
    rules_hardware.wide_heads_need_capability,
    rules_hardware.driver_too_old,
    rules_shape.heads_not_divisible,
    rules_shape.groups_not_divisible,
    rules_shape.more_nodes_than_layers,
    rules_shape.without_stages,
    rules_between.between_nodes,
    rules_shape.context_beyond_model,
    rules_flags.flags_refused,
    rules_memory.unknown_shape,
    rules_memory.unknown_memory,
    rules_memory.weights_exceed_vram,
    rules_memory.context_too_long,
    rules_memory.concurrency_too_high,
    rules_memory.more_requests_than_states,
    rules_memory.utilization_too_high,
    rules_change.no_room_beside,
    rules_memory.tight,
    rules_memory.vision_is_not_counted,
    rules_memory.what_flags_add_is_not_counted,
    rules_hardware.fp8_is_weight_only,
)
"""Rules about a model on a GPU."""

TPU_RULES: tuple[Rule, ...] = (
    rules_model.own_row_differs,
    rules_model.unknown_architecture,
    rules_model.part_without_class,
    rules_model.needs_newer_vllm,
    rules_tpu.cannot,
    rules_shape.heads_not_divisible,
    rules_shape.context_beyond_model,
    rules_flags.flags_refused,
    rules_memory.unknown_shape,
    rules_memory.unknown_memory,
    rules_tpu.room,
    rules_memory.concurrency_too_high,
    rules_memory.tight,
    rules_tpu.others_classes,
    rules_tpu.not_run,
)
"""Rules about a model on a TPU: a build of vLLM of its own, and another arithmetic."""

PLACE_RULES: tuple[Rule, ...] = (
    rules_place.not_offered,
    rules_host.disk_too_small,
    rules_host.memory_too_small,
    rules_place.licence_gate,
    rules_place.mainland_ports,
    rules_between.rdma_not_used,
    rules_between.not_near,
)
"""Rules about where it runs, and under which terms."""


REMARKS: frozenset[Rule] = frozenset(
    (
        rules_model.own_row_differs,
        rules_hardware.sparse_attention_needs_compiler,
        rules_hardware.fp8_is_weight_only,
        rules_between.between_nodes,
        rules_memory.tight,
        rules_memory.vision_is_not_counted,
        rules_memory.what_flags_add_is_not_counted,
        rules_tpu.others_classes,
        rules_tpu.not_run,
    )
)
"""Those that never object, and need not be asked where only the verdict counts."""

OF_MODEL: frozenset[Rule] = frozenset(
    (
        rules_model.unknown_architecture,
        rules_model.part_without_class,
        rules_model.needs_own_code,
        rules_model.needs_newer_vllm,
        rules_model.quantization_needs_package,
        rules_hardware.quantization_unknown,
        rules_hardware.quantization_form_not_served,
        rules_hardware.quantization_contradicts_files,
        rules_hardware.driver_too_old,
        rules_shape.more_nodes_than_layers,
        rules_shape.without_stages,
        rules_shape.context_beyond_model,
        rules_memory.unknown_shape,
    )
)
"""Those that look at the request and the model, and never at the GPU: asked once where many GPUs are tried."""

OBJECTIONS = tuple(objects(rule) for rule in MODEL_RULES if rule not in REMARKS)
OF_MODEL_OBJECTIONS = tuple(objects(rule) for rule in MODEL_RULES if rule in OF_MODEL)
ON_GPU_OBJECTIONS = tuple(objects(rule) for rule in MODEL_RULES if rule not in REMARKS | OF_MODEL)
TPU_OBJECTIONS = tuple(objects(rule) for rule in TPU_RULES if rule not in REMARKS)


def findings_of(case: Case, rules: Iterable[Rule] | None = None) -> list[Finding]:
    """What the rules say of a case, all of it; ``rules``: some of them."""
    if rules is None:
        rules = (*rules_about(case), *PLACE_RULES)
    return [finding for rule in rules for finding in rule(case)]


def rules_about(case: Case) -> tuple[Rule, ...]:
    """Those about a model on a GPU, or on a TPU."""
    return TPU_RULES if case.gpu.tpu else MODEL_RULES


def passes(case: Case, objections: tuple[Holds, ...] | None = None) -> bool:
    """Whether no rule about the model on its GPU objects; ``objections``: none of these."""
    if objections is None:
        objections = TPU_OBJECTIONS if case.gpu.tpu else OBJECTIONS
    return not any(objected(case) for objected in objections)
