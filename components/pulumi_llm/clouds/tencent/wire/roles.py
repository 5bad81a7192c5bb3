"""Tencent Cloud's wire: CAM roles and their policies, version 2019-01-16.

Which calls the provider makes: services/cam/resource_tc_cam_role.go, resource_tc_cam_policy.go,
resource_tc_cam_role_policy_attachment.go and service_tencentcloud_cam.go of terraform-provider-tencentcloud at
f6970a90. It reads a role from the list of all roles, and tags roles by the tag API, in no region.
"""

from __future__ import annotations

from dataclasses import replace

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall, WireError
from pulumi_llm._simcloud.store import Record

from ..simulated.common import GRANT, POLICY, ROLE
from .protocol import ACTIONS, CAM_HOME, TencentFace, created, tag_rows, tags

NO_ROLE = ("InvalidParameter.RoleNotExist", "The role does not exist.")
NO_POLICY = ("ResourceNotFound.PolicyIdNotFound", "The policy does not exist.")


def _home(call: WireCall) -> WireCall:
    return replace(call, region=CAM_HOME)


def _page(call: WireCall, rows: list[Props]) -> Props:
    """CAM counts pages from 1, and calls their size ``Rp``."""
    size, number = int(call.parameters.get("Rp") or 20), int(call.parameters.get("Page") or 1)
    return {"TotalNum": len(rows), "List": rows[(number - 1) * size : number * size]}


def _role(face: TencentFace, call: WireCall, prefix: str = "") -> Record:
    """The role that a call names, by id or by name. Raises :class:`WireError`."""
    id_, name = call.parameters.get(f"{prefix}RoleId"), call.parameters.get(f"{prefix}RoleName")
    if not id_ and name:
        id_ = next((each.id for each in face.store.list(ROLE, region=CAM_HOME, name=name)), None)
    return face.need(_home(call), ROLE, id_, *NO_ROLE)


def _role_row(record: Record) -> Props:
    return {
        "RoleId": record.id,
        "RoleName": record.get("name"),
        "PolicyDocument": record.get("document"),
        "Description": record.get("description", ""),
        "AddTime": created(record),
        "UpdateTime": created(record),
        "ConsoleLogin": int(bool(record.get("consoleLogin"))),
        "RoleType": "user",
        "SessionDuration": record.get("sessionDuration") or 7200,
        "DeletionTaskId": "",
        "RoleArn": record.get("roleArn"),
        "Tags": tag_rows(record),
    }


@ACTIONS.on("cam:CreateRole")
def _create_role(face: TencentFace, call: WireCall) -> Props:
    given = call.parameters
    inputs = {"name": given["RoleName"], "document": given["PolicyDocument"], "description": given.get("Description")}
    inputs |= {"consoleLogin": bool(given.get("ConsoleLogin")), "sessionDuration": given.get("SessionDuration")}
    return {"RoleId": face.create(_home(call), ROLE, {**inputs, "tags": tags(call)}).id}


@ACTIONS.on("cam:DescribeRoleList")
def _list_roles(face: TencentFace, call: WireCall) -> Props:
    return _page(call, [_role_row(each) for each in face.store.list(ROLE, region=CAM_HOME)])


@ACTIONS.on("cam:GetRole")
def _get_role(face: TencentFace, call: WireCall) -> Props:
    return {"RoleInfo": _role_row(_role(face, call))}


@ACTIONS.on("cam:UpdateRoleDescription")
def _describe_role(face: TencentFace, call: WireCall) -> Props:
    face.change(_home(call), _role(face, call), call.given(Description="description"))
    return {}


@ACTIONS.on("cam:UpdateAssumeRolePolicy")
def _trust(face: TencentFace, call: WireCall) -> Props:
    face.change(_home(call), _role(face, call), call.given(PolicyDocument="document"))
    return {}


@ACTIONS.on("cam:UpdateRoleConsoleLogin")
def _login(face: TencentFace, call: WireCall) -> Props:
    face.change(_home(call), _role(face, call), {"consoleLogin": bool(call.parameters.get("ConsoleLogin"))})
    return {}


@ACTIONS.on("cam:DeleteRole")
def _delete_role(face: TencentFace, call: WireCall) -> Props:
    role = _role(face, call)
    for each in face.store.list(GRANT, region=CAM_HOME, roleId=role.id):
        face.delete(_home(call), each)
    face.delete(_home(call), role)
    return {}


def _policy(face: TencentFace, call: WireCall, id_: object) -> Record:
    return face.need(_home(call), POLICY, id_, *NO_POLICY)


@ACTIONS.on("cam:CreatePolicy")
def _create_policy(face: TencentFace, call: WireCall) -> Props:
    given = call.parameters
    inputs = {"name": given["PolicyName"], "document": given["PolicyDocument"], "description": given.get("Description")}
    return {"PolicyId": int(face.create(_home(call), POLICY, {**inputs, "tags": tags(call)}).id)}


@ACTIONS.on("cam:GetPolicy")
def _get_policy(face: TencentFace, call: WireCall) -> Props:
    record = _policy(face, call, call.parameters.get("PolicyId"))
    return {
        "PolicyName": record.get("name"),
        "Description": record.get("description", ""),
        "Type": 1,
        "AddTime": created(record),
        "UpdateTime": created(record),
        "PolicyDocument": record.get("document"),
        "PresetAlias": "",
        "IsServiceLinkedRolePolicy": 0,
        "Tags": tag_rows(record),
    }


@ACTIONS.on("cam:UpdatePolicy")
def _update_policy(face: TencentFace, call: WireCall) -> Props:
    record = _policy(face, call, call.parameters.get("PolicyId"))
    names = {"PolicyName": "name", "PolicyDocument": "document", "Description": "description"}
    face.change(_home(call), record, call.given(**names))
    return {"PolicyId": int(record.id)}


@ACTIONS.on("cam:DeletePolicy")
def _delete_policy(face: TencentFace, call: WireCall) -> Props:
    for id_ in call.parameters.get("PolicyId") or ():
        record = _policy(face, call, id_)
        for each in face.store.list(GRANT, region=CAM_HOME, policyId=record.id):
            face.delete(_home(call), each)
        face.delete(_home(call), record)
    return {}


@ACTIONS.on("cam:AttachRolePolicy")
def _attach(face: TencentFace, call: WireCall) -> Props:
    role = _role(face, call, "Attach")
    face.create(_home(call), GRANT, {"roleId": role.id, "policyId": str(call.parameters["PolicyId"])})
    return {}


@ACTIONS.on("cam:DetachRolePolicy")
def _detach(face: TencentFace, call: WireCall) -> Props:
    role, policy = _role(face, call, "Detach"), str(call.parameters.get("PolicyId"))
    held = face.store.list(GRANT, region=CAM_HOME, roleId=role.id, policyId=policy)
    if not held:
        raise WireError("InvalidParameter.PolicyIdNotExist", f"The policy `{policy}` is not attached to the role.")
    face.delete(_home(call), held[0])
    return {}


@ACTIONS.on("cam:ListAttachedRolePolicies")
def _attached(face: TencentFace, call: WireCall) -> Props:
    rows = [
        {
            "PolicyId": int(each.get("policyId")),
            "PolicyName": each.get("policyName"),
            "AddTime": created(each),
            "PolicyType": "User",
            "CreateMode": 2,
            "Deactived": 0,
            "DeactivedDetail": [],
            "Description": "",
        }
        for each in face.store.list(GRANT, region=CAM_HOME, roleId=_role(face, call).id)
    ]
    return _page(call, rows)
