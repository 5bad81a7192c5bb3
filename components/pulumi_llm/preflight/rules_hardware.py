"""What the GPU, its driver and the weights' format allow, whatever the memory."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from pulumi_llm import catalog
from pulumi_llm.errors import Finding, nearest
from pulumi_llm.preflight.engine import Capability
from pulumi_llm.preflight.request import Case


def capability_too_old(case: Case) -> Iterator[Finding]:
    """The release's wheels hold no kernels for GPUs below its least compute capability."""
    gpu, release = case.gpu, case.engine
    if gpu.capability >= release.min_capability:
        return
    if gpu.vllm == "legacy":
        last = gpu.last_vllm or release.legacy_release
        past = f"vLLM {last}, which this library does not install, is the last that may run on it (half, experimental)"
    else:
        past = "no release of vLLM runs on it"
    yield Finding(
        "fit.capability-too-old",
        f"{gpu.name} has compute capability {gpu.compute_capability}, and vLLM {release.version} needs "
        f"{_text(release.min_capability)} or higher",
        f"a GPU from T4 (7.5) on; {past}",
        where="gpu",
    )


def arm_without_kernels(case: Case) -> Iterator[Finding]:
    """Wheels for ARM hosts are built for fewer GPUs."""
    gpu, release = case.gpu, case.engine
    if release.min_capability <= gpu.capability < release.arm_min_capability and _only_on_arm(gpu.name):
        yield Finding(
            "fit.arm-without-kernels",
            f"{gpu.name} only comes with ARM processors, and PyTorch's wheels for these need compute capability "
            f"{_text(release.arm_min_capability)}; it has {gpu.compute_capability}",
            "gpu: T4, which has the same memory and an x86 host",
            where="gpu",
        )


def dtype_needs_capability(case: Case) -> Iterator[Finding]:
    """bfloat16 is not to be had below compute capability 8.0."""
    needed = case.engine.bfloat16_capability
    if case.dtype == "bfloat16" and case.gpu.capability < needed:
        hint = f"a GPU with {_text(needed)} (A10, A100, L4, …)"
        yield Finding(
            "fit.dtype-needs-capability",
            f"bfloat16 needs compute capability {_text(needed)}, and {case.gpu.name} has {case.gpu.compute_capability}",
            hint if case.model.no_fp16 else f"dtype: half, or {hint}",
            where="dtype",
        )


def model_refuses_fp16(case: Case) -> Iterator[Finding]:
    """Some families overflow in float16, and vLLM refuses them there."""
    if not case.model.no_fp16:
        return
    needed = case.engine.bfloat16_capability
    if case.dtype == "half":
        yield Finding(
            "fit.model-refuses-fp16",
            f"{case.model.id} is numerically unstable in float16, and vLLM {case.engine.version} refuses it",
            "dtype: bfloat16"
            if case.gpu.capability >= needed
            else f"a GPU with bfloat16 (compute capability {_text(needed)}: A10, A100, L4, …)",
            where="dtype",
        )
    elif case.dtype == "auto" and case.gpu.capability < needed:
        yield Finding(
            "fit.model-refuses-fp16",
            f"{case.model.id} is refused in float16, {case.gpu.name} (compute capability "
            f"{case.gpu.compute_capability}) has no bfloat16, and float32 would take twice the memory",
            f"a GPU with bfloat16 (compute capability {_text(needed)}: A10, A100, L4, …)",
            where="gpu",
        )


def quantization_unknown(case: Case) -> Iterator[Finding]:
    """The release must know the method."""
    name, release = case.quantization, case.engine
    if name is None or name in release.quantizations:
        return
    siblings = _siblings(case)
    if name in release.removed_quantizations:
        yield Finding(
            "fit.quantization-removed",
            f"vLLM {release.version} has no {name} any more",
            siblings or f"one of {', '.join(release.quantizations)}",
            where="quantization",
        )
        return
    near = nearest(name, release.quantizations)
    yield Finding(
        "fit.unknown-quantization",
        f"there is no figure here for weights quantized by {name!r}",
        f"did you mean {' or '.join(near)}?" if near else siblings or f"one of {', '.join(release.quantizations)}",
        where="quantization",
    )


def quantization_contradicts_files(case: Case) -> Iterator[Finding]:
    """Apart from fp8, which vLLM makes while loading, a method must be the one that the files are stored in."""
    asked, method = case.request.quantization, case.method
    stored = case.model.quantization
    if asked is None or asked == stored or method is None:
        return
    if stored is not None:
        yield Finding(
            "fit.quantization-mismatch",
            f"{case.model.id} is stored in {stored}, and {asked} is asked for",
            "leave quantization out: vLLM reads it from the files",
            where="quantization",
        )
    elif not method.online:
        siblings = _siblings(case, asked)
        yield Finding(
            "fit.quantization-not-in-files",
            f"{case.model.id} is stored in 16 bit, and vLLM makes no {asked} while loading",
            siblings or "quantization: fp8 is made while loading; or a model whose files are quantized",
            where="quantization",
        )


def quantization_needs_capability(case: Case) -> Iterator[Finding]:
    """The method's kernels need a GPU of some generation, and some methods one dtype."""
    method = case.method
    if method is None:
        return
    if case.gpu.capability < method.min_capability:
        yield Finding(
            "fit.quantization-needs-capability",
            f"{method.name} needs compute capability {_text(method.min_capability)}, and {case.gpu.name} has "
            f"{case.gpu.compute_capability}",
            f"a GPU with {_text(method.min_capability)} or higher",
            where="gpu",
        )
    elif case.dtype not in ("auto", *method.dtypes):
        yield Finding(
            "fit.quantization-needs-dtype",
            f"{method.name} runs in {' or '.join(method.dtypes)}, not in {case.dtype}",
            f"dtype: {method.dtypes[0]}",
            where="dtype",
        )


