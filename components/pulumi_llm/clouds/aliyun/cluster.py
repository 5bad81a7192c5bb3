"""ACK: a Pro control plane that answers in its network alone, and two pools of nodes with encrypted disks.

ACK installs driver, container runtime and device plugin on GPU nodes by itself. Network policies are enforced by
Terway, which has to be told to when the cluster is made; flannel, the other network, enforces none.
"""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_alicloud as alicloud

from pulumi_llm import catalog
from pulumi_llm._refusal import ending
from pulumi_llm._texts import _, listed
from pulumi_llm.clouds import support
from pulumi_llm.clouds.aliyun.adapter import ADAPTER
from pulumi_llm.clouds.base import NetworkRequest
from pulumi_llm.clouds.clusters import GPU_TAINT, POOL, SERVICES, ClusterHandle
from pulumi_llm.errors import Finding

if TYPE_CHECKING:
    from pulumi_llm.clouds.base import Scope
    from pulumi_llm.clouds.clusters import ClusterRequest, Pool

NETWORK = {"IPVlan": "false", "NetworkPolicy": "true", "ENITrunking": "false"}
DRIVER = "ack.aliyun.com/nvidia-driver-version"
"""The label of a pool by which ACK installs another driver than its own choice."""
NAME_LIMIT = 63
LEFT_BY_PODS = ("SLB", "ALB", "SLS_Data", "SLS_ControlPlane")
"""What pods and the control plane may have had made, and what is deleted with the cluster."""


def make(name: str, request: ClusterRequest, scope: Scope) -> ClusterHandle:
    """Make it."""
    subnets = _network(name, request, scope) if request.vpc_id is None else dict(request.subnets)
    ids = [subnets[each] for each in sorted(subnets)]
    cluster = alicloud.cs.ManagedKubernetes(
        f"{name}-cluster",
        name=support.fitted(f"{pulumi.get_stack()}-{name}", NAME_LIMIT),
        profile="Default",
        cluster_spec="ack.pro.small",
        version=_version(request, scope),
        vswitch_ids=ids,
        pod_vswitch_ids=ids,
        service_cidr=SERVICES,
        new_nat_gateway=request.vpc_id is None,
        # There is no list of who may come from the internet, so nobody does.
        slb_internet_enabled=False,
        proxy_mode="ipvs",
        is_enterprise_security_group=True,
        addons=[
            alicloud.cs.ManagedKubernetesAddonArgs(name="terway-eniip", config=json.dumps(NETWORK, sort_keys=True)),
            alicloud.cs.ManagedKubernetesAddonArgs(name="csi-plugin"),
            alicloud.cs.ManagedKubernetesAddonArgs(name="csi-provisioner"),
        ],
        encryption_provider_key=request.secrets_key,
        disable_encryption=False if request.secrets_key else None,
        skip_set_certificate_authority=True,
        deletion_protection=request.protect,
        delete_options=[
            alicloud.cs.ManagedKubernetesDeleteOptionArgs(resource_type=each, delete_mode="delete")
            for each in LEFT_BY_PODS
        ],
        tags=dict(request.tags),
        opts=scope.options(protect=request.protect),
    )
    pools = [_pool(name, pool, cluster, subnets, request, scope) for pool in (request.system, request.gpus)]
    after: list[pulumi.Resource] = []
    if request.gpus.grows:
        after.append(
            alicloud.cs.AutoscalingConfig(
                f"{name}-autoscaling",
                cluster_id=cluster.id,
                scaler_type="cluster-autoscaler",
                scale_up_from_zero=True,
                # Weights lie on a node's own disk, and are fetched again.
                skip_nodes_with_local_storage=False,
                # A GPU node has no taint here, and would stay for a pod of the cluster's own that landed on it.
                skip_nodes_with_system_pods=False,
                opts=scope.options(depends_on=pools),
            )
        )
    found = alicloud.cs.get_cluster_credential_output(
        cluster_id=support.after(cluster.id, [*pools, *after]), opts=scope.invoke_options()
    )
    return ClusterHandle(
        name=cluster.name,
        server=cluster.connections.apply(_inner),
        kubeconfig=pulumi.Output.secret(found.kube_config),
    )


