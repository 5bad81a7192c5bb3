"""Heads that were trained apart from the model that they guess for (EAGLE): what vLLM 0.32.0 makes of them.

One layer as of a Llama, a matrix that makes one vector of what the model's layers say, and, of EAGLE 3, an output head
for the more common words. Embeddings are the model's own: vLLM lets go of a copy that the head brings
(v1/spec_decode/llm_base_proposer.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.catalog.models import GIB, Cache
from pulumi_llm.preflight import extras

TOLD = {"eagle": 1, "eagle3": 3}
"""How many layers of the model a head reads, by its method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """A published head: widths in numbers, ``words`` of its own output head (0: it has none)."""

    method: str
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    words: int
    source: str

    @property
    def parameters(self) -> int:
        """Of all matrices. Norms, biases and the list of its words are left out: a hundredth of a percent."""
        wide = self.hidden
        third = self.method == "eagle3"
        # EAGLE 3 attends over the word and what the model says side by side, EAGLE makes one of both first.
        query = (self.heads + 2 * self.kv_heads) * self.head_dim * wide * (2 if third else 1)
        layer = query + self.heads * self.head_dim * wide + 3 * wide * self.intermediate
        mixed = wide * wide * (TOLD[self.method] if third else TOLD[self.method] + 1)
        return layer + mixed + self.words * wide

    @property
    def weights_gib(self) -> float:
        """In 16 bit, as the model computes, whatever the model's own weights are stored as."""
        return self.parameters * 2 / GIB

    @property
    def kept(self) -> Cache:
        """Keys and values of its one layer."""
        return Cache(layers=1, bytes=2 * self.kv_heads * self.head_dim * 2, heads=self.kv_heads)


@cache
def rows() -> Mapping[str, Apart]:
    """Those that are known, by their ids."""
    return {name: Apart(**row) for name, row in extras.rows("heads_apart").items()}
