"""What the GPU, its driver and the weights' format allow, whatever the memory."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_llm import catalog
from pulumi_llm._texts import _, either, listed
from pulumi_llm.errors import Finding, nearest
from pulumi_llm.preflight.engine import Capability
from pulumi_llm.preflight.gpus import lacks_arm_kernels, too_old
from pulumi_llm.preflight.objections import when
from pulumi_llm.preflight.request import Case


@when(lambda case: too_old(case.gpu, case.engine))
def capability_too_old(case: Case) -> Iterator[Finding]:
    """The release's wheels hold no kernels for GPUs below its least compute capability."""
    gpu, release = case.gpu, case.engine
    if gpu.vllm == "legacy":
        last = gpu.last_vllm or release.legacy_release
        past = _(
            "vLLM {last}, which this library does not install, is the last that may run on it (half, experimental)",
            last=last,
        )
    else:
        past = _("no release of vLLM runs on it")
    yield Finding(
        "fit.capability-too-old",
        _(
            "{gpu} has compute capability {compute_capability}, and vLLM {version} needs {min_capability} or higher",
            gpu=gpu.name,
            compute_capability=gpu.compute_capability,
            version=release.version,
            min_capability=_text(release.min_capability),
        ),
        _("a GPU from T4 (7.5) on; {past}", past=past),
        where="gpu",
    )


@when(lambda case: not too_old(case.gpu, case.engine) and lacks_arm_kernels(case.gpu, case.engine))
def arm_without_kernels(case: Case) -> Iterator[Finding]:
    """Wheels for ARM hosts are built for fewer GPUs."""
    gpu, release = case.gpu, case.engine
    yield Finding(
        "fit.arm-without-kernels",
        _(
            "{gpu} only comes with ARM processors, and PyTorch's wheels for these need compute "
            "capability {arm_min_capability}; it has {compute_capability}",
            gpu=gpu.name,
            arm_min_capability=_text(release.arm_min_capability),
            compute_capability=gpu.compute_capability,
        ),
        _("gpu: T4, which has the same memory and an x86 host"),
        where="gpu",
    )


@when(lambda case: case.gpu.capability < case.engine.bfloat16_capability and case.dtype == "bfloat16")
def dtype_needs_capability(case: Case) -> Iterator[Finding]:
    """bfloat16 is not to be had below compute capability 8.0."""
    needed = case.engine.bfloat16_capability
    hint = _("a GPU with {needed} (A10, A100, L4, …)", needed=_text(needed))
    yield Finding(
        "fit.dtype-needs-capability",
        _(
            "bfloat16 needs compute capability {needed}, and {gpu} has {compute_capability}",
            needed=_text(needed),
            gpu=case.gpu.name,
            compute_capability=case.gpu.compute_capability,
        ),
        hint if case.model.no_fp16 else _("dtype: half, or {hint}", hint=hint),
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
            _(
                "{model} is numerically unstable in float16, and vLLM {version} refuses it",
                model=case.model.id,
                version=case.engine.version,
            ),
            "dtype: bfloat16"
            if case.gpu.capability >= needed
            else _("a GPU with bfloat16 (compute capability {needed}: A10, A100, L4, …)", needed=_text(needed)),
            where="dtype",
        )
    elif case.dtype == "auto" and case.gpu.capability < needed:
        yield Finding(
            "fit.model-refuses-fp16",
            _(
                "{model} is refused in float16, {gpu} (compute capability {compute_capability}) has "
                "no bfloat16, and float32 would take twice the memory",
                model=case.model.id,
                gpu=case.gpu.name,
                compute_capability=case.gpu.compute_capability,
            ),
            _("a GPU with bfloat16 (compute capability {needed}: A10, A100, L4, …)", needed=_text(needed)),
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
            _("vLLM {version} no longer has {name}", version=release.version, name=name),
            siblings or _("one of {names}", names=listed(release.quantizations)),
            where="quantization",
        )
        return
    near = nearest(name, release.quantizations)
    yield Finding(
        "fit.unknown-quantization",
        _("nothing is known here about weights quantized by {name!r}", name=name),
        _("did you mean {names}?", names=either(near))
        if near
        else (siblings or _("one of {names}", names=listed(release.quantizations))),
        where="quantization",
    )


