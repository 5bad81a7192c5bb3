"""EKS: a control plane, two groups of nodes on Bottlerocket, and the add-ons without which nothing runs.

The images of the NVIDIA variant bring driver, container runtime and device plugin, so nothing privileged of ours runs
on a node. Network policies are enforced by the VPC CNI, which has to be told to.
"""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws

from pulumi_llm import catalog
from pulumi_llm.clouds import support
from pulumi_llm.clouds.aws.adapter import ADAPTER, ANYWHERE
from pulumi_llm.clouds.base import NetworkRequest
from pulumi_llm.clouds.clusters import GPU_TAINT, POOL, SERVICES, ClusterHandle, kubeconfig

if TYPE_CHECKING:
    from pulumi_llm.clouds.base import Scope
    from pulumi_llm.clouds.clusters import ClusterRequest, Pool

IMAGES = {"system": "BOTTLEROCKET_x86_64", "gpu": "BOTTLEROCKET_x86_64_NVIDIA"}
ROOT_GIB = 4
"""The first disk of a Bottlerocket node, which holds the system alone; images and weights are on the second."""
OF_THE_CLUSTER = ("AmazonEKSClusterPolicy",)
OF_NODES = ("AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryPullOnly")
BEFORE_NODES: Mapping[str, Mapping[str, Any]] = {
    "vpc-cni": {"enableNetworkPolicy": "true"}, "kube-proxy": {}, "eks-pod-identity-agent": {},
}  # fmt: skip
"""Add-ons without which a node does not get ready, with what they are told."""

HAS_CARDS = "k8s.amazonaws.com/accelerator"
"""A node with this label counts as not ready until its cards are told: else the autoscaler adds more meanwhile
(cloudprovider/aws/README.md of cluster-autoscaler-1.36.1)."""

SEES = (
    *("autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances"),
    *("autoscaling:DescribeLaunchConfigurations", "autoscaling:DescribeScalingActivities", "ec2:DescribeImages"),
    *("ec2:DescribeInstanceTypes", "ec2:DescribeLaunchTemplateVersions"),
    *("ec2:GetInstanceTypesFromInstanceRequirements", "eks:DescribeNodegroup"),
)
SCALES = ("autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup")
"""What the cluster-autoscaler asks AWS for: cloudprovider/aws/README.md of cluster-autoscaler-1.36.1."""

PUBLIC_BALANCERS, INNER_BALANCERS = "kubernetes.io/role/elb", "kubernetes.io/role/internal-elb"
"""Tags of the subnets that load balancers of Services may stand in: the internet's, and those that are not.

EKS's own controller reads routes and prefers what has the tag; the AWS Load Balancer Controller before 2.12.1 takes no
subnet without it (docs/deploy/subnet_discovery.md of aws-load-balancer-controller@225f4456, 2026-08-17)."""


def make(name: str, request: ClusterRequest, scope: Scope) -> ClusterHandle:
    """Make it. `up` itself, and ``request.admins``, may do everything in it."""
    partition = catalog.load().region("aws", scope.region).partition
    subnets = _network(name, request, scope) if request.vpc_id is None else dict(request.subnets)
    role, attached = _role(f"{name}-control", "eks.amazonaws.com", OF_THE_CLUSTER, partition, request, scope)
    cluster = aws.eks.Cluster(
        f"{name}-cluster",
        version=request.version,
        role_arn=role.arn,
        # They are add-ons below, by name, so that they are changed and deleted with the cluster.
        bootstrap_self_managed_addons=False,
        access_config=aws.eks.ClusterAccessConfigArgs(
            authentication_mode="API", bootstrap_cluster_creator_admin_permissions=True
        ),
        vpc_config=aws.eks.ClusterVpcConfigArgs(
            subnet_ids=[subnets[each] for each in sorted(subnets)],
            endpoint_private_access=True,
            endpoint_public_access=bool(request.api_cidrs),
            public_access_cidrs=list(request.api_cidrs) or None,
        ),
        kubernetes_network_config=aws.eks.ClusterKubernetesNetworkConfigArgs(service_ipv4_cidr=SERVICES),
        encryption_config=aws.eks.ClusterEncryptionConfigArgs(
            provider=aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=_key(name, request, scope)),
            resources=["secrets"],
        ),
        # Six times the price for a version that is old is nothing that should begin by itself.
        upgrade_policy=aws.eks.ClusterUpgradePolicyArgs(support_type="STANDARD"),
        deletion_protection=request.protect,
        tags=dict(request.tags),
        opts=scope.options(depends_on=attached, protect=request.protect),
    )
    ready = [_addon(name, each, told, cluster, request, scope) for each, told in BEFORE_NODES.items()]
    node_role, allowed = _role(f"{name}-node", "ec2.amazonaws.com", OF_NODES, partition, request, scope)
    pools = [
        _pool(name, pool, cluster, node_role, subnets, request, scope, [*ready, *allowed])
        for pool in (request.system, request.gpus)
    ]
    disks, may = _role(f"{name}-disks", "pods.eks.amazonaws.com", ("service-role/AmazonEBSCSIDriverPolicy",), partition,
                       request, scope)  # fmt: skip
    after = [
        *_admins(name, cluster, partition, request, scope),
        *_scaler(name, cluster, partition, request, scope),
        _addon(name, "coredns", {}, cluster, request, scope, pools),
        aws.eks.Addon(
            f"{name}-aws-ebs-csi-driver",
            cluster_name=cluster.name,
            addon_name="aws-ebs-csi-driver",
            pod_identity_associations=[
                aws.eks.AddonPodIdentityAssociationArgs(role_arn=disks.arn, service_account="ebs-csi-controller-sa")
            ],
            tags=dict(request.tags),
            opts=scope.options(depends_on=[*pools, *may]),
        ),
    ]

    def written(parts: list[Any]) -> str:
        return kubeconfig(parts[0], parts[1], parts[2], {"exec": _login(parts[0], scope.region)})

    text = pulumi.Output.all(cluster.name, cluster.endpoint, cluster.certificate_authority.data).apply(written)
    return ClusterHandle(
        name=cluster.name,
        server=cluster.endpoint,
        kubeconfig=pulumi.Output.secret(support.after(text, [*pools, *after])),
    )


