"""A fleet by `pulumi up`: the real engine and the real plugin for Kubernetes against the real API server.

The engines are KubeRay's. The chart of ``engine: production-stack`` is in no package registry: what is run of such a
fleet is that an `up` without its chart fails, and what stands then goes away or becomes a fleet of KubeRay's.
"""

from __future__ import annotations

import base64
import json
import signal

import pytest

from pulumi_llm._cluster import names
from tests.engine.sim import said
from tests.fleet.api import Object, Refused, until
from tests.fleet.cluster import Cluster
from tests.fleet.conftest import Room
from tests.fleet.engine import STACK, Stack

pytestmark = pytest.mark.fleet

APPS, RAY, POLICIES = "apps/v1", "ray.io/v1", "admissionregistration.k8s.io/v1"
FORBIDDEN = "images come from our registry"


def gateway_of(space: Room, copies: int) -> tuple[str, set[str]]:
    """Wait until a fleet's pods run: the gateway's uid, and those of all."""
    pods = space.running(copies + 2, seconds=120)
    (gateway,) = space.pods(f"{names.APP}={names.GATEWAY}")
    return gateway["metadata"]["uid"], {each["metadata"]["uid"] for each in pods}


def test_a_fleet_comes_up_is_changed_and_goes_away_and_each_preview_is_clean(stack: Stack, space: Room) -> None:
    previewed = stack.preview()
    assert set(previewed.changes.values()) == {"create"}
    stack.up()
    assert stack.resources() >= set(previewed.changes)
    assert stack.preview().changes == {}
    assert stack.output("endpoint") == f"https://{names.GATEWAY}.{space.name}/v1"
    gateway, pods = gateway_of(space, 1)

    stack.args["keys"]["app"]["requests_per_minute"] = 127
    assert set(stack.preview().changes.values()) == {"update"}
    stack.up()
    assert gateway_of(space, 1) == (gateway, pods), "another limit made a pod anew"
    settings = space.api.get("ConfigMap", names.SETTINGS, space.name)
    keys = space.api.get("Secret", names.KEYS, space.name)
    assert settings is not None
    assert keys is not None
    packed = keys["data"]["gateway-keys.json"]
    assert "127" in json.dumps(settings["data"]) + base64.b64decode(packed).decode()

    stack.args["models"]["chat"]["copies"] = 3
    changes = stack.preview().changes
    assert changes == {"fleet": "update", "fleet-llm-gpus-resourcequota": "update", "fleet-engines": "replace"}
    stack.up()
    same, after = gateway_of(space, 3)
    assert same == gateway
    assert after & pods == {gateway}
    assert stack.preview().changes == {}

    stack.destroy()
    assert not stack.resources()
    assert space.api.get("Namespace", space.name) is None
    assert not space.left()


def secrets_of(space: Room) -> dict[str, str]:
    """All that stands in the namespace's Secrets, plain and as Kubernetes writes it, by where it is."""
    found: dict[str, str] = {}
    for each in space.api.all("Secret", space.name):
        for key, packed in each["data"].items():
            name = f"{each['metadata']['name']}/{key}"
            plain = base64.b64decode(packed).decode()
            found |= {f"{name} packed": packed, f"{name} plain": plain, f"{name} as JSON": json.dumps(plain)[1:-1]}
    return found


def test_nothing_secret_is_in_the_state_or_in_what_is_said(stack: Stack, space: Room) -> None:
    heard = said(stack.up())
    stack.args["keys"]["second"] = {}
    heard += stack.run("preview", "-s", STACK, "--diff").stdout
    heard += said(stack.up())
    secrets = {**secrets_of(space), **stack.output("keys"), "the cluster's token": space.api.token}
    # A certificate is shown to whoever asks.
    hidden = {name: text for name, text in secrets.items() if "/tls.crt" not in name}
    assert {"app", "second", f"{names.CERTIFICATE}/tls.key plain"} <= set(hidden)
    written = stack.written()
    assert f"fleet-{names.KEYS}-secret" in written
    assert [name for name, text in hidden.items() if text in written] == []
    assert [name for name, text in hidden.items() if text in heard] == []


def rule(space: Room) -> list[Object]:
    """An administrator's rule that lets no Deployment into the namespace, as real clusters have them."""
    name = f"{space.name}-closed"
    deployments = {
        "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"],
    }  # fmt: skip
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space.name}}}
    return [
        {
            "apiVersion": POLICIES, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
            "spec": {
                "matchConstraints": {"resourceRules": [deployments]},
                "validations": [{"expression": "false", "message": FORBIDDEN}],
            },
        },
        {
            "apiVersion": POLICIES, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": ["Deny"], "matchResources": here},
        },
    ]  # fmt: skip


def refuses(space: Room) -> bool:
    """Whether a Deployment is refused now: the API server takes up a rule some moments after it was stored."""
    labels = {"app": "probe"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "probe", "image": "probe"}]}}
    probe = {
        "apiVersion": APPS, "kind": "Deployment", "metadata": {"name": "probe", "namespace": space.name},
        "spec": {"selector": {"matchLabels": labels}, "template": pod},
    }  # fmt: skip
    try:
        space.api.ask("POST", f"/apis/{APPS}/namespaces/{space.name}/deployments?dryRun=All", probe)
    except Refused as refused:
        return FORBIDDEN in refused.message
    return False


def test_an_up_in_which_an_object_is_refused_is_finished_by_the_next_one(stack: Stack, space: Room) -> None:
    # The rule is there before the namespace: a label tells which one it is for.
    rows = rule(space)
    for each in rows:
        space.api.apply(each)
    try:
        failed = stack.up(check=False)
        assert refuses(space)
    finally:
        for each in reversed(rows):
            space.api.delete(each["kind"], each["metadata"]["name"], version=POLICIES)
    assert failed.returncode != 0
    assert FORBIDDEN in said(failed)
    assert space.api.get("RayService", names.RELEASE, space.name, RAY) is not None
    assert space.api.get("Deployment", names.GATEWAY, space.name, APPS) is None
    until(lambda: not refuses(space), "the rule is no longer kept to")
    stack.up()
    gateway_of(space, 1)
    assert stack.preview().changes == {}


def test_an_up_whose_engine_is_killed_is_finished_by_the_next_one(stack: Stack, space: Room) -> None:
    process = stack.start("up", "-s", STACK, "--yes", "--skip-preview")
    until(lambda: space.api.get("Namespace", space.name) is not None, "the namespace is made", 120)
    until(lambda: space.api.get("RayService", names.RELEASE, space.name, RAY) is not None, "engines are made", 120)
    process.send_signal(signal.SIGKILL)
    assert stack.finished(process).returncode == -signal.SIGKILL
    stack.cancel()
    stack.up()
    gateway_of(space, 1)
    assert stack.preview().changes == {}
    stack.destroy()
    assert not space.left()


def test_a_fleet_whose_cluster_cannot_be_asked_is_not_forgotten(stack: Stack, space: Room, kuberay: Cluster) -> None:
    stack.up()
    known = stack.resources()
    with kuberay.without_api():
        failed = stack.destroy(check=False)
        assert failed.returncode != 0
        assert stack.resources() == known
    stack.destroy()
    assert not stack.resources()
    assert not space.left()
