"""Aliyun's wire: records in Alidns, version 2015-01-09.

Which calls the provider makes: resource_alicloud_alidns_record.go and service_alicloud_alidns.go of
terraform-provider-alicloud at 81c43b67. After each create it sets the status, as that has a default there. Any domain
that is asked for is the account's.
"""

from __future__ import annotations

from dataclasses import replace

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall
from pulumi_llm._simcloud.store import Record

from ..simulated.common import DNS_RECORD
from .protocol import ACTIONS, AliyunFace

HOME = "cn-hangzhou"
"""Records have no region; their calls name the provider's or none."""
NO_RECORD = ("DomainRecordNotBelongToUser", "The domain name record does not belong to the user.")
NAMES = {"RR": "rr", "Type": "type", "Value": "value", "Line": "line", "Lang": "lang"}
NUMBERS = {"TTL": "ttl", "Priority": "priority"}


def _inputs(call: WireCall) -> Props:
    numbers = {name: int(value) for name, value in call.given(**NUMBERS).items() if value}
    return {name: value for name, value in call.given(**NAMES).items() if value} | numbers


def _found(face: AliyunFace, call: WireCall) -> tuple[WireCall, Record]:
    at = replace(call, region=HOME)
    return at, face.need(at, DNS_RECORD, call.parameters.get("RecordId"), *NO_RECORD)


@ACTIONS.on("alidns:AddDomainRecord")
def _add(face: AliyunFace, call: WireCall) -> Props:
    defaults = {"line": "default", "ttl": 600, "status": "ENABLE"}
    inputs = {**defaults, **_inputs(call), "domainName": call.parameters["DomainName"]}
    return {"RecordId": face.create(replace(call, region=HOME), DNS_RECORD, inputs).id}


@ACTIONS.on("alidns:DescribeDomainRecordInfo")
def _info(face: AliyunFace, call: WireCall) -> Props:
    __, record = _found(face, call)
    return {
        "RecordId": record.id,
        "DomainName": record.get("domainName"),
        "PunyCode": record.get("domainName"),
        "RR": record.get("rr"),
        "Type": record.get("type"),
        "Value": record.get("value"),
        "TTL": record.get("ttl"),
        "Line": record.get("line"),
        "Status": record.get("status"),
        "Locked": False,
        "Remark": "",
        **({"Priority": record.get("priority")} if record.get("priority") else {}),
    }


@ACTIONS.on("alidns:SetDomainRecordStatus")
def _status(face: AliyunFace, call: WireCall) -> Props:
    __, record = _found(face, call)
    wanted = str(call.parameters.get("Status"))
    face.note(record, status=wanted.upper())
    return {"RecordId": record.id, "Status": wanted}


@ACTIONS.on("alidns:UpdateDomainRecord")
def _update(face: AliyunFace, call: WireCall) -> Props:
    at, record = _found(face, call)
    face.change(at, record, _inputs(call))
    return {"RecordId": record.id}


@ACTIONS.on("alidns:DeleteDomainRecord")
def _delete(face: AliyunFace, call: WireCall) -> Props:
    at, record = _found(face, call)
    face.delete(at, record)
    return {"RecordId": record.id}
