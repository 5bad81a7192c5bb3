"""Stage `gateway`: LiteLLM in an environment of its own."""

from llm_node import wheels


def main() -> None:
    """Install it."""
    wheels.install("gateway", "litellm")
