"""What keeps vLLM's CPU build from making a class of models, and has no part in what the class keeps, put aside.

Nothing is computed here: a class is made to be asked what each of its layers keeps. Put aside are the processors and
tokenizers of files that are not there, packages that only pictures or sounds need, kernels and streams of cards, the
choice of a kernel for experts and of a back end for sparse attention, and a part that sees or hears where its own
settings are not in the file. The layers that write text, and their specifications, are vLLM's own.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import inspect
import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

OF_PICTURES = [
    *("timm", "timm.layers", "timm.layers.pos_embed", "timm.layers.norm", "timm.models", "timm.models.layers"),
    *("timm.models.regnet", "timm.models.vision_transformer", "timm.data", "torchaudio", "torchaudio.functional"),
    *("torchaudio.transforms", "torchaudio.compliance", "torchaudio.compliance.kaldi"),
]
SPARSE = "vllm.v1.attention.backends.mla.flashmla_sparse.FlashMLASparseBackend"
OF_FILES = (
    *("get_image_processor", "cached_get_image_processor", "cached_processor_from_config", "get_processor"),
    *("cached_get_processor", "cached_image_processor_from_config", "cached_feature_extractor_from_config"),
    "get_feature_extractor",
)


def stand_in(name: str) -> ModuleType:
    """A module that has everything, and does nothing."""
    module = MagicMock(__path__=[], __name__=name, __version__="9.0")
    module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
    return module


class OfCards:
    """Finds a stand-in for each package that only a card's kernels are written in."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        """One for CUTLASS and CUDA's own packages."""
        if name.partition(".")[0] in ("cutlass", "cuda"):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """The stand-in."""
        module = stand_in(spec.name)
        module.__spec__ = spec
        return module

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to do."""


def nothing(*_: Any, **__: Any) -> Any:
    """In the place of what would read a file, or ask a card."""
    return MagicMock()


def before() -> None:
    """To be called before any class is loaded: each takes these names as it is."""
    for name in OF_PICTURES:
        sys.modules.setdefault(name, stand_in(name))
    import transformers
    import triton
    from vllm import tokenizers
    from vllm.multimodal.processing import context
    from vllm.tokenizers import registry
    from vllm.transformers_utils import processor
    from vllm.triton_utils import allocation
    from vllm.triton_utils import triton as placeholder

    placeholder.next_power_of_2 = triton.next_power_of_2 = lambda number: 1 << (number - 1).bit_length()
    allocation.set_triton_allocator = nothing
    tokenizers.cached_tokenizer_from_config = registry.cached_tokenizer_from_config = nothing
    for name in OF_FILES:
        setattr(processor, name, nothing)
    for name in ("get_hf_processor", "init_processor", "get_tokenizer"):
        setattr(context.InputProcessingContext, name, nothing)
    for each in ("AutoImageProcessor", "AutoFeatureExtractor", "AutoProcessor", "AutoTokenizer"):
        getattr(transformers, each).from_pretrained = nothing
    _towers()
    _attention()


def _towers() -> None:
    """Leave out a part that sees or hears where it cannot be made."""
    from vllm.model_executor.models.interfaces import SupportsMultiModal

    real = SupportsMultiModal._mark_tower_model

    @contextlib.contextmanager
    def tower(self: Any, *given: Any, **named: Any) -> Iterator[None]:
        with real(self, *given, **named):
            if named.get("targets"):  # the text part is made in there as well
                yield
                return
            try:
                yield
            except Exception as error:
                print(f"left out: {error!r}"[:200], file=sys.stderr)

    SupportsMultiModal._mark_tower_model = tower


def _attention() -> None:
    """Take a back end for sparse attention, and leave out what the CPU's own does not know."""
    import torch
    from vllm.platforms.cpu import CpuPlatform
    from vllm.v1.attention.backends.cpu_attn import CPUAttentionBackend, CPUAttentionBackendImpl
    from vllm.v1.worker.workspace import init_workspace_manager

    own, make = CpuPlatform.get_attn_backend_cls.__func__, CPUAttentionBackendImpl.__init__
    known = set(inspect.signature(make).parameters)

    def backend(cls: Any, selected_backend: Any, attn_selector_config: Any, num_heads: int | None = None) -> str:
        if attn_selector_config.use_sparse:
            return SPARSE
        return str(own(cls, selected_backend, attn_selector_config, num_heads))

    def made(self: Any, *given: Any, **named: Any) -> None:
        make(self, *given, **{name: value for name, value in named.items() if name in known})

    CpuPlatform.get_attn_backend_cls = classmethod(backend)
    CPUAttentionBackendImpl.__init__ = made
    CPUAttentionBackend.supports_alibi_sqrt = classmethod(lambda cls: True)
    init_workspace_manager(torch.device("meta"))


def inside() -> None:
    """To be called in the process that makes one class: these would harm what is loaded later."""
    import torch
    from vllm.config import VllmConfig
    from vllm.model_executor.layers.fused_moe import unquantized_fused_moe_method
    from vllm.model_executor.layers.fused_moe.oracle import unquantized

    os.environ["VLLM_LOGGING_LEVEL"] = "ERROR"
    sys.meta_path.insert(0, OfCards())  # type: ignore[arg-type]
    torch.cuda.Stream = torch.cuda.Event = MagicMock
    torch.cuda.current_stream = nothing
    VllmConfig._validate_v2_model_runner = nothing  # LongCat's, with n-grams, asks for that runner; it is not run
    VllmConfig.use_v2_model_runner = property(lambda self: "Ngram" in self.model_config.architectures[0])
    empty = torch.empty

    def unpinned(*given: Any, pin_memory: bool = False, **named: Any) -> Any:
        return empty(*given, **(named | {"device": "meta"} if pin_memory else named))

    torch.empty = unpinned
    for module in list(sys.modules.values()):
        if "is_flash_attn_varlen_func_available" in vars(module):
            module.is_flash_attn_varlen_func_available = lambda: True  # type: ignore[attr-defined]
        if "get_accelerator_view_from_cpu_tensor" in vars(module):
            module.get_accelerator_view_from_cpu_tensor = lambda tensor: tensor  # type: ignore[attr-defined]
    choose = unquantized.select_unquantized_moe_backend

    def chosen(*given: Any, **named: Any) -> Any:
        try:
            return choose(*given, **named)
        except NotImplementedError:
            return unquantized.UnquantizedMoeBackend.TRITON, None

    unquantized.select_unquantized_moe_backend = chosen
    unquantized_fused_moe_method.select_unquantized_moe_backend = chosen
