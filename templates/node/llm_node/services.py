"""Stage `services`: Caddy and Docker."""

from llm_node import apt
from llm_node.system import node, run


def main() -> None:
    """Install what is missing. The package's own Caddy, which would serve a page on port 80, never starts."""
    run("systemctl", "mask", "caddy.service", "caddy-api.service")
    apt.install(*node()["services"])