def _inner(connections: Sequence[Any] | None) -> str:
    return str(connections[0].api_server_intranet or "") if connections else ""


def _network(name: str, request: ClusterRequest, scope: Scope) -> dict[str, pulumi.Input[str]]:
    """A VPC with a vSwitch in each zone. Its NAT gateway, with an address and the rule for all, is made by ACK."""
    first, *others = sorted(request.subnets)
    handle = ADAPTER.network(
        f"{name}-network",
        NetworkRequest(
            cidr=request.cidr,
            subnet_cidr=request.subnets[first],
            zone=first,
            more={each: request.subnets[each] for each in others},
            tags=request.tags,
        ),
        scope,
    )
    return {first: handle.subnet_id, **handle.more}


def _version(request: ClusterRequest, scope: Scope) -> pulumi.Input[str]:
    """All of the version's name: as it is asked for, or the newest of that minor version that ACK lists."""
    if request.whole_version:
        return request.version
    found = alicloud.cs.get_kubernetes_version_output(
        cluster_type="ManagedKubernetes", profile="Default", opts=scope.invoke_options()
    )

    def newest(rows: Sequence[Any]) -> str:
        told = [str(each.version) for each in rows]
        fit = [each for each in told if each.startswith(f"{request.version}.")]
        if not fit:
            message = _("ACK lists no Kubernetes {version} in {region}", version=request.version, region=scope.region)
            hint = _("cluster.version, of these: {names}", names=listed(sorted(told)))
            raise ending([Finding("managed.version-not-sold", message, hint)])
        return max(fit, key=lambda each: [int(number) for number in re.findall(r"\d+", each)])

    return found.metadatas.apply(newest)


def _pool(
    name: str,
    pool: Pool,
    cluster: alicloud.cs.ManagedKubernetes,
    subnets: Mapping[str, pulumi.Input[str]],
    request: ClusterRequest,
    scope: Scope,
) -> alicloud.cs.NodePool:
    labels = {POOL: pool.kind}
    if pool.kind == "gpu" and request.gpu_driver:
        labels[DRIVER] = request.gpu_driver
    return alicloud.cs.NodePool(
        f"{name}-{pool.kind}",
        node_pool_name=pool.kind,
        cluster_id=cluster.id,
        vswitch_ids=[subnets[each] for each in pool.zones],
        instance_types=[pool.instance_type],
        instance_charge_type="PostPaid",
        multi_az_policy="BALANCE",
        image_type="AliyunLinux3",
        runtime_name="containerd",
        system_disk_category=catalog.load().cloud("aliyun").system_disk.type,
        system_disk_size=pool.disk_gib,
        system_disk_encrypted=True,
        instance_metadata_options=alicloud.cs.NodePoolInstanceMetadataOptionsArgs(http_tokens="required"),
        desired_size=None if pool.grows else str(pool.first),
        scaling_config=alicloud.cs.NodePoolScalingConfigArgs(
            enable=True, type="gpu", min_size=pool.least, max_size=pool.most
        )
        if pool.grows
        else None,
        # It mends a node, and changes none by itself: GPUs may be sold out when it is away.
        management=alicloud.cs.NodePoolManagementArgs(enable=True, auto_repair=True, auto_upgrade=False),
        labels=[alicloud.cs.NodePoolLabelArgs(key=key, value=value) for key, value in sorted(labels.items())],
        taints=[alicloud.cs.NodePoolTaintArgs(key=GPU_TAINT, value="present", effect="NoSchedule")]
        if pool.taint
        else None,
        tags=dict(request.tags),
        opts=scope.options(),
    )
