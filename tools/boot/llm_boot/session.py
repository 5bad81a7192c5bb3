"""``pulumi-llm sim --boot``: a world before the engine runs, and none once nothing is left in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from llm_boot import variant
from llm_boot.cloud import FOLDER, MACHINES
from llm_boot.support import require
from llm_boot.world import World, describe
from pulumi_llm._simcloud.arguments import Request
from pulumi_llm._simcloud.engine import tell
from pulumi_llm._simcloud.store import open_store
from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.roles.files import VARIABLE

OWNER = "PULUMI_LLM_BOOT_OWNER"
"""Environment variable: the process with whose end the machines go too; without it they stay until destroyed."""


def call(home: Path, request: Request, environment: dict[str, str], run: Callable[[], int]) -> int:
    """Run the engine with booted machines; its exit code. ``environment`` is the engine's.

    Raises:
        Refusal: ``boot.…``: machines cannot be booted here, or this home has instances that never were.
    """
    parts = require()
    world = _opened(home)
    environment[VARIABLE] = str(variant.make(home / "templates", parts))
    code = run()
    if not request.runs_the_program:
        return code
    if request.command in ("destroy", "dn", "down") and not world.machines():
        world.destroy()
    elif world.machines():
        tell(_("sim: booted machines:\n{describe}", describe=describe(world)))
    return code


def _opened(home: Path) -> World:
    world = World.find(home / FOLDER)
    if world is not None and world.is_alive:
        return world
    if world is not None:
        world.destroy()
        tell(_("sim: the machines of this simulation did not outlive a restart: destroy the stack, and make it anew"))
    elif never := [each.id for each in open_store(home).list(*sorted(MACHINES))]:
        text = _("instances of this simulation were made without --boot: {never}", never=listed(never))
        raise Refusal([Finding("boot.not-booted", text, _("destroy the stack first, or name another --home DIR"))])
    owner = os.environ.get(OWNER, "")
    try:
        return World.make(home / FOLDER, owner=int(owner) if owner.isdigit() else None)
    except OSError as error:
        hint = _("see docs/boot-tests.md; it leaves nothing behind")
        raise Refusal(
            [Finding("boot.failed", _("no booted machines could be set up: {problem}", problem=error), hint)]
        ) from error
