"""What can be wrong with a vector store that asks a model for vectors: the smallest input of each code."""

from __future__ import annotations

from typing import Any

CHAT: dict[str, Any] = {"small": {"model": "Qwen/Qwen3-0.6B", "kind": "chat", "gpus": 1}}
AT = "vectors.vectorizer.model"

BAD: tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...] = (
    ("vectors.no-vectorizer", "vectors", {}, {"engine": "qdrant"}),
    ("vectors.no-embedder", AT, {}, {"vectorizer": {"model": "nobody"}}),
    ("vectors.no-embedder", AT, {"models": CHAT}, {"vectorizer": {"model": "small"}}),
    ("vectors.no-embedder", AT, {}, {"vectorizer": {"model": "Yi-6B-Chat"}}),
    (
        "vectors.embedder-elsewhere",
        AT,
        {"upstreams": {"qwen": {"models": ["text-embedding-v4"]}}},
        {"vectorizer": {"model": "text-embedding-v4"}},
    ),
    ("vectors.key-taken", "vectors.vectorizer.key", {"keys": {"vectorizer": {}}}, {}),
    (
        "vectors.key-for-more",
        "vectors.vectorizer.key",
        {},
        {"vectorizer": {"model": "embedder", "key": {"source_cidrs": ["203.0.113.0/24"]}}},
    ),
    (
        "vectors.key-without-rate",
        "vectors.vectorizer.key",
        {},
        {"vectorizer": {"model": "embedder", "key": {"requests_per_minute": None}}},
    ),
)
"""A code, its place, keys of ``server``, and of ``vectors``; the model ``embedder`` is there."""
