"""TKE: a managed control plane, two pools of nodes whose data disks are encrypted, and one way to its API.

TKE installs driver, container runtime and device plugin on GPU nodes by itself. Network policies are enforced by an
add-on. Images and weights lie on a data disk, as the package (0.2.3) cannot encrypt a system disk.
"""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pulumi
import tencentcloud_iac_pulumi as tencentcloud

from pulumi_llm import catalog
from pulumi_llm.clouds import support
from pulumi_llm.clouds.base import Rule
from pulumi_llm.clouds.clusters import GPU_TAINT, POOL, SERVICES, ClusterHandle
from pulumi_llm.clouds.tencent.adapter import ANYWHERE, NAME_LIMIT, Tencent

if TYPE_CHECKING:
    from pulumi_llm.clouds.base import Scope
    from pulumi_llm.clouds.clusters import ClusterRequest, Pool

POOL_NAME_LIMIT = 25
SYSTEM_IMAGE = "tlinux3.1x86_64"
CONTAINERS = "/var/lib/containerd"
"""Where images and the pods' own disks are, on the disk that is encrypted."""
SYSTEM_DISK = 60
NAT_MBPS = 100
API_PORT = 443
SERVICES_MOST = 4096
"""Services that the range of the cluster's Services has room for."""


def make(name: str, request: ClusterRequest, scope: Scope) -> ClusterHandle:
    """Make it."""
    vpc, subnets, out = _network(name, request, scope)
    ids = [subnets[each] for each in sorted(subnets)]
    cluster = tencentcloud.kubernetes.Cluster(
        f"{name}-cluster",
        cluster_name=support.fitted(f"{pulumi.get_stack()}-{name}", NAME_LIMIT),
        cluster_desc="pulumi-llm",
        cluster_version=request.version,
        cluster_deploy_type="MANAGED_CLUSTER",
        # How many nodes it may have follows the nodes that there are, and so does its price.
        cluster_level="L5",
        auto_upgrade_cluster_level=True,
        cluster_os=SYSTEM_IMAGE,
        container_runtime="containerd",
        vpc_id=vpc,
        network_type="VPC-CNI",
        eni_subnet_ids=ids,
        service_cidr=SERVICES,
        cluster_max_service_num=SERVICES_MOST,
        # Its API is opened below, once there are nodes.
        cluster_internet=False,
        cluster_intranet=False,
        node_pool_global_configs=[_scaling_in()] if request.gpus.grows else None,
        deletion_protection=request.protect,
        resource_delete_options=[
            tencentcloud.kubernetes.ClusterResourceDeleteOptionArgs(resource_type="CBS", delete_mode="terminate")
        ],
        tags=dict(request.tags),
        opts=scope.options(depends_on=out, protect=request.protect, delete_before_replace=False),
    )
    group = Tencent().firewall(f"{name}-nodes", vpc, (), request.tags, scope)
    inside = _among_themselves(name, group, request, scope)
    pools = [
        _pool(name, pool, cluster, vpc, subnets, group, request, scope, inside)
        for pool in (request.system, request.gpus)
    ]
    after: list[pulumi.Resource] = [
        tencentcloud.kubernetes.EncryptionProtection(
            f"{name}-secrets",
            cluster_id=cluster.id,
            kms_configuration=tencentcloud.kubernetes.EncryptionProtectionKmsConfigurationArgs(
                key_id=_key(name, request, scope), kms_region=scope.region
            ),
            opts=scope.options(),
        ),
        tencentcloud.kubernetes.Addon(
            f"{name}-networkpolicy",
            cluster_id=cluster.id,
            addon_name="networkpolicy",
            opts=scope.options(depends_on=pools),
        ),
    ]
    endpoint = _endpoint(name, cluster, vpc, ids[0], request, scope, pools)
    text = endpoint.kube_config if request.api_cidrs else endpoint.kube_config_intranet
    server = endpoint.cluster_external_endpoint if request.api_cidrs else endpoint.pgw_endpoint
    return ClusterHandle(
        name=cluster.cluster_name,
        server=server,
        kubeconfig=pulumi.Output.secret(support.after(text, [*pools, *after])),
    )


