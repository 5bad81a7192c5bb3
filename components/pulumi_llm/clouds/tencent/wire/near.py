"""Tencent Cloud's wire: high performance computing clusters (cvm of 2017-03-12).

Which calls the provider makes: services/cvm/resource_tc_cvm_hpc_cluster.go and service_tencentcloud_cvm.go of
terraform-provider-tencentcloud at f6970a90; it keeps a refusal of a change or of a deletion to itself. What is
answered: the models of tencentcloud-sdk-python-cvm 3.1.178.
"""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall
from pulumi_llm._simcloud.store import Record

from ..simulated.common import HPC_CLUSTER, INSTANCE
from .protocol import ACTIONS, TencentFace, chosen, created, page, tag_rows, tags

NO_CLUSTER = "ResourceNotFound.HpcCluster"
ROOM = 20
"""How many machines fit in one here. The API says it of each cluster, and no page of what it usually is."""


def _row(face: TencentFace, record: Record) -> Props:
    members = [each.id for each in face.store.list(INSTANCE, region=record.region, hpcClusterId=record.id)]
    return {
        "HpcClusterId": record.id,
        "Name": record.get("name"),
        "Remark": record.get("remark", ""),
        "Zone": record.get("zone"),
        "CvmQuotaTotal": ROOM,
        "CurrentNum": len(members),
        "InstanceIds": members,
        "HpcClusterType": "STANDARD",
        "HpcClusterBusinessId": "",
        "HpcClusterNetMode": 0,
        "CreateTime": created(record),
        "Tags": tag_rows(record),
    }


@ACTIONS.on("cvm:CreateHpcCluster")
def _create(face: TencentFace, call: WireCall) -> Props:
    inputs = {"zone": call.parameters["Zone"], "tags": tags(call), **call.given(Name="name", Remark="remark")}
    return {"HpcClusterSet": [_row(face, face.create(call, HPC_CLUSTER, inputs))]}


@ACTIONS.on("cvm:DescribeHpcClusters")
def _describe(face: TencentFace, call: WireCall) -> Props:
    rows = [_row(face, each) for each in face.store.list(HPC_CLUSTER, region=call.region)]
    zone = call.parameters.get("Zone")
    rows = [each for each in rows if not zone or each["Zone"] == zone]
    return page(call, "HpcClusterSet", chosen(call, rows, "HpcClusterIds", "HpcClusterId", "hpc-cluster-id"))


@ACTIONS.on("cvm:ModifyHpcClusterAttribute")
def _modify(face: TencentFace, call: WireCall) -> Props:
    made = face.need(call, HPC_CLUSTER, call.parameters.get("HpcClusterId"), NO_CLUSTER)
    face.change(call, made, call.given(Name="name", Remark="remark"))
    return {}


@ACTIONS.on("cvm:DeleteHpcClusters")
def _delete(face: TencentFace, call: WireCall) -> Props:
    for id_ in call.parameters.get("HpcClusterIds") or ():
        face.delete(call, face.need(call, HPC_CLUSTER, id_, NO_CLUSTER))
    return {}
