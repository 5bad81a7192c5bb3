"""A model on the CPU: its unit, and the program that serves it with the libraries of vLLM's environment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pulumi_llm.roles import files
from pulumi_llm.roles.base import UNITS, Row, file_row
from pulumi_llm.roles.vllm_flags import model_path, quoted

if TYPE_CHECKING:
    from pulumi_llm.roles.base import Role
    from pulumi_llm.roles.requests import VllmRole

PROGRAM = "/opt/llm/vllm/encoder"
FILES = ("__main__.py", "model.py", "server.py")


def rows(role: Role, folder: str, models: Sequence[tuple[VllmRole, str]]) -> Iterator[Row]:
    """The program's files and a unit for each of ``models``, given with its name; ``folder``: of vLLM's programs."""
    if not models:
        return
    units = [unit for __, unit in models]
    for name in FILES:
        yield file_row(f"{PROGRAM}/{name}", role.text(f"encoder/{name}"), *units)
    for model, unit in models:
        values = {
            "model": model.model_id.replace("%", "%%"),
            "name": model.served_name,
            "command": command_line(model, folder),
            "memory_gib": model.host_gib,
        }
        yield file_row(f"{UNITS}/{unit}", files.filled(role.text("llm-encoder.service.j2"), values), unit)


def command_line(model: VllmRole, folder: str) -> str:
    """ExecStart= of its unit."""
    arguments = [model_path(model), "--served-model-name", model.served_name, "--port", str(model.port)]
    arguments += ["--dtype", str(model.dtype)]
    if model.max_model_len is not None:
        arguments += ["--max-model-len", str(model.max_model_len)]
    if model.trust_remote_code:
        arguments.append("--trust-remote-code")
    return " ".join([f"{folder}/python -I {PROGRAM}", *map(quoted, arguments)])
