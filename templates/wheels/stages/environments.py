"""Stage `environments`: services that come as wheels, each in an environment of its own."""

from llm_node import wheels
from llm_node.system import node


def main() -> None:
    """Install them."""
    for name in node()["environments"]:
        wheels.install("environments", name)
