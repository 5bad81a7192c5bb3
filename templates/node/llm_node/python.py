"""Stage `python`: vLLM in an environment of its own."""

from llm_node import wheels
from llm_node.system import node


def main() -> None:
    """Install it: NVIDIA's build, the same with Ray, or the one for TPUs."""
    (name,) = (each for each in node()["venvs"] if each.partition("-")[0] == "vllm")
    wheels.install("python", name)
