"""`llm-node begin`: install what needs no secrets, where nothing is in force yet; nobody waits for it.

A machine that is told its secrets only when others are ready has much of it behind it by then.
"""

from __future__ import annotations

from llm_node import apply, status
from llm_node.system import at


def main() -> None:
    """Put the staged settings' early files in place, and start the stages."""
    settings = status.read(at(apply.STAGED))
    if settings and not at(apply.GOOD).exists():
        at("/run/llm").mkdir(parents=True, exist_ok=True)
        with apply.lock():
            apply.begin(settings)