def fp8_is_weight_only(case: Case) -> Iterator[Finding]:
    """Without fp8 units the weights are unpacked to 16 bit: less memory, no more speed."""
    name, release = case.quantization, case.engine
    eight_bit = name == "fp8" or (name in ("compressed-tensors", "modelopt") and case.bits == 8)
    if eight_bit and release.min_capability <= case.gpu.capability < release.fp8_arithmetic_capability:
        yield Finding(
            "fit.fp8-weight-only",
            f"{case.gpu.name} ({case.gpu.compute_capability}) has no fp8 units: the weights are stored in fp8 and "
            "computed in 16 bit, which saves memory but no time",
            f"a GPU with {_text(release.fp8_arithmetic_capability)} (L4, L20, H100, …) if speed is what matters",
            severity="warning",
            where="gpu",
        )


def kv_cache_needs_capability(case: Case) -> Iterator[Finding]:
    """An fp8 cache needs an attention kernel that reads it."""
    needed = case.engine.fp8_kv_cache_capability
    if case.load.fp8_kv_cache and case.gpu.capability < needed:
        yield Finding(
            "fit.kv-cache-needs-capability",
            f"an fp8 KV cache needs compute capability {_text(needed)}, and {case.gpu.name} has "
            f"{case.gpu.compute_capability}",
            f"kv_cache_dtype: auto, or a GPU with {_text(needed)}",
            where="kv_cache_dtype",
        )


def sparse_attention_needs_capability(case: Case) -> Iterator[Finding]:
    """Attention that picks tokens by an index has kernels for few GPUs."""
    majors = case.engine.sparse_attention_majors
    if case.model.sparse_attention and case.gpu.capability[0] not in majors:
        yield Finding(
            "fit.sparse-attention-needs-capability",
            f"{case.model.id} picks what it attends to by an index (sparse attention), for which vLLM "
            f"{case.engine.version} has kernels for compute capability {', '.join(f'{each}.x' for each in majors)}, "
            f"and {case.gpu.name} has {case.gpu.compute_capability}",
            "an H20, H100 or H200, or a Blackwell GPU",
            where="gpu",
        )


def wide_heads_need_capability(case: Case) -> Iterator[Finding]:
    """On Turing one attention kernel alone takes very wide heads, and asks for more shared memory than there is."""
    needed = case.engine.wide_head_capability
    # Keys and values of two bytes each: a latent cache has no heads.
    widest = max((row.bytes / row.heads / 4 for row in case.model.kept or () if row.heads), default=0)
    if widest > case.engine.wide_head and case.gpu.capability < needed:
        yield Finding(
            "fit.wide-heads-need-capability",
            f"{case.model.id} has attention heads {widest:.0f} wide, for which vLLM {case.engine.version}'s kernel "
            f"needs more shared memory than {case.gpu.name} (compute capability {case.gpu.compute_capability}) has",
            f"a GPU with {_text(needed)} (A10, A100, L4, …)",
            where="gpu",
        )


def sparse_attention_needs_compiler(case: Case) -> Iterator[Finding]:
    """The index runs in DeepGEMM, which compiles its kernels with nvcc; see docs/decisions/no-cuda-compiler.md."""
    if case.model.sparse_attention and case.gpu.capability[0] in case.engine.sparse_attention_majors:
        yield Finding(
            "fit.sparse-attention-needs-compiler",
            f"{case.model.id} picks what it attends to with DeepGEMM, which compiles kernels with nvcc 12.9 or newer "
            "when vLLM starts, and nodes install no CUDA compiler: the memory is enough, a start is not proven",
            "an image with a CUDA toolkit, and CUDA_HOME set for llm-vllm.service",
            severity="warning",
            where="model",
        )


def driver_too_old(case: Case) -> Iterator[Finding]:
    """The driver must know the CUDA that the wheels are built with."""
    given, release = case.request.driver, case.engine
    if given is None or given >= release.min_driver:
        return
    compatible = given in release.compatible_drivers
    yield Finding(
        "fit.driver-too-old",
        f"driver {given} is too old: vLLM {release.version} is built with CUDA 13, which needs {release.min_driver}",
        f"driver {release.min_driver}, which our nodes install by themselves"
        + ("; CUDA's compatibility libraries can bridge it on some data centre GPUs only" if compatible else ""),
        where="driver",
    )


def _siblings(case: Case, method: str | None = None) -> str:
    """Quantized models made from the same one, as advice; of one method, or of those that the GPU runs."""
    data = catalog.load()
    if case.model.id not in data.models:
        return ""
    names = [
        row.id
        for row in data.variants(case.model.id)
        if row.quantization in case.engine.quantizations and method in (None, row.quantization)
    ]
    return f"a model whose files are: {', '.join(names[:3])}" if names else ""


@cache
def _only_on_arm(gpu: str) -> bool:
    arches = {row.arch for row in catalog.load().instances if row.gpu == gpu}
    return arches == {"arm64"}


def _text(capability: Capability) -> str:
    return f"{capability[0]}.{capability[1]}"
