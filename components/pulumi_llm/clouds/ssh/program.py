"""The program that a machine is sent: the modules of `remote/` as one text, as there is no package to import there."""

from __future__ import annotations

from importlib import resources

PARTS = ("machine", "look", "fence", "host")
"""In an order in which each needs only those before it."""
FUTURE = "from __future__ import annotations"
OWN = "from pulumi_llm."


def program() -> str:
    """Its source."""
    folder = resources.files(__package__).joinpath("remote")
    lines = [line for name in PARTS for line in folder.joinpath(f"{name}.py").read_text("utf-8").splitlines()]
    return "\n".join([FUTURE, *(line for line in lines if line != FUTURE and not line.startswith(OWN))]) + "\n"
