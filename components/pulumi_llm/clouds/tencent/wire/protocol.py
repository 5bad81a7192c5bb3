"""How Tencent Cloud's API 3.0 writes calls, answers and refusals.

Source: the clients' own code, tencentcloud-sdk-python-common 3.1.195 (action, version and region in ``X-TC-*``, the
service in the signature's scope, JSON both ways); read 2026-11-28. Refusals come with HTTP status 200.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import Actions, WireCall, WireError
from pulumi_llm._rehearsal.face import Face
from pulumi_llm._rehearsal.server import Protocol, Request
from pulumi_llm._simcloud.rules.base import CloudError, request_id
from pulumi_llm._simcloud.store import Record

ACTIONS = Actions()

CAM_HOME = "ap-guangzhou"
"""CAM has no region; its calls name the provider's."""
SYSTEM_DISK_TAGS = "systemDiskTags"
"""Property of a machine here: the tags of its system disk."""


def read(request: Request) -> WireCall:
    """The call in a request. Raises :class:`WireError` where it is none."""
    scope = re.search(r"Credential=[^/,]*/[^/,]*/([a-z0-9]+)/tc3_request", request.headers.get("authorization", ""))
    action = request.headers.get("x-tc-action", "")
    if not scope or not action:
        raise WireError("AuthFailure.InvalidAuthorization", "The Authorization header of this request is invalid.")
    try:
        parameters = json.loads(request.body or b"{}")
    except ValueError:
        parameters = None
    if not isinstance(parameters, dict):
        raise WireError("InvalidRequest", "The request's body is no JSON object.")
    headers = request.headers
    return WireCall(scope[1], headers.get("x-tc-version", ""), action, headers.get("x-tc-region", ""), parameters)


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """An answer as it is written."""
    return {"Response": {**body, "RequestId": request_id()}}


def refuse(refusal: WireError) -> tuple[int, dict[str, Any]]:
    """A refusal as it is written."""
    words = {"Code": refusal.code, "Message": refusal.message}
    return 200, {"Response": {"Error": words, "RequestId": request_id()}}


PROTOCOL = Protocol(read, answer, refuse)


class TencentFace(Face):
    """The actions of cvm, vpc, cbs, tag, dnspod, cam and scf that our programs make the provider call."""

    package = "tencentcloud"
    actions = ACTIONS

    def refusal(self, error: CloudError) -> WireError:
        """The API's refusal inside the words of the provider."""
        words = str(error)
        found = re.search(r"Code=([^,]+), Message=(.*), RequestId=", words, re.DOTALL)
        return WireError(found[1], found[2]) if found else WireError("InvalidParameterValue", words)

    def unknown(self, call: WireCall) -> WireError:
        """As Tencent Cloud refuses an action that its version lacks."""
        return WireError("InvalidAction", f"The request action=`{call.action}` is invalid or not found.")

    def denied(self, call: WireCall) -> WireError:
        """As CAM refuses."""
        message = "You are not authorized to perform this operation. Check your CAM policies."
        return WireError("UnauthorizedOperation", message)


def tags(call: WireCall) -> Props:
    """The tags that a call gives: its own, or those in a tag specification."""
    rows = list(call.parameters.get("Tags") or ())
    for each in call.parameters.get("TagSpecification") or ():
        rows += each.get("Tags") or ()
    return {each["Key"]: each.get("Value", "") for each in rows}


def tag_rows(record: Record, where: str = "tags") -> list[Props]:
    """A resource's tags as the APIs list them."""
    return [{"Key": key, "Value": value} for key, value in (record.get(where) or {}).items()]


def created(record: Record) -> str:
    """When a resource was made, as the APIs write it. The provider's code takes it for given."""
    return str(record.get("createTime") or written(record.made))


def written(seconds: float) -> str:
    """A time as the APIs write it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def filters(call: WireCall) -> dict[str, list[str]]:
    """The filters of a call, by name."""
    return {each["Name"]: [str(value) for value in each["Values"]] for each in call.parameters.get("Filters") or ()}


def chosen(call: WireCall, rows: list[Props], ids: str, key: str, filter_name: str) -> list[Props]:
    """The rows that a call names by a list of ids or by a filter; all where it names none."""
    wanted = [*(call.parameters.get(ids) or ()), *filters(call).get(filter_name, ())]
    return [each for each in rows if not wanted or each[key] in wanted]


def page(call: WireCall, name: str, rows: list[Props]) -> Props:
    """The page of rows that a call asks for. ``vpc`` writes offset and limit as texts; the answer is the same."""
    start = int(call.parameters.get("Offset") or 0)
    size = int(call.parameters.get("Limit") or 20)
    return {"TotalCount": len(rows), name: rows[start : start + size]}
