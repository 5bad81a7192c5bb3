"""The catalogue, told and made anew: the bodies of `pulumi-llm catalog`."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from datetime import UTC, datetime
from typing import Any

from pulumi_llm import catalog, clouds
from pulumi_llm.commands import DONE, REFUSED
from pulumi_llm.errors import Finding
from pulumi_llm.language import told


def show(asked: Namespace) -> int:
    """Print what the catalogue holds, as text or JSON."""
    from pulumi_llm.refresh import show as shown

    today = datetime.now(UTC).date()
    data = catalog.load()
    sys.stdout.write(_dumped(shown.as_json(data, today)) if asked.json else shown.as_text(data, today))
    return DONE


def refresh(asked: Namespace) -> int:
    """Ask the clouds, write what they answer, and print what changed."""
    from pulumi_llm.refresh import report, run, store

    request = run.Request(
        cloud=asked.cloud,
        regions=tuple(dict.fromkeys(asked.region)),
        gpu=asked.gpu,
        options={
            name: value
            for name, each in clouds.folders().items()
            if each.refresh_option and (value := getattr(asked, f"{name}_{each.refresh_option.name}".replace("-", "_")))
        },
        accept_jumps=asked.accept_jumps,
        directory=(asked.out.expanduser() if asked.out else store.default_directory()).absolute(),
    )
    outcome = run.refresh(request, datetime.now(UTC).date(), lambda line: _complain(f"{line} …"))
    if asked.json:
        sys.stdout.write(_dumped(report.as_json(outcome)))
    else:
        for finding in outcome.findings:
            _tell(finding)
        sys.stdout.write(report.as_text(outcome))
    return DONE if outcome.complete else REFUSED


def _tell(finding: Finding) -> None:
    _complain(finding.text() if finding.severity == "error" else f"[{finding.code}] {told(finding.message)}")


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _dumped(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
