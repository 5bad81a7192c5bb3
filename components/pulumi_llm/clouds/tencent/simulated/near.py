"""Tencent Cloud: rules for high performance computing clusters, and for the machines that must be in one.

The codes are those of CVM (errorcodes.py of tencentcloud-sdk-python-cvm 3.1.178, read 2026-11-30).
"""

from __future__ import annotations

from pulumi_llm._simcloud.rules.base import Call
from pulumi_llm._simcloud.store import Record
from pulumi_llm.clouds import near

from .common import HPC_CLUSTER, INSTANCE, RULES, error, need

CLOUD = "tencent"


def placed(call: Call, zone: str) -> None:
    """Refuse a machine in no cluster that must be in one, in one that is elsewhere, and in one that takes no such."""
    wanted, kind = call.inputs.get("hpcClusterId"), str(call.inputs.get("instanceType"))
    group = near.group_of(CLOUD)
    takes = group is not None and group.takes(kind)
    if not wanted:
        if takes:
            message = f"The instance type `{kind}` requires a high performance computing cluster."
            raise error("InvalidParameterValue.InstanceTypeRequiredHpcCluster", message)
        return
    message = "The high performance computing cluster `{id}` does not exist."
    cluster = need(call, HPC_CLUSTER, wanted, "ResourceNotFound.HpcCluster", message)
    if not takes:
        message = f"The instance type `{kind}` cannot be in a high performance computing cluster."
        raise error("InvalidParameterValue.InstanceTypeNotSupportHpcCluster", message)
    if cluster.get("zone") != zone:
        message = f"The high performance computing cluster `{wanted}` is not in the zone `{zone}`."
        raise error("InvalidParameterValue.HpcClusterIdZoneIdNotMatch", message)


@RULES.on_delete(HPC_CLUSTER)
def _delete(call: Call, record: Record) -> None:
    # terraform-provider-tencentcloud (f6970a90) keeps this refusal to itself, and the cluster stays; here it is said.
    if call.list(INSTANCE, hpcClusterId=record.id):
        raise error("ResourceInUse.HpcCluster", f"The high performance computing cluster `{record.id}` is in use.")
