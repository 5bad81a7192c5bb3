"""What the production-stack chart makes of a model's ``keda`` values, which no test can fetch, and a judge of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.fleet.api import Object
from tests.fleet.cluster import PROGRAMS

CHECK, CRDS = PROGRAMS / "crd-check", PROGRAMS / "keda"


def scaled_object(keda: Object, model: str, namespace: str) -> Object:
    """The ScaledObject, as helm/templates/scaledobject-vllm.yaml of vllm-stack-0.1.12 writes it: key by key."""
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {
            "name": f"llm-{model}-scaledobject",
            "namespace": namespace,
            "labels": {"model": model, "helm-release-name": "llm"},
        },
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"llm-{model}-deployment-vllm"},
            **{key: value for key, value in keda.items() if key != "enabled"},
        },
    }


def said_of(wanted: Object, folder: Path) -> str:
    """What the API server's own library says of an object of KEDA's: `taken`, or what is wrong with it."""
    file = folder / "object.json"
    file.write_text(json.dumps(wanted))
    crd = CRDS / f"keda.sh_{wanted['kind'].lower()}s.yaml"
    done = subprocess.run([CHECK, crd, file], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.strip()
