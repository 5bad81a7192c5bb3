"""Stage `python`: vLLM in an environment of its own."""

from llm_node import wheels
from llm_node.system import node


def main() -> None:
    """Install it: NVIDIA's build, or the one for TPUs."""
    wheels.install("python", "vllm-tpu" if "vllm-tpu" in node()["venvs"] else "vllm")
