"""The objects as Pulumi's resources: the only module that imports its SDK for Kubernetes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
    Namespace,
    PersistentVolumeClaim,
    ResourceQuota,
    Secret,
    Service,
)
from pulumi_kubernetes.helm.v3 import Release, RepositoryOptsArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.storage.v1 import StorageClass

from pulumi_llm._cluster import made, names, objects, operators, ray, store, store_values, values
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._resolve.fleet import ResolvedFleet
from pulumi_llm.spec.fleet import KUBERAY

CLASSES: Mapping[str, Any] = {
    each.__name__: each
    for each in (ConfigMap, Deployment, NetworkPolicy, PersistentVolumeClaim, ResourceQuota, Service, StorageClass)
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A fleet's secrets, by what they are for, with the fleet. ``hub_token``: None where hubs ask for none."""

    name: str
    fleet: ResolvedFleet
    keys: pulumi.Output[str]
    engine_key: pulumi.Output[str]
    load_key: pulumi.Output[str] | None
    """Of KEDA, where engines follow the load."""
    certificate: pulumi.Output[str]
    private_key: pulumi.Output[str]
    hub_token: pulumi.Output[str] | None
    vectors_keys: Mapping[str, pulumi.Output[str]] | None = None
    """Of the vector store, by the variables that it reads them from; None: there is none."""
    cluster_name: pulumi.Output[str] | None = None
    """Of the cluster that is made, where one is."""


def provider(name: str, kubeconfig: pulumi.Output[str], context: str | None, parent: pulumi.Resource) -> Any:
    """A provider for that cluster and no other: neither the environment nor a file of the user's is asked."""
    return kubernetes.Provider(
        name,
        kubeconfig=kubeconfig,
        context=context,
        # Else another limit would be another object, and the pods that have it mounted would not see it.
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
        opts=pulumi.ResourceOptions(parent=parent),
    )


def make(wanted: Wanted, parent: pulumi.Resource, given: Any) -> pulumi.Resource:
    """Make everything, by the provider that is ``given``; the gateway's Service, which comes last."""
    fleet, spec = wanted.fleet, wanted.fleet.spec
    opts = pulumi.ResourceOptions(parent=parent, provider=given)
    if fleet.cluster is not None:
        base = [_object(wanted, each, opts) for each in made.objects(fleet.cluster)]
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=base))
    space = Namespace(f"{wanted.name}-namespace", metadata=objects.namespace(spec)["metadata"], opts=opts)
    # They come before what they look after, and go after it: else nobody would take their finalizers away. Their rights
    # are in the fleet's namespace, which has to be there.
    inside = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[space]))
    needed = [_operator(wanted, each, inside) for each in operators.releases(spec)]
    below = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[space, *needed]))
    first = [_object(wanted, each, below) for each in objects.inside(fleet)]
    first += list(_secrets(wanted, below))
    first += [_object(wanted, each, below) for each in objects.asked_by_keda(fleet)]
    first += [_object(wanted, each, below) for each in objects.asked_by_the_store(fleet)]
    after = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[space, *first]))
    engines = _engines(wanted, after)
    vectors = [_store(wanted, after)] if spec.vectors is not None else []
    last = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[space, *first, engines, *vectors]))
    *__, service = [_object(wanted, each, last) for each in objects.front(fleet)]
    return service


def _object(wanted: Wanted, row: Mapping[str, Any], opts: pulumi.ResourceOptions) -> pulumi.Resource:
    name = f"{wanted.name}-{row['metadata']['name']}-{row['kind'].lower()}"
    made: pulumi.Resource
    if row["kind"] not in CLASSES:  # of an operator's own
        made = CustomResource(
            name, row["apiVersion"], row["kind"], metadata=row["metadata"], spec=row["spec"], opts=opts
        )
        return made
    content = {_snake(key): value for key, value in row.items() if key not in ("apiVersion", "kind")}
    made = CLASSES[row["kind"]](name, **content, opts=opts)
    return made


