"""Models that take turns on one card: what their vLLMs are started with, and what the gateway is told of them.

vLLM's sleep mode does it. Its routes are those of its development mode, which stays off: our middleware answers them
(templates/vllm/turns/llm_turns.py), to the gateway alone, by a key that the node makes for itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_llm.roles.base import Row, file_row, secret_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_llm.roles.requests import VllmRole

FOLDER = "/opt/llm/vllm/turns"
HOME = "/var/lib/llm-vllm"
KEY = "turns_key"
"""The secret that opens the routes."""
KEY_FILE = f"{HOME}/turns.key"
GATES = "turns-gate.key"
"""The gateway's copy of it: its name in the folder of secrets."""
URL = "http://127.0.0.1:4001/turns"
"""Where the gateway says how it stands, to this machine alone."""


def upstream(role: VllmRole) -> str:
    """What the gateway calls a model's server."""
    return f"vllm/{role.name}" if role.name else "vllm"


def lock(name: str) -> str:
    """The file that a model's process holds locked, by what the gateway calls its server."""
    return f"{HOME}/{name.replace('/', '-')}.card"


def prefix(role: VllmRole) -> str:
    """What comes before vLLM's own command: the program that asks the gateway for the card."""
    if not role.turns:
        return ""
    return f"/usr/bin/python3 -I {FOLDER}/take {upstream(role)} {lock(upstream(role))} \\\n    "


def arguments(role: VllmRole) -> list[str]:
    """The flags of vLLM 0.32.0: its sleep mode, and our middleware."""
    return ["--enable-sleep-mode", "--middleware", "llm_turns.Turns"] if role.turns else []


def environment(role: VllmRole) -> str | None:
    """The unit's variables; None: it takes no turns."""
    return f"PYTHONPATH={FOLDER} LLM_TURNS_KEY={KEY_FILE} LLM_TURNS_LEVEL={role.turns}" if role.turns else None


def before(role: VllmRole, all_models: tuple[VllmRole, ...]) -> list[VllmRole]:
    """The models on its card that load before it.

    Who takes turns asks the gateway for the card, and comes after those that are always awake, but for the main one.
    """
    if role.cards:
        return []
    on_cards = [each for each in all_models if not each.cards and not each.host_gib]
    if role.turns:
        return [each for each in on_cards if not each.turns]
    earlier = on_cards[: on_cards.index(role)]
    return [each for each in earlier if not each.turns or not each.name]


def files(models: tuple[VllmRole, ...], units: list[str], text: Callable[[str], str]) -> list[Row]:
    """The program and the middleware, where models take turns."""
    if not any(each.turns for each in models):
        return []
    return [
        file_row(f"{FOLDER}/take", text("turns/take"), *units),
        file_row(f"{FOLDER}/llm_turns.py", text("turns/llm_turns.py"), *units),
    ]


def secrets(models: tuple[VllmRole, ...], units: list[str]) -> list[Row]:
    """vLLM's copy of the key. Not among the other secrets, which its units cannot see."""
    if not any(each.turns for each in models):
        return []
    return [{**secret_row(GATES, "llm-vllm", "raw", {KEY: ""}, *units), "path": KEY_FILE}]


def document(names: list[str], awake_seconds: int, wait_seconds: int) -> dict[str, Any]:
    """What the gateway's routing table says of them: their servers, each with its lock."""
    return {
        "members": {name: lock(name) for name in names},
        "awake_seconds": awake_seconds,
        "wait_seconds": wait_seconds,
    }
