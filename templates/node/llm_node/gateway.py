"""Stage `gateway`: the gateway's libraries in an environment of their own, with clouds' SDKs if needed."""

from llm_node import wheels
from llm_node.system import node


def main() -> None:
    """Install them."""
    wheels.install("gateway", next(name for name in node()["venvs"] if name.startswith("gate")))
