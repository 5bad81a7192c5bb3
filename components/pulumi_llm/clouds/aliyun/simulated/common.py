"""Aliyun: the register of its rules, its resource types, and errors as the provider prints them.

Error codes and texts are those of the ECS, VPC, Alidns and RAM API references (2014-05-26, 2016-04-28, 2015-01-09 and
2015-05-01).
"""

from __future__ import annotations

from typing import Any

from pulumi_llm._simcloud.rules.base import Call, CloudError, Rules, request_id
from pulumi_llm._simcloud.store import Record

RULES = Rules()

VPC, SWITCH = "alicloud:vpc/network:Network", "alicloud:vpc/switch:Switch"
GROUP, GROUP_RULE = "alicloud:ecs/securityGroup:SecurityGroup", "alicloud:ecs/securityGroupRule:SecurityGroupRule"
KEY, INSTANCE = "alicloud:ecs/ecsKeyPair:EcsKeyPair", "alicloud:ecs/instance:Instance"
KEY_ATTACHMENT = "alicloud:ecs/ecsKeyPairAttachment:EcsKeyPairAttachment"
EIP, EIP_ASSOCIATION = "alicloud:ecs/eipAddress:EipAddress", "alicloud:ecs/eipAssociation:EipAssociation"
DISK, DISK_ATTACHMENT = "alicloud:ecs/ecsDisk:EcsDisk", "alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment"
ROLE, ROLE_ATTACHMENT = "alicloud:ram/role:Role", "alicloud:ecs/ramRoleAttachment:RamRoleAttachment"
POLICY, GRANT = "alicloud:ram/policy:Policy", "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment"
SCHEDULE = "alicloud:ecs/autoSnapshotPolicy:AutoSnapshotPolicy"
SCHEDULE_ATTACHMENT = "alicloud:ecs/ecsAutoSnapshotPolicyAttachment:EcsAutoSnapshotPolicyAttachment"
SNAPSHOT = "alicloud:ecs/ecsSnapshot:EcsSnapshot"
DNS_RECORD = "alicloud:dns/alidnsRecord:AlidnsRecord"
DEPLOYMENT_SET = "alicloud:ecs/ecsDeploymentSet:EcsDeploymentSet"
FUNCTION, TRIGGER = "alicloud:fc/v3Function:V3Function", "alicloud:fc/v3Trigger:V3Trigger"

TERRAFORM = {
    VPC: "alicloud_vpc",
    SWITCH: "alicloud_vswitch",
    GROUP: "alicloud_security_group",
    GROUP_RULE: "alicloud_security_group_rule",
    KEY: "alicloud_ecs_key_pair",
    KEY_ATTACHMENT: "alicloud_ecs_key_pair_attachment",
    INSTANCE: "alicloud_instance",
    EIP: "alicloud_eip_address",
    EIP_ASSOCIATION: "alicloud_eip_association",
    DISK: "alicloud_ecs_disk",
    DISK_ATTACHMENT: "alicloud_ecs_disk_attachment",
    SCHEDULE: "alicloud_ecs_auto_snapshot_policy",
    SCHEDULE_ATTACHMENT: "alicloud_ecs_auto_snapshot_policy_attachment",
    ROLE: "alicloud_ram_role",
    POLICY: "alicloud_ram_policy",
    GRANT: "alicloud_ram_role_policy_attachment",
    ROLE_ATTACHMENT: "alicloud_ecs_ram_role_attachment",
    DNS_RECORD: "alicloud_alidns_record",
    "alicloud:cs/managedKubernetes:ManagedKubernetes": "alicloud_cs_managed_kubernetes",
    "alicloud:cs/nodePool:NodePool": "alicloud_cs_kubernetes_node_pool",
    "alicloud:cs/autoscalingConfig:AutoscalingConfig": "alicloud_cs_autoscaling_config",
    DEPLOYMENT_SET: "alicloud_ecs_deployment_set",
    FUNCTION: "alicloud_fcv3_function",
    TRIGGER: "alicloud_fcv3_trigger",
}


def error(call: Call, operation: str, code: str, message: str, status: int = 400) -> CloudError:
    """An API error as the provider prints it."""
    name = TERRAFORM.get(call.token, call.token)
    place = f"{name} {call.id}" if call.id and not operation.startswith(("Create", "Run", "Allocate")) else name
    return CloudError(
        f"1 error occurred:\n\t* [ERROR] terraform-provider-alicloud/alicloud/resource_{name}.go: Resource {place} "
        f"{operation} Failed!!! [SDK alibaba-cloud-sdk-go ERROR]:\nSDKError:\n   StatusCode: {status}\n"
        f"   Code: {code}\n   Message: code: {status}, {message} request id: {request_id().upper()}"
    )


RULES.failed_delete = lambda call: error(
    call, "Delete", "ServiceUnavailable", "The request has failed due to a temporary failure of the server.", 503
)


def need(call: Call, type_: str, id_: Any, operation: str, code: str, message: str) -> Record:
    """The resource that a call refers to. Raises :class:`CloudError`."""
    found = call.find(type_, id_)
    if found is None:
        raise error(call, operation, code, message, 404)
    return found