def _secrets(wanted: Wanted, opts: pulumi.ResourceOptions) -> Any:
    for name, kind, content in (
        (names.ENGINE_SECRET, "Opaque", {names.ENGINE_KEY: wanted.engine_key}),
        (names.KEYS, "Opaque", {"gateway-keys.json": wanted.keys, "upstream.env": _line(wanted.engine_key)}),
        (names.CERTIFICATE, "kubernetes.io/tls", {"tls.crt": wanted.certificate, "tls.key": wanted.private_key}),
        (names.LOAD, "Opaque", {names.LOAD_KEY: wanted.load_key} if wanted.load_key is not None else None),
        (names.VECTORS, "Opaque", wanted.vectors_keys),
        (names.HUB_SECRET, "Opaque", {names.HUB_KEY: wanted.hub_token} if wanted.hub_token is not None else None),
    ):
        if content is not None:
            row = objects.secret(wanted.fleet, name, kind)
            yield Secret(
                f"{wanted.name}-{name}-secret",
                metadata=row["metadata"],
                type=row["type"],
                string_data={key: _hidden(value) for key, value in content.items()},
                opts=pulumi.ResourceOptions.merge(
                    opts, pulumi.ResourceOptions(additional_secret_outputs=["data", "stringData"])
                ),
            )


def _engines(wanted: Wanted, opts: pulumi.ResourceOptions) -> pulumi.Resource:
    fleet, token = wanted.fleet, wanted.hub_token is not None
    if fleet.spec.engine == KUBERAY:
        row = objects.ray_service(fleet, hub_token=token)
        made: pulumi.Resource = CustomResource(
            f"{wanted.name}-engines",
            ray.API,
            ray.KIND,
            metadata=row["metadata"],
            spec=row["spec"],
            # KubeRay 1.5.0 does not see another number of workers, and makes any other change in a second cluster
            # beside the first, for which there are neither GPUs nor the quota: so the service is made anew.
            opts=pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(replace_on_changes=["spec.rayClusterConfig"], delete_before_replace=True)
            ),
        )
        return made
    release: pulumi.Resource = Release(
        f"{wanted.name}-engines",
        name=names.RELEASE,
        chart=values.CHART,
        version=fleet.spec.chart_version,
        namespace=fleet.spec.namespace,
        repository_opts=RepositoryOptsArgs(repo=values.REPOSITORY),
        values=objects.chart_values(fleet, hub_token=token),
        # A node that is taken away while engines load is not a release that failed.
        timeout=fleet.spec.ready_timeout_minutes * 60,
        opts=opts,
    )
    return release


def _operator(wanted: Wanted, each: operators.Release, opts: pulumi.ResourceOptions) -> pulumi.Resource:
    space = Namespace(f"{wanted.name}-{each.called}-namespace", metadata=each.space, opts=opts)
    told = dict(each.values)
    if each.of_cluster is not None:
        outer, inner = each.of_cluster
        told[outer] = {**told.get(outer, {}), inner: wanted.cluster_name}
    release: pulumi.Resource = Release(
        f"{wanted.name}-{each.called}",
        name=each.called,
        chart=each.chart,
        version=each.version,
        namespace=each.namespace,
        repository_opts=RepositoryOptsArgs(repo=each.repository),
        values=told,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[space])),
    )
    return release


def _store(wanted: Wanted, opts: pulumi.ResourceOptions) -> pulumi.Resource:
    fleet = wanted.fleet.spec
    release: pulumi.Resource = Release(
        f"{wanted.name}-vectors",
        name=names.VECTORS,
        chart=store_values.CHART,
        version=store.wanted(fleet).chart_version,
        namespace=fleet.namespace,
        repository_opts=RepositoryOptsArgs(repo=store_values.REPOSITORY),
        values=store.values(fleet),
        timeout=fleet.ready_timeout_minutes * 60,
        opts=opts,
    )
    return release


def _hidden(value: Any) -> pulumi.Output[str]:
    return pulumi.Output.secret(value)


def _line(key: pulumi.Output[str]) -> pulumi.Output[str]:
    return key.apply(lambda text: f"UPSTREAM_ENGINES={text}\n")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
