"""Tencent Cloud: the register of its rules, its resource types, and errors as its SDK prints them.

Error codes are those of the CVM, VPC, CBS (2017-03-12), DNSPod (2021-03-23) and CAM (2019-01-16) APIs, as listed in
Tencent's SDKs.
"""

from __future__ import annotations

from typing import Any

from pulumi_llm._simcloud.rules.base import Call, CloudError, Rules, request_id
from pulumi_llm._simcloud.store import Record

RULES = Rules()

VPC, SUBNET = "tencentcloud:Vpc/instance:Instance", "tencentcloud:Subnet/instance:Instance"
GROUP, RULE_SET = "tencentcloud:Security/group:Group", "tencentcloud:Security/groupRuleSet:GroupRuleSet"
KEY, INSTANCE = "tencentcloud:Key/pair:Pair", "tencentcloud:Instance/instance:Instance"
EIP, EIP_ASSOCIATION = "tencentcloud:Eip/instance:Instance", "tencentcloud:Eip/association:Association"
DISK, DISK_ATTACHMENT = "tencentcloud:Cbs/storage:Storage", "tencentcloud:Cbs/storageAttachment:StorageAttachment"
ROLE, POLICY = "tencentcloud:Cam/role:Role", "tencentcloud:Cam/policy:Policy"
GRANT = "tencentcloud:Cam/rolePolicyAttachment:RolePolicyAttachment"
SCHEDULE = "tencentcloud:Cbs/snapshotPolicy:SnapshotPolicy"
SCHEDULE_ATTACHMENT = "tencentcloud:Cbs/snapshotPolicyAttachment:SnapshotPolicyAttachment"
SNAPSHOT = "tencentcloud:Cbs/snapshot:Snapshot"
DNS_RECORD = "tencentcloud:Dnspod/record:Record"
FUNCTION = "tencentcloud:Scf/function:Function"
HPC_CLUSTER = "tencentcloud:Cvm/hpcCluster:HpcCluster"


def error(code: str, message: str) -> CloudError:
    """An API error as the provider prints it."""
    return CloudError(
        f"1 error occurred:\n\t* [TencentCloudSDKError] Code={code}, Message={message}, RequestId={request_id()}"
    )


RULES.failed_delete = lambda _: error("InternalError", "An internal error has occurred. Please try again later.")


def need(call: Call, type_: str, id_: Any, code: str, message: str) -> Record:
    """The resource that a call refers to; ``{id}`` in ``message`` is its id. Raises :class:`CloudError`."""
    found = call.find(type_, id_)
    if found is None:
        raise error(code, message.format(id=id_))
    return found
