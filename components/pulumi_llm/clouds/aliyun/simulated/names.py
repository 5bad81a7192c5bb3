"""Aliyun: rules for records in DNS."""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call

from .common import DNS_RECORD, RULES, error

ONE = ("domainName", "rr", "type", "line", "value")
"""What two records cannot both have."""


@RULES.on_create(DNS_RECORD)
def _record(call: Call) -> Props:
    given = {key: call.inputs.get(key) for key in ONE}
    for other in call.store.list(DNS_RECORD):
        if other.id != call.id and all(other.get(key) == value for key, value in given.items()):
            raise error(call, "AddDomainRecord", "DomainRecordDuplicate", "The DNS record already exists.")
    return {}