def quantization_form_not_served(case: Case) -> Iterator[Finding]:
    """A method that is known may come in a form that the release has no kernels for, and refuses at the start."""
    method, stored = case.method, case.model
    if method is None or case.quantization != stored.quantization:
        return
    if case.in_other_bits:
        form = _("{bits} bit", bits=case.bits)
        served = listed([_("{bits} bit", bits=each) for each in method.served_bits])
    elif method.symmetric and stored.zero_points:
        form, served = _("numbers with a zero point (sym: false)"), _("symmetric ones")
    else:
        return
    yield Finding(
        "fit.quantization-form",
        _(
            "{model} is stored in {method} of {form}, and vLLM {version} starts with {served} alone",
            model=stored.id,
            method=method.name,
            form=form,
            version=case.engine.version,
            served=served,
        ),
        _siblings(case) or _("weights in another form, such as compressed-tensors or fp8"),
        where="model",
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
            _(
                "{model} is stored in {stored}, and {request} is asked for",
                model=case.model.id,
                stored=stored,
                request=asked,
            ),
            _("leave quantization out: vLLM reads it from the files"),
            where="quantization",
        )
    elif not method.online:
        siblings = _siblings(case, asked)
        yield Finding(
            "fit.quantization-not-in-files",
            _(
                "{model} is stored in 16 bit, and vLLM makes no {request} while loading",
                model=case.model.id,
                request=asked,
            ),
            siblings or _("quantization: fp8 is made while loading; or a model whose files are quantized"),
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
            _(
                "{method} needs compute capability {min_capability}, and {gpu} has {compute_capability}",
                method=method.name,
                min_capability=_text(method.min_capability),
                gpu=case.gpu.name,
                compute_capability=case.gpu.compute_capability,
            ),
            _("a GPU with {min_capability} or higher", min_capability=_text(method.min_capability)),
            where="gpu",
        )
    elif case.scheme and not (case.scheme[1] <= case.gpu.capability <= (case.scheme[2] or case.gpu.capability)):
        scheme, first, last = case.scheme
        yield Finding(
            "fit.quantization-needs-capability",
            _(
                "{method} needs compute capability {min_capability}, and {gpu} has {compute_capability}",
                method=f"{method.name} ({scheme})",
                min_capability=_text(first),
                gpu=case.gpu.name,
                compute_capability=case.gpu.compute_capability,
            ),
            _("a GPU with {min_capability}", min_capability=_text(first))
            if last == first
            else _("a GPU with {min_capability} or higher", min_capability=_text(first)),
            where="gpu",
        )
    elif case.dtype not in ("auto", *method.dtypes):
        yield Finding(
            "fit.quantization-needs-dtype",
            _(
                "{method} runs in {dtypes}, not in {dtype}",
                method=method.name,
                dtypes=either(method.dtypes),
                dtype=case.dtype,
            ),
            f"dtype: {method.dtypes[0]}",
            where="dtype",
        )


def fp8_is_weight_only(case: Case) -> Iterator[Finding]:
    """Without fp8 units the weights are unpacked to 16 bit: less memory, no more speed."""
    name, release = case.quantization, case.engine
    eight_bit = name == "fp8" or (name in ("compressed-tensors", "modelopt") and case.bits == 8)
    if (
        eight_bit
        and case.model.quantization_scheme != "int8"
        and release.min_capability <= case.gpu.capability < release.fp8_arithmetic_capability
    ):
        yield Finding(
            "fit.fp8-weight-only",
            _(
                "{gpu} ({compute_capability}) has no fp8 units: the weights are stored in fp8 and "
                "computed in 16 bit, which saves memory but no time",
                gpu=case.gpu.name,
                compute_capability=case.gpu.compute_capability,
            ),
            _(
                "a GPU with {fp8_arithmetic_capability} (L4, L20, H100, …) if speed matters",
                fp8_arithmetic_capability=_text(release.fp8_arithmetic_capability),
            ),
            severity="warning",
            where="gpu",
        )


