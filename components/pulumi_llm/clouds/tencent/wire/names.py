"""Tencent Cloud's wire: records in DNSPod, version 2021-03-23.

Which calls the provider makes: services/dnspod/resource_tc_dnspod_record.go of terraform-provider-tencentcloud at
f6970a90. Any domain that is asked for is the account's.
"""

from __future__ import annotations

from dataclasses import replace

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall
from pulumi_llm._simcloud.store import Record

from ..simulated.common import DNS_RECORD
from .protocol import ACTIONS, TencentFace, created

HOME = "ap-guangzhou"
"""Records have no region; their calls name the provider's."""
NO_RECORD = ("InvalidParameter.RecordIdInvalid", "The record ID is incorrect.")
NAMES = {"SubDomain": "subDomain", "RecordType": "recordType", "RecordLine": "recordLine", "Value": "value"}
NAMES |= {"TTL": "ttl", "MX": "mx", "Weight": "weight", "Status": "status", "Remark": "remark"}


def _found(face: TencentFace, call: WireCall) -> tuple[WireCall, Record]:
    at = replace(call, region=HOME)
    id_ = f"{call.parameters.get('Domain')}#{call.parameters.get('RecordId')}"
    return at, face.need(at, DNS_RECORD, id_, *NO_RECORD)


def _number(record: Record) -> int:
    return int(record.id.rpartition("#")[2])


@ACTIONS.on("dnspod:CreateRecord")
def _create(face: TencentFace, call: WireCall) -> Props:
    inputs = {"subDomain": "@", "ttl": 600, "status": "ENABLE", "domain": call.parameters["Domain"]}
    made = face.create(replace(call, region=HOME), DNS_RECORD, {**inputs, **call.given(**NAMES)})
    return {"RecordId": _number(made)}


@ACTIONS.on("dnspod:DescribeRecord")
def _describe(face: TencentFace, call: WireCall) -> Props:
    __, record = _found(face, call)
    info = {
        "Id": _number(record),
        "DomainId": 1,
        "SubDomain": record.get("subDomain"),
        "RecordType": record.get("recordType"),
        "RecordLine": record.get("recordLine"),
        "RecordLineId": "0",
        "Value": record.get("value"),
        "TTL": record.get("ttl"),
        "MX": record.get("mx", 0),
        "Weight": record.get("weight"),
        "Enabled": int(record.get("status") == "ENABLE"),
        "MonitorStatus": "",
        "Remark": record.get("remark", ""),
        "UpdatedOn": created(record),
    }
    return {"RecordInfo": info}


@ACTIONS.on("dnspod:ModifyRecord")
def _modify(face: TencentFace, call: WireCall) -> Props:
    at, record = _found(face, call)
    face.change(at, record, call.given(**NAMES))
    return {"RecordId": _number(record)}


@ACTIONS.on("dnspod:DeleteRecord")
def _delete(face: TencentFace, call: WireCall) -> Props:
    at, record = _found(face, call)
    face.delete(at, record)
    return {}
