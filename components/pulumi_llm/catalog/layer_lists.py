"""Which layers a quantization block stores how: its lists of layers, held against the pieces of a model's shape.

A list names modules as the checkpoint does, and each class calls its own by names of its own. A piece is looked for
under all of these. How the entries are meant: vllm 0.32.0, model_executor/layers/quantization: modelopt.py,
compressed_tensors/utils.py, auto_awq.py, utils/gptq_utils.py (read 2026-11-28).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from fnmatch import fnmatchcase

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.catalog.shapes.shape import Piece

PLAIN = 2.0
"""Bytes of a parameter that is not quantized."""

MOST_ENTRIES, LONGEST_ENTRY, MOST_WILDCARDS, MOST_PATTERNS = 500_000, 300, 3, 4_000
"""Several times those of any published file; what a pattern may cost is bounded by them."""

MODULES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "attention": (
        ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        ("self_attn.q_a_proj", "self_attn.q_b_proj", "self_attn.kv_b_proj"),
        ("self_attn.q_proj", "self_attn.kv_b_proj"),
        ("mixer.q_proj", "mixer.k_proj", "mixer.v_proj"),
        ("attn.wq_a", "attn.wq_b"),
        ("attention.wq", "attention.wk", "attention.wv"),
        ("self_attn.qkv_proj",),
    ),
    "attention_out": (("self_attn.o_proj",), ("mixer.o_proj",), ("attn.wo_a", "attn.wo_b"), ("attention.wo",)),
    "state": (
        ("linear_attn.in_proj_qkv", "linear_attn.in_proj_z", "linear_attn.out_proj"),
        ("linear_attn.in_proj_qkvz", "linear_attn.out_proj"),
        ("mixer.in_proj", "mixer.out_proj"),
        ("mamba.in_proj", "mamba.out_proj"),
        ("conv.in_proj", "conv.out_proj"),
    ),
    "kda": (tuple(f"self_attn.{each}_proj" for each in "qkvo"),),
    "dense": (
        ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"),
        ("mixer.up_proj", "mixer.down_proj"),
        ("feed_forward.gate_proj", "feed_forward.up_proj", "feed_forward.down_proj"),
        ("feed_forward.w1", "feed_forward.w2", "feed_forward.w3"),
        ("mlp.gate_up_proj", "mlp.down_proj"),
    ),
    "experts": (
        ("mlp.experts.0.gate_proj", "mlp.experts.0.up_proj", "mlp.experts.0.down_proj"),
        ("block_sparse_moe.experts.0.w1", "block_sparse_moe.experts.0.w2", "block_sparse_moe.experts.0.w3"),
        ("ffn.experts.0.w1", "ffn.experts.0.w2", "ffn.experts.0.w3"),
        ("mixer.experts.0.up_proj", "mixer.experts.0.down_proj"),
        ("feed_forward.experts.gate_up_proj", "feed_forward.experts.down_proj"),
        ("mlp.experts.gate_up_proj", "mlp.experts.down_proj"),
        ("moe.gate_proj", "moe.up_proj", "moe.down_proj"),
    ),
    "experts_beside": (
        ("experts.gate_up_proj", "experts.down_proj"),
        ("experts.0.gate_proj", "experts.0.up_proj", "experts.0.down_proj"),
        ("moe.experts.0.gate_proj", "moe.experts.0.up_proj", "moe.experts.0.down_proj"),
    ),
    "shared": (
        ("mlp.shared_experts.gate_proj", "mlp.shared_experts.up_proj", "mlp.shared_experts.down_proj"),
        ("mlp.shared_expert.gate_proj", "mlp.shared_expert.up_proj", "mlp.shared_expert.down_proj"),
        tuple(f"block_sparse_moe.shared_experts.{each}_proj" for each in ("gate", "up", "down")),
        ("ffn.shared_experts.w1", "ffn.shared_experts.w2", "ffn.shared_experts.w3"),
        ("mixer.shared_experts.up_proj", "mixer.shared_experts.down_proj"),
        tuple(f"feed_forward.shared_expert.{each}_proj" for each in ("gate", "up", "down")),
        ("shared_mlp.gate_proj", "shared_mlp.up_proj", "shared_mlp.down_proj"),
        ("share_expert.gate_proj", "share_expert.up_proj", "share_expert.down_proj"),
    ),
    "head": (("lm_head",), ("head",)),
}
"""What each kind of piece is called below its layer; each tuple is one way of naming, of weights of like size."""

NOT_CALLED: Mapping[str, re.Pattern[str]] = {
    "phi3": re.compile(r"self_attn\.[qkv]_proj|mlp\.(gate|up)_proj"),
    "mixtral": re.compile(r"mlp\."),
}
"""Names above by which a class calls nothing: it holds two or three matrices in one, or has its experts elsewhere.