@when(lambda case: case.load.fp8_kv_cache and case.gpu.capability < case.engine.fp8_kv_cache_capability)
def kv_cache_needs_capability(case: Case) -> Iterator[Finding]:
    """An fp8 cache needs an attention kernel that reads it."""
    needed = case.engine.fp8_kv_cache_capability
    hint = _("kv_cache_dtype: auto, or a GPU with {needed}", needed=_text(needed))
    if case.model.cache_dtype is not None and case.request.kv_cache_dtype == "auto":
        hint = _(
            "the model's own file asks for it: kv_cache_dtype: {plain} turns it off; or a GPU with {needed}",
            plain=case.plain_cache,
            needed=_text(needed),
        )
    yield Finding(
        "fit.kv-cache-needs-capability",
        _(
            "an fp8 KV cache needs compute capability {needed}, and {gpu} has {compute_capability}",
            needed=_text(needed),
            gpu=case.gpu.name,
            compute_capability=case.gpu.compute_capability,
        ),
        hint,
        where="kv_cache_dtype",
    )


@when(lambda case: case.model.sparse_attention and not _has_sparse_kernels(case))
def sparse_attention_needs_capability(case: Case) -> Iterator[Finding]:
    """Attention that picks tokens by an index has kernels for few GPUs."""
    majors = case.engine.sparse_attention_majors
    yield Finding(
        "fit.sparse-attention-needs-capability",
        _(
            "{model} picks what it attends to by an index (sparse attention), for which vLLM "
            "{version} has kernels for compute capability {majors}, and {gpu} has "
            "{compute_capability}",
            model=case.model.id,
            version=case.engine.version,
            majors=listed(f"{each}.x" for each in majors),
            gpu=case.gpu.name,
            compute_capability=case.gpu.compute_capability,
        ),
        _("an H20, H100 or H200, or a Blackwell GPU"),
        where="gpu",
    )


@when(lambda case: case.gpu.capability < case.engine.wide_head_capability and _widest(case) > case.engine.wide_head)
def wide_heads_need_capability(case: Case) -> Iterator[Finding]:
    """On Turing one attention kernel alone takes very wide heads, and asks for more shared memory than there is."""
    needed = case.engine.wide_head_capability
    yield Finding(
        "fit.wide-heads-need-capability",
        _(
            "{model} has attention heads {widest:.0f} wide, for which vLLM {version}'s kernel "
            "needs more shared memory than {gpu} (compute capability {compute_capability}) has",
            model=case.model.id,
            widest=_widest(case),
            version=case.engine.version,
            gpu=case.gpu.name,
            compute_capability=case.gpu.compute_capability,
        ),
        _("a GPU with {needed} (A10, A100, L4, …)", needed=_text(needed)),
        where="gpu",
    )


def sparse_attention_needs_compiler(case: Case) -> Iterator[Finding]:
    """The index runs in DeepGEMM, which compiles its kernels with nvcc; see docs/decisions/no-cuda-compiler.md."""
    if case.model.sparse_attention and _has_sparse_kernels(case):
        yield Finding(
            "fit.sparse-attention-needs-compiler",
            _(
                "{model} picks what it attends to with DeepGEMM, which compiles kernels with nvcc "
                "12.9 or newer when vLLM starts, and nodes install no CUDA compiler: the memory is "
                "enough, a start is not proven",
                model=case.model.id,
            ),
            _("an image with a CUDA toolkit, and CUDA_HOME set for llm-vllm.service"),
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
        _(
            "driver {given} is too old: vLLM {version} is built with CUDA 13, which needs {min_driver}",
            given=given,
            version=release.version,
            min_driver=release.min_driver,
        ),
        _(
            "driver {min_driver}, which our nodes install by themselves{note}",
            min_driver=release.min_driver,
            note=_("; CUDA's compatibility libraries can bridge it on some data centre GPUs only")
            if compatible
            else "",
        ),
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
    return _("a model whose files are: {names}", names=listed(names[:3])) if names else ""


def _has_sparse_kernels(case: Case) -> bool:
    return case.gpu.capability[0] in case.engine.sparse_attention_majors


def _widest(case: Case) -> float:
    """The widest of the heads. Keys and values of two bytes each: a latent cache has no heads."""
    return max((row.bytes / row.heads / 4 for row in case.model.kept or () if row.heads), default=0)


def _text(capability: Capability) -> str:
    return f"{capability[0]}.{capability[1]}"
