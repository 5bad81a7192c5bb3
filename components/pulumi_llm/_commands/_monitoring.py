"""The files for a monitoring of one's own, written: the body of `pulumi-llm monitoring`."""

from __future__ import annotations

import contextlib
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pulumi_llm import _files
from pulumi_llm import _outputs as outputs
from pulumi_llm import _system as system
from pulumi_llm._addresses import host_of
from pulumi_llm._commands import DONE
from pulumi_llm._language import current, tr
from pulumi_llm._monitoring import files
from pulumi_llm._outlook import stack as outlook
from pulumi_llm._plan.capture import capture_stack
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

NODES = {"server": "", "proxy": "proxy_"}
"""The nodes with a gateway, and how their outputs begin."""


def run(asked: Namespace) -> int:
    """Write the files. Gives the exit code."""
    written = {files.RULES: files.alerts(), files.BOARD: files.board(current())}
    nodes: list[files.Scraped] = []
    if asked.stack:
        told = outputs.read(asked.project, asked.stack, simulated=asked.sim)
        nodes = _nodes(told, asked.stack)
        written |= _of_stack(asked, told, nodes)
    for name, text in written.items():
        try:
            asked.out.mkdir(parents=True, exist_ok=True)
            _files.write_text(asked.out / name, text)
        except OSError as wrong:
            message = _("{path} cannot be written: {problem}", path=asked.out / name, problem=system.why(wrong))
            raise Refusal([Finding("monitoring.unwritable", message)]) from None
        sys.stdout.write(f"{asked.out / name}\n")
    if nodes:
        sys.stdout.write(tr("keys for it, which can do nothing else:\n"))
    for each in nodes:
        sys.stdout.write(
            f"  pulumi-llm keys add monitoring -s {asked.stack} --at {each.name} --endpoint /metrics"
            f" --source-cidr ADDRESS/32 > {asked.out / each.key_file}\n"
        )
    return DONE


def _of_stack(asked: Namespace, told: Mapping[str, Any], nodes: Sequence[files.Scraped]) -> dict[str, str]:
    with contextlib.redirect_stdout(sys.stderr):  # what the program itself prints is no file
        plan = capture_stack(asked.project, asked.stack)
    ends = files.ends(asked.stack, outlook.models(plan, datetime.now(UTC).date()))
    authorities = {each.authority_file: str(told[f"{NODES[each.name]}certificate_authority"]) for each in nodes}
    return {files.ENDS: ends, files.SCRAPE: files.scrape(asked.stack, nodes), **authorities}


def _nodes(told: Mapping[str, Any], stack: str) -> list[files.Scraped]:
    """The nodes that the outputs name. Raises Refusal ``status.no-outputs`` where they name none."""
    found = []
    for name, prefix in NODES.items():
        endpoint, authority = told.get(f"{prefix}endpoint"), told.get(f"{prefix}certificate_authority")
        address = host_of(endpoint) if isinstance(endpoint, str) else None
        if address and authority:
            found.append(files.Scraped(name, address if ":" in address else f"{address}:443"))
    if not found:
        message = _("the outputs of the stack {stack!r} name no endpoint with keys", stack=stack)
        hint = _("`pulumi up` prints how far a node is until it ends; then the outputs are there")
        raise Refusal([Finding("status.no-outputs", message, hint)])
    return found
