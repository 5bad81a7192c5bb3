"""Where Pulumi would have installed AWS's plugin. Not in ``stand_in_aws``, which is for a process of its own: there
grpc's messages take the place of Pulumi's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pulumi_llm._rehearsal import plugins

ROOT = Path(__file__).parents[2]


def installed(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the stand-in where Pulumi would install AWS's plugin below ``home``, and let that be Pulumi's own folder."""
    version = plugins.wanted("aws").version
    program = home / "plugins" / f"resource-aws-v{version}" / "pulumi-resource-aws"
    program.parent.mkdir(parents=True)
    start = f'exec "{sys.executable}" -m tests.rehearsal.stand_in_aws "$@"'
    program.write_text(f'#!/bin/sh\ncd "{ROOT}" && {start}\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PULUMI_HOME", str(home))
    return program