def _network(
    name: str, request: ClusterRequest, scope: Scope
) -> tuple[pulumi.Input[str], dict[str, pulumi.Input[str]], list[pulumi.Resource]]:
    """A VPC whose nodes have no address of their own: they go out through one NAT gateway."""
    if request.vpc_id is not None:
        return request.vpc_id, dict(request.subnets), []
    called = support.fitted(f"{name}-network", NAME_LIMIT)
    tags = dict(request.tags)
    kept = scope.options(delete_before_replace=False)
    vpc = tencentcloud.vpc.Instance(
        f"{name}-vpc", name=called, cidr_block=request.cidr, is_multicast=False, tags=tags, opts=kept
    )
    found: dict[str, pulumi.Input[str]] = {}
    for zone in sorted(request.subnets):
        found[zone] = tencentcloud.subnet.Instance(
            f"{name}-subnet-{zone}",
            name=support.fitted(f"{name}-{zone}", NAME_LIMIT),
            vpc_id=vpc.id,
            cidr_block=request.subnets[zone],
            availability_zone=zone,
            is_multicast=False,
            tags=tags,
            opts=scope.options(delete_before_replace=False),
        ).id
    address = tencentcloud.eip.Instance(
        f"{name}-nat",
        name=called,
        type="EIP",
        internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR",
        internet_max_bandwidth_out=NAT_MBPS,
        tags=tags,
        opts=scope.options(),
    )
    gateway = tencentcloud.nat.Gateway(
        f"{name}-nat",
        name=called,
        vpc_id=vpc.id,
        bandwidth=NAT_MBPS,
        assigned_eip_sets=[address.public_ip],
        tags=tags,
        opts=scope.options(delete_before_replace=False),
    )
    out = tencentcloud.route.TableEntry(
        f"{name}-out",
        route_table_id=vpc.default_route_table_id,
        destination_cidr_block=ANYWHERE,
        next_type="NAT",
        next_hub=gateway.id,
        description="Out of the nodes' network",
        opts=scope.options(),
    )
    return vpc.id, found, [out]


def _among_themselves(
    name: str, group: pulumi.Output[str], request: ClusterRequest, scope: Scope
) -> pulumi.Output[str]:
    """A second group of the nodes, in which all that comes from their network is let in."""
    range_ = request.cidr if request.vpc_id is None else None
    inner = tencentcloud.security.Group(
        f"{name}-inner",
        name=support.fitted(f"{name}-inner", NAME_LIMIT),
        description="Nodes of one cluster",
        tags=dict(request.tags),
        opts=scope.options(delete_before_replace=False),
    )
    rules = tencentcloud.security.GroupRuleSet(
        f"{name}-inner-rules",
        security_group_id=inner.id,
        ingresses=[
            tencentcloud.security.GroupRuleSetIngressArgs(
                action="ACCEPT", protocol="ALL", port="ALL", description="Nodes, pods and the control plane", **source
            )
            for source in ([{"cidr_block": range_}] if range_ else [{"source_security_id": inner.id}])
        ],
        egresses=[
            tencentcloud.security.GroupRuleSetEgressArgs(
                action="ACCEPT", protocol="ALL", port="ALL", cidr_block=ANYWHERE, description="Everything out"
            )
        ],
        opts=scope.options(),
    )
    return support.after(inner.id, [rules])


def _scaling_in() -> tencentcloud.kubernetes.ClusterNodePoolGlobalConfigArgs:
    """How TKE takes nodes away again, which it does not by itself. What is not its default is said why."""
    return tencentcloud.kubernetes.ClusterNodePoolGlobalConfigArgs(
        is_scale_in_enabled=True,
        expander="random",
        max_concurrent_scale_in=10,
        scale_in_delay=10,
        scale_in_unneeded_time=10,
        scale_in_utilization_threshold=50,
        # What runs on every node is no reason for one more.
        ignore_daemon_sets_utilization=True,
        # Weights lie on a node's own disk, and are fetched again.
        skip_nodes_with_local_storage=False,
        # A GPU node has no taint here, and would stay for a pod of the cluster's own that landed on it.
        skip_nodes_with_system_pods=False,
    )


