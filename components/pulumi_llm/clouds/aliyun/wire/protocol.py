"""How Aliyun's RPC APIs write calls, answers and refusals.

Source: the clients' own code, alibabacloud_tea_openapi 0.4.6 (action in ``x-acs-action``) and the older
alibaba-cloud-sdk-go that terraform-provider-alicloud uses at 81c43b67 (action in the query); read 2026-11-28.
Lists travel as ``Tag.1.Key``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import Actions, WireCall, WireError
from pulumi_llm._rehearsal.face import Face
from pulumi_llm._rehearsal.server import Protocol, Request
from pulumi_llm._simcloud.rules.base import CloudError, request_id
from pulumi_llm._simcloud.store import Record

SERVICES = {"2014-05-26": "ecs", "2016-04-28": "vpc", "2015-01-09": "alidns", "2015-05-01": "ram"}
SERVICES |= {"2017-12-14": "bssopenapi"}
"""Which API a version belongs to."""

SIGNING = frozenset(
    (
        *("Action", "Version", "Format", "Timestamp", "AccessKeyId", "SecurityToken"),
        *("Signature", "SignatureMethod", "SignatureNonce", "SignatureVersion", "SignatureType"),
    )
)
"""Parameters of the protocol, which are not the call's."""

ACTIONS = Actions()


def nested(flat: Mapping[str, str]) -> Props:
    """``Tag.1.Key`` and its like as lists and dicts. List positions count from 1; gaps close."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *path, last = name.split(".")
        at = tree
        for part in path:
            inner = at.setdefault(part, {})
            if not isinstance(inner, dict):
                raise WireError("InvalidParameter", f"The specified parameter {name} is not valid.")
            at = inner
        at[last] = value
    return {key: _listed(value) for key, value in tree.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(each.isdigit() for each in value):
        return [_listed(value[each]) for each in sorted(value, key=int)]
    return {key: _listed(each) for key, each in value.items()}


def read(request: Request) -> WireCall:
    """The call in a request. Raises :class:`WireError` where it is none of an API that we answer."""
    flat = {**request.query, **request.form}
    action = flat.get("Action") or request.headers.get("x-acs-action", "")
    version = flat.get("Version") or request.headers.get("x-acs-version", "")
    if version not in SERVICES or not action:
        raise WireError("InvalidVersion", "The specified parameter Version is not valid.")
    parameters = nested({name: value for name, value in flat.items() if name not in SIGNING})
    # The actions about schedules of snapshots write it small.
    region = parameters.get("RegionId") or parameters.get("regionId") or ""
    return WireCall(SERVICES[version], version, action, str(region), parameters)


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """An answer as it is written."""
    return {"RequestId": request_id().upper(), **body}


def refuse(refusal: WireError) -> tuple[int, dict[str, Any]]:
    """A refusal as it is written."""
    words = {"Code": refusal.code, "Message": refusal.message, "HostId": "127.0.0.1", "Recommend": ""}
    return refusal.status, {"RequestId": request_id().upper(), **words}


PROTOCOL = Protocol(read, answer, refuse)


class AliyunFace(Face):
    """The actions of ECS, VPC, Alidns and RAM that our programs make the provider call."""

    package = "alicloud"
    actions = ACTIONS

    def refusal(self, error: CloudError) -> WireError:
        """The API's refusal inside the words of the provider."""
        words = str(error)
        found = re.search(r"StatusCode: (\d+)\s+Code: (\S+)\s+Message: code: \d+, (.*) request id:", words, re.DOTALL)
        if found:
            return WireError(found[2], found[3], int(found[1]))
        return WireError("InvalidParameter", words)

    def unknown(self, call: WireCall) -> WireError:
        """As Aliyun's gateway refuses an action that its version lacks."""
        message = "Specified api is not found, please check your url and method."
        return WireError("InvalidAction.NotFound", message, 404)

    def denied(self, call: WireCall) -> WireError:
        """As RAM refuses."""
        message = "User not authorized to operate on the specified resource, or this API doesn't support RAM."
        return WireError("Forbidden.RAM", message, 403)


def tags(call: WireCall) -> Props:
    """The tags that a call gives."""
    return {each["Key"]: each.get("Value", "") for each in call.parameters.get("Tag") or ()}


def tag_rows(record: Record, key: str = "Key", value: str = "Value") -> Props:
    """A resource's tags as the APIs list them (of machines: ``TagKey`` and ``TagValue``)."""
    return {"Tag": [{key: each, value: text} for each, text in (record.get("tags") or {}).items()]}


def page(call: WireCall, name: str, inner: str, rows: list[Props]) -> Props:
    """The page of rows that a call asks for."""
    size = int(call.parameters.get("PageSize") or call.parameters.get("MaxResults") or 50)
    number = int(call.parameters.get("PageNumber") or 1)
    shown = rows[(number - 1) * size : number * size]
    return {"TotalCount": len(rows), "PageNumber": number, "PageSize": size, name: {inner: shown}}


def ids(call: WireCall, name: str) -> list[str]:
    """A list of ids, which travels as JSON in one parameter; empty where it is not given."""
    text = call.parameters.get(name)
    try:
        found = json.loads(text) if text else []
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise WireError("InvalidParameter", f"The specified parameter {name} is not valid.")
    return [str(each) for each in found]


def flag(text: Any) -> bool | None:
    """A parameter that is true, false or not given."""
    return None if text is None else str(text).lower() == "true"


def number(text: Any) -> int | None:
    """A parameter that is a whole number or not given. Raises :class:`WireError`."""
    try:
        return None if text is None else int(text)
    except ValueError:
        raise WireError("InvalidParameter", f"The specified value {text} is not a number.") from None
