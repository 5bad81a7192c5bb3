"""What one request keeps on a GPU: keys and values for its tokens, and the state of layers that keep one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.catalog.models import GIB, Cache, Model
from pulumi_llm.catalog.state_types import kept_in
from pulumi_llm.preflight.engine import engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Bytes for each token on one GPU, all layers of a kind together, and the window after which they forget."""

    bytes: float
    window: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What requests of a model keep on one GPU.

    ``state_bytes`` is kept once a request. ``block_tokens`` is the number of tokens that memory is handed out for: in a
    hybrid vLLM makes an attention layer's block as large as a layer's state (v1/core/kv_cache_utils.py, 0.32.0).
    """

    kept: tuple[Kept, ...]
    state_bytes: float
    block_tokens: int

    @property
    def per_token(self) -> float:
        """Bytes for each token, windows disregarded."""
        return sum(each.bytes for each in self.kept)

    def request_gib(self, tokens: int, batched: int | None) -> float:
        """GiB of one request of so many tokens, in whole blocks.

        ``batched`` is how many tokens are computed at a time: a layer with a window holds the window and these (None:
        releases that ignore windows). A window may begin inside a block, hence one block more.
        """
        block = self.block_tokens
        total = self.state_bytes
        for each in self.kept:
            if each.window is None or batched is None:
                total += each.bytes * -(-tokens // block) * block
            else:
                held = min(tokens, each.window - 1 + batched)
                total += each.bytes * (-(-held // block) * block + block)
        return total / GIB

    def longest(self, room_gib: float, batched: int | None, limit: int | None) -> int:
        """The longest context of which one request fits in so many GiB, at most what the model was made for."""
        low, high = 0, limit if limit is not None else 2**24
        if self.request_gib(high, batched) <= room_gib:
            return high
        if self.request_gib(1, batched) > room_gib:
            return 0
        while low < high:
            middle = (low + high + 1) // 2
            if self.request_gib(middle, batched) <= room_gib:
                low = middle
            else:
                high = middle - 1
        return low


CONVOLVED, RECURRENT = "--mamba-cache-dtype", "--mamba-ssm-cache-dtype"
"""Flags for what states are kept in; the first one is for those that the second one says nothing of."""

BITS: Mapping[str, int] = {"float32": 32, "float16": 16, "bfloat16": 16}


def with_states(model: Model, flags: Mapping[str, str]) -> Model:
    """The row with its states as these flags have them kept (vllm 0.32.0, MambaStateDtypeCalculator).

    A row that does not tell how much of its state is recurrent has none that is.
    """
    all_in, told = BITS.get(flags.get(CONVOLVED, "")), BITS.get(flags.get(RECURRENT, ""))
    if not model.state_layers or (all_in is None and told is None):
        return model
    convolved = (model.state_bytes - model.recurrent * model.recurrent_bits // 8) // 2
    if told is None or model.architecture in kept_in()["without_flag"]:
        told = model.recurrent_bits if model.recurrent_bits == 32 else all_in or 16
    return replace(
        model,
        state_bytes=convolved * (all_in or 16) // 8 + model.recurrent * told // 8,
        recurrent_bits=told,
    )


def footprint(model: Model, gpu_count: int, *, fp8: bool = False, more: tuple[Cache, ...] = ()) -> Footprint | None:
    """What requests of a model keep on each of so many GPUs; None where the numbers for it are not known.

    ``more`` is what layers beside the model keep, such as those that guess ahead.

    A latent cache is whole on every GPU; heads are divided, and repeated where there are fewer of them than GPUs.
    """
    rows = model.kept
    if rows is None:
        return None
    kept: dict[int | None, float] = {}
    for row in (*rows, *more):
        size = row.bytes if row.heads == 0 else row.bytes / row.heads * max(1, row.heads // gpu_count)
        if fp8 and not row.fixed:
            size //= 2
        kept[row.window] = kept.get(row.window, 0.0) + row.layers * size
    state = model.state_bytes / gpu_count
    return Footprint(
        kept=tuple(Kept(bytes=size, window=window) for window, size in kept.items()),
        state_bytes=state,
        block_tokens=_block(model, kept.values(), state, sum(row.layers for row in more)),
    )


def _block(model: Model, sizes: Iterable[float], state: float, more: int) -> int:
    plain = engine().block_tokens
    layers = model.attention_layers or 0
    if not model.state_layers or not layers:
        return plain
    one = sum(sizes) / (layers + more)
    return max(plain, int(-(-(state / model.state_layers / one) // plain)) * plain) if one else plain


def state_blocks(
    model: Model, kv_gib: float, gpu_count: int, *, fp8: bool = False, found: Footprint | None = None
) -> int | None:
    """How many blocks a cache of so many GiB on each GPU has, of which a hybrid gives each request one for its state.

    None for models that keep no state. A block holds one page for each layer of a group; a page is as large as a
    layer's state, and a group as large as the rarer kind of layer, or as the other one where that has less than half as
    many again (vllm 0.32.0, v1/core/kv_cache_utils.py, read 2026-11-28). ``found``: what requests of the whole model
    keep, where somebody has asked it.
    """
    found = found or footprint(model, gpu_count, fp8=fp8)
    if found is None or not model.state_layers:
        return None
    attending = sum(row.layers for row in model.kept or () if not row.fixed)
    few, many = sorted((attending or model.state_layers, model.state_layers))
    group = many if many < 1.5 * few else few
    page = found.state_bytes / model.state_layers
    if attending:
        page = max(page, found.per_token / attending * found.block_tokens)
    return int(max(kv_gib, 0.0) * GIB / (page * group))
