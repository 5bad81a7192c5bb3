"""The files for a monitoring of one's own, written: the body of `pulumi-llm monitoring`."""

from __future__ import annotations

import contextlib
import sys
from argparse import Namespace
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pulumi_llm import _files
from pulumi_llm import _outputs as outputs
from pulumi_llm import _system as system
from pulumi_llm._addresses import host_of
from pulumi_llm._commands import DONE
from pulumi_llm._language import tr
from pulumi_llm._monitoring import files
from pulumi_llm._outlook import stack as outlook
from pulumi_llm._plan.capture import capture_stack
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

NODES = {"server": "", "proxy": "proxy_"}
"""The nodes with a gateway, and how their outputs begin."""


def run(asked: Namespace) -> int:
    """Write the files. Gives the exit code."""
    written = {files.RULES: files.alerts(), files.BOARD: files.board()}
    if asked.stack:
        written |= _of_stack(asked)
    for name, text in written.items():
        try:
            asked.out.mkdir(parents=True, exist_ok=True)
            _files.write_text(asked.out / name, text)
        except OSError as wrong:
            message = _("{path} cannot be written: {problem}", path=asked.out / name, problem=system.why(wrong))
            raise Refusal([Finding("monitoring.unwritable", message)]) from None
        sys.stdout.write(f"{asked.out / name}\n")
    if files.SCRAPE in written:
        sys.stdout.write(
            tr(
                "a key for it, which can do nothing else:\n"
                "  pulumi-llm keys add monitoring -s {stack} --endpoint /metrics --source-cidr ADDRESS/32 > {file}\n",
                stack=asked.stack,
                file=asked.out / files.KEY_FILE,
            )
        )
    return DONE


def _of_stack(asked: Namespace) -> dict[str, str]:
    with contextlib.redirect_stdout(sys.stderr):  # what the program itself prints is no file
        plan = capture_stack(asked.project, asked.stack)
    ends = files.ends(asked.stack, outlook.models(plan, datetime.now(UTC).date()))
    told = outputs.read(asked.project, asked.stack, simulated=asked.sim)
    nodes = list(_nodes(told))
    if not nodes:
        message = _("the outputs of the stack {stack!r} name no endpoint with keys", stack=asked.stack)
        hint = _("`pulumi up` prints how far a node is until it ends; then the outputs are there")
        raise Refusal([Finding("status.no-outputs", message, hint)])
    authorities = {each.authority_file: str(told[f"{NODES[each.name]}certificate_authority"]) for each in nodes}
    return {files.ENDS: ends, files.SCRAPE: files.scrape(asked.stack, nodes), **authorities}


def _nodes(told: dict[str, Any]) -> Iterator[files.Scraped]:
    for name, prefix in NODES.items():
        endpoint, authority = told.get(f"{prefix}endpoint"), told.get(f"{prefix}certificate_authority")
        address = host_of(endpoint) if isinstance(endpoint, str) else None
        if address and authority:
            yield files.Scraped(name, address if ":" in address else f"{address}:443", f"llm-{name}-ca.pem")