def _login(cluster: str, region: str) -> dict[str, Any]:
    """How a client gets a token: of whoever runs it, by the AWS CLI, and for a quarter of an hour."""
    return {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "aws",
        "args": ["eks", "get-token", "--cluster-name", cluster, "--region", region],
        "interactiveMode": "Never",
    }


def _network(name: str, request: ClusterRequest, scope: Scope) -> dict[str, pulumi.Input[str]]:
    """A VPC whose nodes have no address of their own: they go out through one NAT gateway.

    A load balancer sends nothing to a zone that it has no subnet in, so there is a public one wherever the gateway's
    pod may stand.
    """
    zones = sorted(request.subnets)
    outer = dict.fromkeys((zones[0], *sorted(request.system.zones)))
    ranges = dict(zip(outer, map(str, ipaddress.IPv4Network(request.cidr).subnets(new_prefix=24)), strict=False))
    network = ADAPTER.network(
        f"{name}-network",
        NetworkRequest(
            cidr=request.cidr,
            subnet_cidr=ranges.pop(zones[0]),
            zone=zones[0],
            more=ranges,
            tags=request.tags,
            subnet_tags={PUBLIC_BALANCERS: "1"},
        ),
        scope,
    )
    address = aws.ec2.Eip(f"{name}-nat", domain="vpc", tags=dict(request.tags), opts=scope.options())
    gateway = aws.ec2.NatGateway(
        f"{name}-nat", allocation_id=address.allocation_id, subnet_id=network.subnet_id, tags=dict(request.tags),
        opts=scope.options(),
    )  # fmt: skip
    table = aws.ec2.RouteTable(
        f"{name}-inner", vpc_id=network.vpc_id, tags={**request.tags, "Name": f"{name}-inner"}, opts=scope.options()
    )
    out = aws.ec2.Route(
        f"{name}-inner-out", route_table_id=table.id, destination_cidr_block=ANYWHERE, nat_gateway_id=gateway.id,
        opts=scope.options(),
    )  # fmt: skip
    found: dict[str, pulumi.Input[str]] = {}
    for zone in zones:
        subnet = aws.ec2.Subnet(
            f"{name}-inner-{zone}",
            vpc_id=network.vpc_id,
            cidr_block=request.subnets[zone],
            availability_zone=zone,
            map_public_ip_on_launch=False,
            tags={**request.tags, "Name": f"{name}-inner", INNER_BALANCERS: "1"},
            opts=scope.options(),
        )
        route = aws.ec2.RouteTableAssociation(
            f"{name}-inner-{zone}", route_table_id=table.id, subnet_id=subnet.id, opts=scope.options()
        )
        found[zone] = support.after(subnet.id, [out, route])
    return found


def _key(name: str, request: ClusterRequest, scope: Scope) -> pulumi.Input[str]:
    if request.secrets_key is not None:
        return request.secrets_key
    key = aws.kms.Key(
        f"{name}-secrets",
        description="Secrets of a cluster of pulumi-llm",
        enable_key_rotation=True,
        deletion_window_in_days=30,
        tags=dict(request.tags),
        opts=scope.options(protect=request.protect),
    )
    return key.arn


def _role(
    name: str, service: str, policies: tuple[str, ...], partition: str, request: ClusterRequest, scope: Scope
) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
    actions = ["sts:AssumeRole", "sts:TagSession"] if service.startswith("pods.") else ["sts:AssumeRole"]
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": actions}],
    }
    role = aws.iam.Role(
        f"{name}-role",
        name=support.role_name(f"{name}-role", scope),
        assume_role_policy=json.dumps(trust, sort_keys=True),
        description="A part of a cluster of pulumi-llm",
        tags=dict(request.tags),
        opts=scope.options(),
    )
    attached: list[pulumi.Resource] = [
        aws.iam.RolePolicyAttachment(
            f"{name}-{each.rsplit('/', 1)[-1]}",
            role=role.name,
            policy_arn=f"arn:{partition}:iam::aws:policy/{each}",
            opts=scope.options(),
        )
        for each in policies
    ]
    return role, attached


