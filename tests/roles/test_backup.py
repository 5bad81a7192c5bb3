"""What a node with backups is given, and what one without them is not."""

from __future__ import annotations

from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm import spec
from pulumi_llm._bootstrap import BackupRole, BucketRole, ServiceRole, settings
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import registry
from tests.bootstrap.samples import engine_node, gpu_node, vector_node
from tests.ssh import samples as own
from tests.test_components import SERVER, plan_of
from tests.test_spec import changed

ENGINES = sorted(registry.answering("vectors"))
BUCKET = {"to": "oss://kept/vectors", "every": "6h"}
KEYS = {"backup_access_key_id": "AKID-PLANTED", "backup_access_key_secret": "SECRET-PLANTED"}


def node(engine: str, **asked: Any) -> dict[str, Any]:
    return settings(vector_node(roles=(ServiceRole(role=engine, memory_gib=8), BackupRole(engine=engine, **asked))))


@pytest.mark.parametrize("engine", ENGINES)
def test_every_vector_store_says_how_it_is_backed_up(engine: str) -> None:
    role = registry.role(engine)
    assert role.manifest.backup is not None
    assert (role.manifest.backup.means == "own") == (role.has("backup.py") and "def dump" in role.text("backup.py"))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_node_without_backups_has_nothing_of_them(engine: str) -> None:
    made = settings(engine_node(engine))
    assert not any("backup" in each for each in (*made["code"], *made["hints"], *made["services"]))
    assert not any("backup" in each["path"] for each in (*made["files"], *made["secret_files"]))
    assert not any("backup" in each for each in (*made["secrets"]["required"], *made["secrets"]["optional"]))


def test_a_node_that_backs_its_store_up_may_keep_its_weights_in_a_bucket_too() -> None:
    target = {"url": "https://b.example.com", "region": "r", "prefix": "p", "shown": "oss://b/p"}
    both = gpu_node().having(BackupRole(engine="weaviate"), BucketRole(target=target))
    assert {"llm_node/backup.py", "llm_node/bucket.py", "llm_node/backup_send.py"} <= set(settings(both)["code"])


@pytest.mark.parametrize("engine", ENGINES)
def test_without_a_timer_the_node_has_no_key_to_any_bucket(engine: str) -> None:
    made = node(engine)
    assert not any("access" in each for each in (*made["secrets"]["required"], *made["secrets"]["optional"]))
    assert not any(each["path"].endswith(".timer") for each in made["files"])
    with_timer = node(engine, target={"url": "https://b", "region": "r", "prefix": "p", "keep": 3}, hours=6)
    assert "backup_access_key_secret" in with_timer["secrets"]["required"]
    (timer,) = (each for each in with_timer["files"] if each["path"].endswith(".timer"))
    assert "OnUnitInactiveSec=6h" in timer["content"]
    (unit,) = (each["content"] for each in with_timer["files"] if each["path"].endswith("llm-backups.service"))
    assert "start --no-block llm-backup.timer" in unit


def test_a_restore_is_taken_back_before_the_store_starts() -> None:
    made = node("qdrant")
    (unit,) = (each["content"] for each in made["files"] if each["path"].endswith("llm-backups.service"))
    assert "Before=llm-qdrant.service" in unit
    assert made["services"].index("llm-backups.service") < made["services"].index("llm-qdrant.service")


def test_weaviate_loads_its_module_only_where_it_is_backed_up() -> None:
    def compose(made: dict[str, Any]) -> str:
        return str(next(each["content"] for each in made["files"] if each["path"].endswith("weaviate/compose.yaml")))

    assert "backup-filesystem" in compose(node("weaviate"))
    assert "backup" not in compose(settings(engine_node("weaviate")))


def test_the_private_key_is_an_output_and_on_no_node() -> None:
    plan = plan_of(llm.ModelServer, {**SERVER, "vectors": True, "vectors_backup": {}})
    (key,) = (each for each in plan.resources if each.name.endswith("-backup-key"))
    assert key.inputs["algorithm"] == "ED25519"
    assert "vectors_backup_key" in plan.outputs
    assert "vectors_backup_key" not in plan_of(llm.ModelServer, {**SERVER, "vectors": True}).outputs


def test_a_timer_without_a_key_is_refused_before_anything_is_made() -> None:
    args = {**SERVER, "vectors": True, "vectors_backup": BUCKET}
    for given in ({}, dict([next(iter(KEYS.items()))])):
        with pytest.raises(Exception, match="backup_access_key_secret"):
            plan_of(llm.ModelServer, {**args, **given})
    assert plan_of(llm.ModelServer, {**args, **KEYS}).outputs


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"to": "gs://bucket"}, "vectors.backup-place"),
        ({"to": "oss://"}, "vectors.backup-place"),
        ({"every": "6h"}, "vectors.backup-place"),
        ({"every": "6h", "to": "/srv/backups"}, "vectors.backup-place"),
        ({"every": "often", "to": "s3://bucket"}, "vectors.backup-every"),
        ({"every": "0h", "to": "s3://bucket"}, "vectors.backup-every"),
        ({"endpoint": "here", "to": "s3://bucket"}, "vectors.backup-place"),
    ],
)
def test_what_is_no_place_and_no_time_is_refused(given: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        spec.parse(spec.BackupSpec, given)
    assert code in [each.code for each in refused.value.findings]


@pytest.mark.parametrize(
    ("more", "told"),
    [({}, False), ({"region": "us-east-1"}, True), ({"endpoint": "https://s3.example.com"}, True)],
)
def test_a_bucket_of_another_cloud_than_the_stores_needs_its_own_region(more: dict[str, Any], told: bool) -> None:
    for made in (changed("vectors.backup", {"to": "s3://kept", **more}), own.platform()):
        made["vectors"] = {"memory_gib": 4, "backup": {"to": "s3://kept", **more}}
        if told:
            assert spec.parse(spec.PlatformSpec, made).vectors is not None
            continue
        with pytest.raises(Refusal) as refused:
            spec.parse(spec.PlatformSpec, made)
        (found,) = refused.value.findings
        assert (found.code, "vectors.backup.region" in str(found.hint)) == ("vectors.backup-place", True)
    assert spec.parse(spec.PlatformSpec, changed("vectors.backup", {"to": "oss://kept"})).vectors is not None


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"to": "oss://kept/p"}, "https://kept.s3.oss-cn-hangzhou.aliyuncs.com"),
        ({"to": "cos://b-125/p", "region": "ap-guangzhou"}, "https://b-125.cos.ap-guangzhou.myqcloud.com"),
        ({"to": "s3://kept", "region": "eu-west-1"}, "https://kept.s3.eu-west-1.amazonaws.com"),
        ({"to": "s3://kept/p", "endpoint": "http://127.0.0.1:9/"}, "http://127.0.0.1:9/kept"),
        ({"to": "/srv/backups"}, None),
    ],
)
def test_a_bucket_is_called_as_its_cloud_has_it(given: dict[str, Any], url: str | None) -> None:
    assert spec.parse(spec.BackupSpec, given).url("cn-hangzhou") == url
