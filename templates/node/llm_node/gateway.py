"""Stage `gateway`: the gateway's libraries in an environment of their own."""

from llm_node import wheels


def main() -> None:
    """Install them."""
    wheels.install("gateway", "gate")
