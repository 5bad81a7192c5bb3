"""A real API server takes the texts that a fleet's checks take, and no others."""

from __future__ import annotations

import pytest

from tests.fleet import objects
from tests.fleet.api import Object, Refused
from tests.fleet.cluster import Cluster
from tests.fleet.texts import ANNOTATION_KEYS, KEYS, LABEL_VALUES, OBJECT_NAMES

pytestmark = pytest.mark.fleet


def is_taken(cluster: Cluster, folder: str, wanted: Object) -> bool:
    """Whether it would be made."""
    try:
        cluster.api.ask("POST", f"{folder}?dryRun=All", wanted)
    except Refused as refused:
        if refused.status not in (400, 422):
            raise
        return False
    return True


def test_the_api_server_takes_the_same_texts(empty_cluster: Cluster) -> None:
    found: dict[str, dict[str, bool]] = {"labels": {}, "values": {}, "annotations": {}, "taints": {}, "classes": {}}
    for text in KEYS:  # those of annotations are the same texts
        node = objects.node("probe")
        for part in ("labels", "annotations"):
            more = {**node, "metadata": {**node["metadata"], part: {text: "a"}}}
            found[part][text] = is_taken(empty_cluster, "/api/v1/nodes", more)
        tainted = {**node, "spec": {"taints": [{"key": text, "effect": "NoSchedule"}]}}
        found["taints"][text] = is_taken(empty_cluster, "/api/v1/nodes", tainted)
    for text in LABEL_VALUES:
        node = objects.node("probe", pool=text)
        found["values"][text] = is_taken(empty_cluster, "/api/v1/nodes", node)
    for text in OBJECT_NAMES:
        name = {**objects.storage_class(), "metadata": {"name": text}}
        found["classes"][text] = is_taken(empty_cluster, "/apis/storage.k8s.io/v1/storageclasses", name)
    assert found == {
        "labels": KEYS, "annotations": ANNOTATION_KEYS, "taints": KEYS, "values": LABEL_VALUES, "classes": OBJECT_NAMES,
    }  # fmt: skip
