"""AWS's wire: placement groups, which moto (5.2.5) lacks, and which machine is in one, which it does not keep.

Shapes: botocore's model of ec2 (2016-11-15). Tags of a group are moto's, as it takes those of any id.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall
from pulumi_llm._rehearsal.server import Reply
from pulumi_llm._simcloud.rules.base import request_id
from pulumi_llm._simcloud.store import Record

from ..simulated.common import GROUP_OF_MACHINES
from .face import ACCOUNT, ACTIONS, AwsFace
from .protocol import REPLY, XML, RefusedError

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


def _reply(call: WireCall, inner: str) -> Props:
    name = f"{call.action}Response"
    text = f'<{name} xmlns="{NAMESPACE}"><requestId>{request_id()}</requestId>{inner}</{name}>'
    return {REPLY: Reply(200, text.encode(), XML)}


def _several(call: WireCall, prefix: str) -> list[str]:
    """The values of a list of the query protocol: ``GroupName.1``, ``GroupName.2``."""
    return [str(value) for key, value in call.parameters.items() if key.startswith(f"{prefix}.")]


def _row(face: AwsFace, record: Record) -> str:
    id_ = record.get("placementGroupId")
    found = face.backend("ec2", record.region).describe_tags(filters={"resource-id": [id_]})
    tags = "".join(
        f"<item><key>{escape(each['key'])}</key><value>{escape(each['value'])}</value></item>" for each in found
    )
    arn = f"arn:aws:ec2:{record.region}:{ACCOUNT}:placement-group/{record.get('name')}"
    return (
        f"<groupName>{escape(record.get('name'))}</groupName><groupId>{id_}</groupId><state>available</state>"
        f"<strategy>{record.get('strategy')}</strategy><groupArn>{escape(arn)}</groupArn><tagSet>{tags}</tagSet>"
    )


def _named(face: AwsFace, call: WireCall, name: str) -> Record:
    found = face.store.list(GROUP_OF_MACHINES, region=call.region, name=name)
    if not found:
        message = f"The Placement Group '{name}' is unknown."
        raise RefusedError("InvalidPlacementGroup.Unknown", message, 400, call.service)
    return found[0]


@ACTIONS.on("ec2:CreatePlacementGroup")
def _create(face: AwsFace, call: WireCall) -> Props:
    given: dict[str, Any] = dict(call.parameters)
    strategy = given.get("Strategy") or "cluster"
    if strategy not in ("cluster", "spread", "partition"):
        message = f"Value ({strategy}) for parameter strategy is invalid."
        raise RefusedError("InvalidParameterValue", message, 400, call.service)
    made = face.create(call, GROUP_OF_MACHINES, {"name": given.get("GroupName"), "strategy": strategy})
    prefix = "TagSpecification.1.Tag."
    keys = [key for key in given if key.startswith(prefix) and key.endswith(".Key")]
    tags = {str(given[key]): str(given.get(f"{key.removesuffix('Key')}Value", "")) for key in keys}
    if tags:
        face.backend("ec2", call.region).create_tags([made.get("placementGroupId")], tags)
    return _reply(call, f"<placementGroup>{_row(face, made)}</placementGroup>")


@ACTIONS.on("ec2:DescribePlacementGroups")
def _describe(face: AwsFace, call: WireCall) -> Props:
    names, ids = _several(call, "GroupName"), _several(call, "GroupId")
    found = [_named(face, call, each) for each in names]
    if not names:
        found = face.store.list(GROUP_OF_MACHINES, region=call.region)
    if call.parameters.get("Filter.1.Name") == "group-name":
        wanted = _several(call, "Filter.1.Value")
        found = [each for each in found if each.get("name") in wanted]
    rows = [_row(face, each) for each in found if not ids or each.get("placementGroupId") in ids]
    items = "".join(f"<item>{each}</item>" for each in rows)
    return _reply(call, f"<placementGroupSet>{items}</placementGroupSet>")


@ACTIONS.on("ec2:DeletePlacementGroup")
def _delete(face: AwsFace, call: WireCall) -> Props:
    face.delete(call, _named(face, call, str(call.parameters.get("GroupName"))))
    return _reply(call, "<return>true</return>")


@ACTIONS.on("ec2:CreateTags", "ec2:DeleteTags")
def _tag(face: AwsFace, call: WireCall) -> Props:
    """Tags of a group; moto takes no id of one in such a call."""
    ids = _several(call, "ResourceId")
    known = {each.get("placementGroupId") for each in face.store.list(GROUP_OF_MACHINES, region=call.region)}
    if not known.issuperset(ids) or not ids:
        return {REPLY: face.by_moto(call)}
    given = call.parameters
    keys = [key for key in given if key.startswith("Tag.") and key.endswith(".Key")]
    tags = {str(given[key]): given.get(f"{key.removesuffix('Key')}Value") for key in keys}
    backend = face.backend("ec2", call.region)
    if call.action == "CreateTags":
        backend.create_tags(ids, {key: value or "" for key, value in tags.items()})
    else:
        backend.delete_tags(ids, tags)
    return _reply(call, "<return>true</return>")
