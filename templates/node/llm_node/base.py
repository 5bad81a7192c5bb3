"""Stage `base`: Python's venv module, and for vLLM a compiler."""

from llm_node import apt
from llm_node.system import node


def main() -> None:
    """Install what is missing."""
    apt.install(*node()["base"])
