"""The catalogue, told and made anew: the bodies of `pulumi-llm catalog`."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pulumi_llm import catalog, clouds
from pulumi_llm._commands import DONE, REFUSED, UsageError
from pulumi_llm._language import told
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal


def show(asked: Namespace) -> int:
    """Print what the catalogue holds, as text or JSON."""
    from pulumi_llm._refresh import show as shown

    today = datetime.now(UTC).date()
    data = catalog.load()
    sys.stdout.write(_dumped(shown.as_json(data, today)) if asked.json else shown.as_text(data, today))
    return DONE


def refresh(asked: Namespace) -> int:
    """Ask the clouds, write what they answer, and print what changed."""
    from pulumi_llm._refresh import report, run, store

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
    outcome = run.refresh(request, datetime.now(UTC).date(), lambda line: _complain(f"{told(line)} …"))
    if asked.json:
        sys.stdout.write(_dumped(report.as_json(outcome)))
    else:
        for finding in outcome.findings:
            _tell(finding)
        sys.stdout.write(report.as_text(outcome))
    return DONE if outcome.complete else REFUSED


def add(asked: Namespace) -> int:
    """Ask a hub about a model, and write its row into the project's own models."""
    from pulumi_llm._commands import _model
    from pulumi_llm.catalog import hub, own

    home = own.project_of(Path.cwd())
    path = asked.out or (home / own.FILE if home else None)
    if path is None:
        raise UsageError(_("there is no Pulumi project here or above; --out FILE names the file"))
    asked.cloud = asked.region = None
    at_path = _model.is_path(asked.model)
    model = catalog.model_from_config(Path(asked.model).expanduser() if at_path else _model.from_hub(asked))
    if at_path and asked.id:
        model = replace(model, id=asked.id)
    if model.unknown_shape is not None or model.parameters_b is None:
        raise Refusal([own.unknown(model)])
    if not at_path and not asked.offline:
        model = hub.held_against(model, _model.hubs(asked), asked.revision)
    replaced = own.add(path, model)
    size = _("{size:.2f} GiB of weights", size=model.weights_gib) if model.weights_gib else _("weights by its shape")
    what = _("{model}: {count:.2f} billion parameters, {size}", model=model.id, count=model.parameters_b, size=size)
    done = (
        _("{what}; replaced in {path}", what=what, path=path)
        if replaced
        else _("{what}; added to {path}", what=what, path=path)
    )
    sys.stdout.write(f"{told(done)}\n")
    listed_model = catalog.load().listed_models.get(model.id)
    if listed_model is not None:
        _tell(own.differs(path, model, listed_model))
    return DONE


def _tell(finding: Finding) -> None:
    _complain(finding.text() if finding.severity == "error" else f"[{finding.code}] {told(finding.message)}")


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _dumped(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