vllm 0.32.0, model_executor/models: an entry that says so names nothing there (seen with tools/stored_weights.py mixed).
"""

OF_NO_WEIGHT = re.compile(
    r"gate\b|gate$|router|norm|embed|vis|vit|audio|sound|mtp|conv|project|indexer|index_|eh_proj|bias|patch|merg"
    r"|in_proj_(a|b|ba)\b|A_log|dt_|lm_head|^head|_head$|nextn|latent|routed_expert_|x_proj|wk\b|compressor|kv_a_proj|wkv"
    r"|res_proj|g_proj|f_[ab]_proj|b_proj|mlp1"
)
"""Entries that may match no piece here: they name what is small, or what is not of the text part."""

TEXT = re.compile(r"\*?(?:model\.|language_model\.|backbone\.|transformer\.|text_model\.|decoder\.)*")
"""What stands before ``layers`` in the names of the text part."""

PREFIXES = ("", "model.", "model.language_model.", "language_model.model.", "backbone.")
"""What stands before ``layers`` in the names of real checkpoints, which only regular expressions have to match."""


class UnclearListError(Exception):
    """An entry that is not understood: ``entry``."""

    def __init__(self, entry: str) -> None:
        super().__init__(entry)
        self.entry = entry


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerLists:
    """``size`` is what a parameter takes that no list names (bytes, scales included).

    ``sizes`` names modules that are stored otherwise, ``plain`` those that are left in 16 bit. ``only``: the kinds of
    pieces that a method knows how to store so at all (none: all of them).
    """

    size: float
    sizes: tuple[tuple[str, float], ...] = ()
    plain: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    @property
    def matters(self) -> bool:
        """Whether some entry names more than the head, routers, norms and parts that read pictures."""
        return bool(self.sizes) or any(not OF_NO_WEIGHT.search(_tail(entry)) for entry in self.plain)

    def bytes_of(self, pieces: Iterable[Piece], kind: str = "") -> float:
        """Bytes of all pieces of a class. Raises UnclearListError for an entry of weight that names no piece."""
        found = list(pieces)
        plain, sizes = _Entries(dict.fromkeys(self.plain, PLAIN)), _Entries(dict(self.sizes))
        total = sum(piece.parameters * self._of(piece, plain, sizes, NOT_CALLED.get(kind)) for piece in found)
        for entries in (plain, sizes):
            for entry in entries.unmet():
                raise UnclearListError(entry)
        return total

    def _of(self, piece: Piece, plain: _Entries, sizes: _Entries, not_called: re.Pattern[str] | None) -> float:
        """Bytes of one of its parameters."""
        if piece.kind == "words" or (self.only and piece.kind not in self.only):
            return PLAIN
        best, named = self.size, 0.0
        head = piece.kind == "head"
        for way in MODULES[piece.kind]:
            if not_called is not None and any(map(not_called.match, way)):
                continue
            each = [
                plain.size(name, piece.at) or sizes.size(name, piece.at)
                for name in (way if head else (f"layers.{piece.at}.{module}" for module in way))
            ]
            share = sum(size is not None for size in each) / len(each)
            if share > named:
                best, named = sum(self.size if size is None else size for size in each) / len(each), share
        return PLAIN if head and not named else best  # heads are quantized only where they are named


@dataclass(slots=True)
class _Entries:
    """The entries of one list with what each says, sorted by how they are looked up."""

    given: Mapping[str, float]
    exact: dict[str, tuple[str, float]] = field(default_factory=dict)
    by_layer: dict[int | None, list[tuple[str, str, float]]] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        patterns = 0
        for entry, size in self.given.items():
            if len(entry) > LONGEST_ENTRY:
                raise UnclearListError(entry)
            if entry.startswith("re:"):
                self.by_layer.setdefault(None, []).append((entry, _regex(entry), size))
                patterns += 1
                continue
            name = _below(entry)
            if "*" not in name and (name.startswith("layers.") or "." not in name):
                self.exact[re.sub(r"\.experts\.\d+\b", ".experts.0", name)] = (entry, size)
                continue
            numbered = re.match(r"layers\.(\d+)\b", name)
            self.by_layer.setdefault(int(numbered[1]) if numbered else None, []).append((entry, name, size))
            patterns += 1
        if patterns > MOST_PATTERNS or len(self.given) > MOST_ENTRIES:
            raise UnclearListError(f"{len(self.given)} entries")

    def size(self, name: str, at: int | None) -> float | None:
        """What the entries say of a module, by its name from ``layers`` on."""
        parts = name.split(".")
        for end in range(len(parts), 0, -1):  # the module, or a part that it is in
            hit = self.exact.get(".".join(parts[:end]))
            if hit is not None and (end > 1 or parts[0] != "layers"):
                self.met.add(hit[0])
                return hit[1]
        for part in parts:  # a bare name such as self_attn
            hit = self.exact.get(part)
            if hit is not None and not part.isdigit() and part != "layers":
                self.met.add(hit[0])
                return hit[1]
        patterns: list[tuple[str, str, float]] = list(self.by_layer.get(at, []))
        if at is not None:
            patterns += self.by_layer.get(None, [])
        for entry, pattern, size in patterns:
            if _matches(entry, pattern, name):
                self.met.add(entry)
                return size
        return None

    def unmet(self) -> Iterator[str]:
        """Entries of weight that named nothing which is there."""
        known = {
            module.split(".", 1)[-1] if "." in module else module
            for ways in MODULES.values()
            for way in ways
            for module in way
        }
        for entry in self.given:
            tail = _tail(entry)
            if entry in self.met or OF_NO_WEIGHT.search(tail) or tail.rsplit(".", 1)[-1] in known:
                continue
            if re.fullmatch(r"layers\.\d+\W*", _below(entry)):  # a whole layer, such as one of heads that guess ahead
                continue
            if any(_within(entry, module) for ways in MODULES.values() for way in ways for module in way):
                continue
            yield entry


def _within(entry: str, module: str) -> bool:
    """Whether an entry names a module of a known name, in a layer that has none of it."""
    tail = _tail(entry).strip(".*")
    return bool(tail) and f".{module}.".find(f".{tail}.") >= 0


def _below(entry: str) -> str:
    """An entry's name from ``layers`` on, where these are the text part's: not ``mtp.layers.0``."""
    before, found, after = entry.partition("layers.")
    return found + after if found and TEXT.fullmatch(before) else entry


def _tail(entry: str) -> str:
    """An entry's name below its layer of the text part, else the whole of it."""
    name = _below(entry.removeprefix("re:"))
    return re.sub(r"^layers\.(\d+|\*)\.?", "", name)


def _regex(entry: str) -> str:
    """A regular expression that is cheap whatever it is held against, or UnclearListError."""
    text = entry.removeprefix("re:")
    costly = len(re.findall(r"(?<!\\)[*+{?]", text)) > MOST_WILDCARDS or re.search(r"\)[*+{?]", text)
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError):
        costly = True
    if costly:
        raise UnclearListError(entry)
    return text


def _matches(entry: str, pattern: str, name: str) -> bool:
    if entry.startswith("re:"):
        return any(re.match(pattern, prefix + name) for prefix in PREFIXES)
    if "*" not in pattern:
        return f".{pattern}." in f".{name}."
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")