def _key(name: str, request: ClusterRequest, scope: Scope) -> pulumi.Input[str]:
    if request.secrets_key is not None:
        return request.secrets_key
    key = tencentcloud.kms.Key(
        f"{name}-secrets",
        alias=support.fitted(f"{pulumi.get_stack()}-{name}-secrets", NAME_LIMIT),
        description="Secrets of a cluster of pulumi-llm",
        key_usage="ENCRYPT_DECRYPT",
        is_enabled=True,
        key_rotation_enabled=True,
        pending_delete_window_in_days=30,
        opts=scope.options(protect=request.protect),
    )
    return key.id


def _pool(
    name: str,
    pool: Pool,
    cluster: tencentcloud.kubernetes.Cluster,
    vpc: pulumi.Input[str],
    subnets: Mapping[str, pulumi.Input[str]],
    group: pulumi.Output[str],
    request: ClusterRequest,
    scope: Scope,
    inner: pulumi.Output[str],
) -> tencentcloud.kubernetes.NodePool:
    disk = catalog.load().cloud("tencent").data_disk
    driver = request.gpu_driver if pool.kind == "gpu" else None
    return tencentcloud.kubernetes.NodePool(
        f"{name}-{pool.kind}",
        name=support.shortened(f"{name}-{pool.kind}", POOL_NAME_LIMIT),
        cluster_id=cluster.id,
        vpc_id=vpc,
        subnet_ids=[subnets[each] for each in pool.zones],
        min_size=pool.least,
        max_size=max(1, pool.most),
        desired_capacity=None if pool.grows else pool.first,
        enable_auto_scale=pool.grows,
        multi_zone_subnet_policy="EQUALITY",
        node_os=SYSTEM_IMAGE,
        delete_keep_instance=False,
        deletion_protection=request.protect,
        auto_scaling_config=tencentcloud.kubernetes.NodePoolAutoScalingConfigArgs(
            instance_type=pool.instance_type,
            instance_charge_type="POSTPAID_BY_HOUR",
            system_disk_type=catalog.load().cloud("tencent").system_disk.type,
            system_disk_size=SYSTEM_DISK,
            data_disks=[
                tencentcloud.kubernetes.NodePoolAutoScalingConfigDataDiskArgs(
                    disk_type=disk.type,
                    disk_size=disk.round_up(pool.disk_gib),
                    encrypt=True,
                    delete_with_instance=True,
                )
            ],
            orderly_security_group_ids=[inner, group],
            public_ip_assigned=False,
            enhanced_security_service=True,
            enhanced_monitor_service=True,
        ),
        node_config=tencentcloud.kubernetes.NodePoolNodeConfigArgs(
            data_disks=[
                tencentcloud.kubernetes.NodePoolNodeConfigDataDiskArgs(
                    disk_type=disk.type,
                    disk_size=disk.round_up(pool.disk_gib),
                    file_system="ext4",
                    auto_format_and_mount=True,
                    mount_target=CONTAINERS,
                )
            ],
            gpu_args=tencentcloud.kubernetes.NodePoolNodeConfigGpuArgsArgs(driver=_driver(driver)) if driver else None,
        ),
        labels={POOL: pool.kind},
        taints=[tencentcloud.kubernetes.NodePoolTaintArgs(key=GPU_TAINT, value="present", effect="NoSchedule")]
        if pool.taint
        else [],
        tags=dict(request.tags),
        opts=scope.options(delete_before_replace=False),
    )


def _driver(version: str) -> dict[str, str]:
    return {"version": version, "name": f"NVIDIA-Linux-x86_64-{version}.run"}


def _endpoint(
    name: str,
    cluster: tencentcloud.kubernetes.Cluster,
    vpc: pulumi.Input[str],
    subnet: Any,
    request: ClusterRequest,
    scope: Scope,
    after: list[Any],
) -> tencentcloud.kubernetes.ClusterEndpoint:
    """The way to its API: from the ranges that are named, or from its network alone."""
    public = bool(request.api_cidrs)
    rules = (Rule(port=API_PORT, cidrs=tuple(request.api_cidrs), description="Who may ask the cluster's API"),)
    group = Tencent().firewall(f"{name}-api", vpc, rules, request.tags, scope) if public else None
    return tencentcloud.kubernetes.ClusterEndpoint(
        f"{name}-api",
        cluster_id=cluster.id,
        cluster_internet=public,
        cluster_internet_security_group=group,
        cluster_intranet=not public,
        cluster_intranet_subnet_id=None if public else subnet,
        opts=scope.options(depends_on=after),
    )