def _addon(
    name: str,
    addon: str,
    told: Mapping[str, Any],
    cluster: aws.eks.Cluster,
    request: ClusterRequest,
    scope: Scope,
    after: list[Any] | None = None,
) -> aws.eks.Addon:
    """An add-on in the version that EKS has for the cluster's."""
    return aws.eks.Addon(
        f"{name}-{addon}",
        cluster_name=cluster.name,
        addon_name=addon,
        configuration_values=json.dumps(dict(told), sort_keys=True) if told else None,
        tags=dict(request.tags),
        opts=scope.options(depends_on=after or []),
    )


def _pool(
    name: str,
    pool: Pool,
    cluster: aws.eks.Cluster,
    role: aws.iam.Role,
    subnets: Mapping[str, pulumi.Input[str]],
    request: ClusterRequest,
    scope: Scope,
    after: list[pulumi.Resource],
) -> aws.eks.NodeGroup:
    template = aws.ec2.LaunchTemplate(
        f"{name}-{pool.kind}",
        block_device_mappings=[
            aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
                device_name=device,
                ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                    volume_size=size, volume_type="gp3", encrypted="true", delete_on_termination="true"
                ),
            )
            for device, size in (("/dev/xvda", ROOT_GIB), ("/dev/xvdb", pool.disk_gib))
        ],
        # One hop: pods cannot take on the node's role.
        metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
            http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
        ),
        tags=dict(request.tags),
        opts=scope.options(),
    )
    return aws.eks.NodeGroup(
        f"{name}-{pool.kind}",
        cluster_name=cluster.name,
        node_role_arn=role.arn,
        version=request.version,
        ami_type=IMAGES[pool.kind],
        capacity_type="ON_DEMAND",
        instance_types=[pool.instance_type],
        subnet_ids=[subnets[each] for each in pool.zones],
        launch_template=aws.eks.NodeGroupLaunchTemplateArgs(
            id=template.id, version=template.latest_version.apply(lambda number: str(number))
        ),
        scaling_config=aws.eks.NodeGroupScalingConfigArgs(
            desired_size=pool.first, min_size=pool.least, max_size=max(1, pool.most)
        ),
        update_config=aws.eks.NodeGroupUpdateConfigArgs(max_unavailable=1),
        labels={POOL: pool.kind} | ({HAS_CARDS: "nvidia"} if pool.kind == "gpu" else {}),
        taints=[aws.eks.NodeGroupTaintArgs(key=GPU_TAINT, value="present", effect="NO_SCHEDULE")] if pool.taint else [],
        tags=dict(request.tags),
        # How many there are at the moment is the autoscaler's to say.
        opts=scope.options(depends_on=after, ignore_changes=["scalingConfig.desiredSize"] if pool.grows else []),
    )


def _scaler(
    name: str, cluster: aws.eks.Cluster, partition: str, request: ClusterRequest, scope: Scope
) -> list[pulumi.Resource]:
    """What the cluster-autoscaler's pod may do: see all groups of machines, and change the size of this cluster's."""
    if request.autoscaler is None:
        return []
    role, __ = _role(f"{name}-scaler", "pods.eks.amazonaws.com", (), partition, request, scope)
    policy = aws.iam.RolePolicy(
        f"{name}-scaler", role=role.name, policy=cluster.name.apply(_may_scale), opts=scope.options()
    )
    pod = aws.eks.PodIdentityAssociation(
        f"{name}-scaler",
        cluster_name=cluster.name,
        namespace=request.autoscaler,
        service_account=request.autoscaler,
        role_arn=role.arn,
        tags=dict(request.tags),
        opts=scope.options(depends_on=[policy]),
    )
    return [pod]


def _may_scale(cluster: str) -> str:
    tag = f"aws:ResourceTag/k8s.io/cluster-autoscaler/{cluster}"
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": list(SEES), "Resource": "*"},
                {
                    "Effect": "Allow",
                    "Action": list(SCALES),
                    "Resource": "*",
                    "Condition": {"StringEquals": {tag: "owned"}},
                },
            ],
        },
        sort_keys=True,
    )


def _admins(
    name: str, cluster: aws.eks.Cluster, partition: str, request: ClusterRequest, scope: Scope
) -> list[pulumi.Resource]:
    made: list[pulumi.Resource] = []
    for arn in request.admins:
        label = support.short_of(arn)
        entry = aws.eks.AccessEntry(
            f"{name}-admin-{label}", cluster_name=cluster.name, principal_arn=arn, tags=dict(request.tags),
            opts=scope.options(),
        )  # fmt: skip
        made.append(
            aws.eks.AccessPolicyAssociation(
                f"{name}-admin-{label}",
                cluster_name=cluster.name,
                principal_arn=entry.principal_arn,
                policy_arn=f"arn:{partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
                access_scope=aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
                opts=scope.options(),
            )
        )
    return made
