"""The foreign vendors."""

from __future__ import annotations

from collections.abc import Mapping

VENDOR_SECRETS: Mapping[str, str] = {
    "openai": "openaiApiKey",
    "anthropic": "anthropicApiKey",
    "gemini": "geminiApiKey",
    "groq": "groqApiKey",
    "deepseek": "deepseekApiKey",
    "qwen": "qwenApiKey",
    "custom": "customApiKey",
}
"""The foreign vendors that the overseas proxy can serve, and the secret config key that holds each one's API key."""
