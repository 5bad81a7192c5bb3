"""The programs that a machine is sent: the modules of a folder as one text, as there is no package to import there."""

from __future__ import annotations

from importlib import resources

PARTS = ("machine", "container", "look", "fence", "host")
INSIDE = ("unit", "process", "service", "keeper", "control")
"""Each in an order in which it needs only those before it."""
FUTURE = "from __future__ import annotations"
OWN = "from pulumi_llm."


def program() -> str:
    """What a machine is taken and left by."""
    return _text("remote", PARTS)


def supervisor() -> str:
    """What runs the services where systemd does not."""
    return _text("inside", INSIDE)


def _text(name: str, parts: tuple[str, ...]) -> str:
    folder = resources.files(__package__).joinpath(name)
    lines = [line for part in parts for line in folder.joinpath(f"{part}.py").read_text("utf-8").splitlines()]
    return "\n".join([FUTURE, *(line for line in lines if line != FUTURE and not line.startswith(OWN))]) + "\n"
