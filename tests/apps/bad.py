"""What can be wrong with pages beside a model: the smallest input of each code."""

from __future__ import annotations

from typing import Any

CHAT: dict[str, Any] = {"admin_email": "ops@example.com"}
RAG: dict[str, Any] = {"embeddings": "text-embedding-v4", "dimensions": 1024}
UPSTREAMS: dict[str, Any] = {"qwen": {"models": ["text-embedding-v4", "gte-rerank-v2"]}}
"""Of the server in each row that names no others."""

BAD: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    ("apps.nextchat", {"apps": {"chat": {**CHAT, "engine": "nextchat"}}}, {}),
    ("apps.lobehub", {"apps": {"chat": {**CHAT, "engine": "lobehub"}}}, {}),
    ("apps.verba", {"apps": {"chat": CHAT, "rag": {**RAG, "engine": "verba"}}}, {}),
    ("apps.rag-without-chat", {"apps": {"rag": RAG}}, {}),
    ("apps.key-from-elsewhere", {"apps": {"chat": {**CHAT, "key": {"source_cidrs": ["203.0.113.0/24"]}}}}, {}),
    ("apps.key-taken", {"apps": {"chat": CHAT}, "keys": {"chat": {}}}, {}),
    ("apps.rag-store", {"apps": {"chat": CHAT, "rag": RAG}}, {"engine": "qdrant"}),
    ("apps.rag-store", {"apps": {"chat": CHAT, "rag": RAG}}, {"engine": "weaviate", "placement": "own"}),
    ("apps.rag-store", {"apps": {"chat": CHAT, "rag": RAG}}, {"engine": "pgvector", "placement": "own"}),
    (
        "apps.unserved-model",
        {"apps": {"chat": CHAT, "rag": {**RAG, "embeddings": "bge-m3"}}},
        {"engine": "pgvector"},
    ),
    (
        "apps.unserved-model",
        {"apps": {"chat": CHAT, "rag": {**RAG, "reranker": "bge-reranker"}}},
        {"engine": "pgvector"},
    ),
    (
        "apps.cannot-answer",
        {
            "apps": {"chat": CHAT, "rag": {**RAG, "embeddings": "ranks"}},
            "models": {"ranks": {"model": "BAAI/bge-reranker-v2-m3", "device": "cpu"}},
            "override": ["fit.host-memory"],
        },
        {"engine": "pgvector"},
    ),
    (
        "apps.cannot-answer",
        {
            "apps": {"chat": CHAT, "rag": {**RAG, "reranker": "vectors"}},
            "models": {"vectors": {"model": "BAAI/bge-m3", "device": "cpu"}},
            "override": ["fit.host-memory"],
        },
        {"engine": "pgvector"},
    ),
    (
        "apps.cannot-answer",
        {"apps": {"chat": CHAT, "rag": {**RAG, "reranker": "gte-rerank-v2"}}},
        {"engine": "pgvector"},
    ),
    (
        "apps.cannot-answer",
        {"apps": {"chat": CHAT, "rag": {**RAG, "embeddings": "Yi-6B-Chat"}}},
        {"engine": "pgvector"},
    ),
    (
        "apps.cannot-answer",
        {
            "apps": {"chat": CHAT, "rag": {**RAG, "embeddings": "small"}},
            "models": {"small": {"model": "Qwen/Qwen3-0.6B", "kind": "chat", "gpus": 1}},
            "override": ["fit.unknown-model"],
        },
        {"engine": "pgvector"},
    ),
    (
        "apps.rag-dimensions",
        {
            "apps": {"chat": CHAT, "rag": {**RAG, "embeddings": "vectors", "dimensions": 768}},
            "models": {"vectors": {"model": "BAAI/bge-m3", "device": "cpu"}},
            "override": ["fit.host-memory"],
        },
        {"engine": "pgvector"},
    ),
    (
        "apps.rag-dimensions",
        {
            "apps": {"chat": CHAT, "rag": {**RAG, "embeddings": "vectors", "dimensions": 2000}},
            "models": {"vectors": {"model": "Qwen/Qwen3-Embedding-4B", "kind": "embedding", "gpus": 1}},
            "override": ["fit.host-memory", "fit.unknown-model"],
        },
        {"engine": "pgvector"},
    ),
    ("apps.rag-dimensions", {"apps": {"chat": CHAT, "rag": {**RAG, "dimensions": 2048}}}, {"engine": "pgvector"}),
    (
        "apps.key-cannot-ask",
        {"apps": {"chat": {**CHAT, "key": {"models": ["gpt-*"]}}, "rag": RAG}},
        {"engine": "pgvector"},
    ),
    ("spec.bad-email", {"apps": {"chat": {"admin_email": "ops"}}}, {}),
    ("spec.port-needs-filing", {"apps": {"chat": {**CHAT, "port": 8443}}}, {}),
    ("bootstrap.bad-port", {"apps": {"chat": {**CHAT, "port": 18443}}}, {}),
)
"""A code, keys of ``server``, and of ``vectors``."""
