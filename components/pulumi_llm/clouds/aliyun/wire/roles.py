"""Aliyun's wire: RAM roles and their policies, version 2015-05-01, and the role of a machine.

Which calls the provider makes: resource_alicloud_ram_role.go, resource_alicloud_ram_policy.go,
resource_alicloud_ram_role_policy_attachment.go, resource_alicloud_ecs_ram_role_attachment.go and
service_alicloud_ram_v2.go of terraform-provider-alicloud at 81c43b67. It writes tags and names as JSON in
one parameter.
"""

from __future__ import annotations

import json
from dataclasses import replace

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall, WireError
from pulumi_llm._simcloud.store import Record

from ..simulated.common import GRANT, INSTANCE, POLICY, ROLE, ROLE_ATTACHMENT
from ..simulated.roles import VERSIONS
from .protocol import ACTIONS, AliyunFace, flag, ids, page

HOME = "cn-hangzhou"
"""RAM has no region; its calls name the provider's or none."""
NO_ROLE = ("EntityNotExist.Role", "The role not exists.")
NO_POLICY = ("EntityNotExist.Policy", "The policy not exists.")
TAGGED = {"role": ROLE, "policy": POLICY}


def _home(call: WireCall) -> WireCall:
    return replace(call, region=HOME)


def _tags(call: WireCall) -> Props:
    text = call.parameters.get("Tag")
    rows = json.loads(text) if isinstance(text, str) and text else text or ()
    return {each["Key"]: each.get("Value", "") for each in rows}


def _role(face: AliyunFace, call: WireCall) -> Record:
    return face.need(_home(call), ROLE, call.parameters.get("RoleName"), *NO_ROLE)


def _policy(face: AliyunFace, call: WireCall) -> Record:
    return face.need(_home(call), POLICY, call.parameters.get("PolicyName"), *NO_POLICY)


# -- roles


def _role_row(record: Record) -> Props:
    return {
        "RoleId": record.get("roleId"),
        "RoleName": record.id,
        "Arn": record.get("arn"),
        "Description": record.get("description", ""),
        "AssumeRolePolicyDocument": record.get("assumeRolePolicyDocument"),
        "MaxSessionDuration": int(record.get("maxSessionDuration") or 3600),
        "CreateDate": record.get("createTime"),
        "UpdateDate": record.get("createTime"),
    }


@ACTIONS.on("ram:CreateRole")
def _create_role(face: AliyunFace, call: WireCall) -> Props:
    inputs = {"roleName": call.parameters["RoleName"], "description": call.parameters.get("Description")}
    inputs |= {"assumeRolePolicyDocument": call.parameters["AssumeRolePolicyDocument"], "tags": _tags(call)}
    inputs |= call.given(MaxSessionDuration="maxSessionDuration")
    return {"Role": _role_row(face.create(_home(call), ROLE, inputs))}


@ACTIONS.on("ram:GetRole")
def _get_role(face: AliyunFace, call: WireCall) -> Props:
    return {"Role": _role_row(_role(face, call))}


@ACTIONS.on("ram:UpdateRole")
def _update_role(face: AliyunFace, call: WireCall) -> Props:
    names = {"NewDescription": "description", "NewAssumeRolePolicyDocument": "assumeRolePolicyDocument"}
    changes = call.given(**names, NewMaxSessionDuration="maxSessionDuration")
    return {"Role": _role_row(face.change(_home(call), _role(face, call), changes))}


@ACTIONS.on("ram:DeleteRole")
def _delete_role(face: AliyunFace, call: WireCall) -> Props:
    face.delete(_home(call), _role(face, call))
    return {}


# -- policies


def _versions(record: Record) -> list[Props]:
    """The versions that a policy has, the newest first."""
    first = {"VersionId": "v1", "PolicyDocument": record.get("policyDocument"), "CreateDate": record.get("createTime")}
    return list(record.get("versions") or [first])


def _version_row(record: Record, version: Props) -> Props:
    return {**version, "IsDefaultVersion": version["VersionId"] == record.get("defaultVersion")}


def _policy_row(face: AliyunFace, record: Record) -> Props:
    return {
        "PolicyName": record.id,
        "PolicyType": "Custom",
        "Description": record.get("description", ""),
        "DefaultVersion": record.get("defaultVersion"),
        "CreateDate": record.get("createTime"),
        "UpdateDate": record.get("createTime"),
        "AttachmentCount": len(face.store.list(GRANT, policyName=record.id)),
    }


@ACTIONS.on("ram:CreatePolicy")
def _create_policy(face: AliyunFace, call: WireCall) -> Props:
    inputs = {"policyName": call.parameters["PolicyName"], "description": call.parameters.get("Description")}
    inputs |= {"policyDocument": call.parameters["PolicyDocument"], "tags": _tags(call)}
    return {"Policy": _policy_row(face, face.create(_home(call), POLICY, inputs))}


@ACTIONS.on("ram:GetPolicy")
def _get_policy(face: AliyunFace, call: WireCall) -> Props:
    record = _policy(face, call)
    rows = [_version_row(record, each) for each in _versions(record)]
    default = next(each for each in rows if each["IsDefaultVersion"])
    return {"Policy": _policy_row(face, record), "DefaultPolicyVersion": default}


@ACTIONS.on("ram:UpdatePolicyDescription")
def _describe_policy(face: AliyunFace, call: WireCall) -> Props:
    face.change(_home(call), _policy(face, call), call.given(NewDescription="description"))
    return {}


@ACTIONS.on("ram:CreatePolicyVersion")
def _create_version(face: AliyunFace, call: WireCall) -> Props:
    record = _policy(face, call)
    if not flag(call.parameters.get("SetAsDefault")):
        raise WireError("InvalidParameter.SetAsDefault", "A version that is not the default is not made here.")
    before = _versions(record)
    given = {"policyDocument": call.parameters["PolicyDocument"], **call.given(RotateStrategy="rotateStrategy")}
    record = face.change(_home(call), face.note(record, versions=before, policyDocument=""), given)
    made = {"VersionId": record.get("defaultVersion"), "PolicyDocument": given["policyDocument"]}
    made["CreateDate"] = record.get("createTime")
    record = face.note(record, versions=[made, *before][:VERSIONS])
    return {"PolicyVersion": _version_row(record, made)}


@ACTIONS.on("ram:ListPolicyVersions")
def _list_versions(face: AliyunFace, call: WireCall) -> Props:
    record = _policy(face, call)
    return {"PolicyVersions": {"PolicyVersion": [_version_row(record, each) for each in _versions(record)]}}


@ACTIONS.on("ram:DeletePolicyVersion")
def _delete_version(face: AliyunFace, call: WireCall) -> Props:
    record, wanted = _policy(face, call), call.parameters.get("VersionId")
    kept = [each for each in _versions(record) if each["VersionId"] != wanted]
    if len(kept) == len(_versions(record)):
        raise WireError("EntityNotExist.Policy.Version", f"The policy version not exists : {wanted} .", 404)
    if wanted == record.get("defaultVersion"):
        raise WireError("DeleteConflict.Policy.Version.Default", "The default version can not be deleted.", 409)
    face.note(record, versions=kept)
    return {}


@ACTIONS.on("ram:DeletePolicy")
def _delete_policy(face: AliyunFace, call: WireCall) -> Props:
    record = _policy(face, call)
    if len(_versions(record)) > 1 and not flag(call.parameters.get("CascadingDelete")):
        message = "The policy can not have non-default versions while deleting."
        raise WireError("DeleteConflict.Policy.Version", message, 409)
    face.delete(_home(call), record)
    return {}


# -- who has which


@ACTIONS.on("ram:AttachPolicyToRole")
def _attach(face: AliyunFace, call: WireCall) -> Props:
    names = {"RoleName": "roleName", "PolicyName": "policyName", "PolicyType": "policyType"}
    face.create(_home(call), GRANT, call.given(**names))
    return {}


def _grants(face: AliyunFace, **wanted: object) -> list[Record]:
    return face.store.list(GRANT, region=HOME, **wanted)


@ACTIONS.on("ram:DetachPolicyFromRole")
def _detach(face: AliyunFace, call: WireCall) -> Props:
    role, given = _role(face, call), call.parameters
    names = {"policyName": given.get("PolicyName"), "policyType": given.get("PolicyType")}
    held = _grants(face, roleName=role.id, **names)
    if not held:
        raise WireError("EntityNotExist.Role.Policy", "The policy is not attached to the role.", 404)
    face.delete(_home(call), held[0])
    return {}


@ACTIONS.on("ram:ListPoliciesForRole")
def _policies(face: AliyunFace, call: WireCall) -> Props:
    rows = []
    for each in _grants(face, roleName=_role(face, call).id):
        policy = face.store.get(POLICY, str(each.get("policyName")), HOME)
        rows.append(
            {
                "PolicyName": each.get("policyName"),
                "PolicyType": each.get("policyType"),
                "Description": policy.get("description", "") if policy else "",
                "DefaultVersion": policy.get("defaultVersion") if policy else "v1",
                "AttachDate": policy.get("createTime") if policy else "",
            }
        )
    return {"Policies": {"Policy": rows}}


@ACTIONS.on("ram:ListEntitiesForPolicy")
def _entities(face: AliyunFace, call: WireCall) -> Props:
    held = _grants(face, policyName=_policy(face, call).id, policyType=call.parameters.get("PolicyType"))
    found = [face.store.get(ROLE, str(each.get("roleName")), HOME) for each in held]
    rows = [
        {
            "RoleName": each.id,
            "RoleId": each.get("roleId"),
            "Arn": each.get("arn"),
            "Description": each.get("description", ""),
            "AttachDate": each.get("createTime"),
        }
        for each in found
        if each
    ]
    return {"Users": {"User": []}, "Groups": {"Group": []}, "Roles": {"Role": rows}}


# -- tags


def _tagged(face: AliyunFace, call: WireCall) -> list[Record]:
    kind = str(call.parameters.get("ResourceType"))
    if kind not in TAGGED:
        raise WireError("InvalidParameter.ResourceType", f"The resource type {kind} is not valid.")
    found = [face.store.get(TAGGED[kind], name, HOME) for name in ids(call, "ResourceNames")]
    return [each for each in found if each is not None]


@ACTIONS.on("ram:ListTagResources")
def _list_tags(face: AliyunFace, call: WireCall) -> Props:
    kind = call.parameters.get("ResourceType")
    rows = [
        {"ResourceName": each.id, "ResourceType": kind, "TagKey": key, "TagValue": value}
        for each in _tagged(face, call)
        for key, value in (each.get("tags") or {}).items()
    ]
    return {"TagResources": rows, "NextToken": ""}


@ACTIONS.on("ram:TagResources")
def _tag(face: AliyunFace, call: WireCall) -> Props:
    for each in _tagged(face, call):
        face.note(each, tags={**(each.get("tags") or {}), **_tags(call)})
    return {}


@ACTIONS.on("ram:UntagResources")
def _untag(face: AliyunFace, call: WireCall) -> Props:
    gone = {*ids(call, "TagKeys")}
    for each in _tagged(face, call):
        face.note(each, tags={key: value for key, value in (each.get("tags") or {}).items() if key not in gone})
    return {}


# -- the role of a machine


@ACTIONS.on("ecs:AttachInstanceRamRole")
def _attach_role(face: AliyunFace, call: WireCall) -> Props:
    name, wanted = call.parameters.get("RamRoleName"), ids(call, "InstanceIds")
    for each in wanted:
        face.create(call, ROLE_ATTACHMENT, {"instanceId": each, "ramRoleName": name})
    return _each_done("Attach", name, wanted)


@ACTIONS.on("ecs:DetachInstanceRamRole")
def _detach_role(face: AliyunFace, call: WireCall) -> Props:
    name, wanted = call.parameters.get("RamRoleName"), ids(call, "InstanceIds")
    for id_ in wanted:
        for each in face.store.list(ROLE_ATTACHMENT, region=call.region, instanceId=id_, ramRoleName=name):
            face.delete(call, each)
    return _each_done("Detach", name, wanted)


def _each_done(what: str, name: object, instances: list[str]) -> Props:
    rows = [{"InstanceId": each, "Code": "200", "Message": "success", "Success": True} for each in instances]
    results = {f"{what}InstanceRamRoleResult": rows}
    return {"RamRoleName": name, "TotalCount": len(rows), "FailCount": 0, f"{what}InstanceRamRoleResults": results}


@ACTIONS.on("ecs:DescribeInstanceRamRole")
def _roles(face: AliyunFace, call: WireCall) -> Props:
    rows = []
    for id_ in ids(call, "InstanceIds"):
        if face.store.get(INSTANCE, id_, call.region):
            held = face.store.list(ROLE_ATTACHMENT, region=call.region, instanceId=id_)
            rows += [{"InstanceId": id_, "RamRoleName": each.get("ramRoleName")} for each in held]
    wanted = call.parameters.get("RamRoleName")
    rows = [each for each in rows if wanted in (None, "", each["RamRoleName"])]
    return {"RegionId": call.region, **page(call, "InstanceRamRoleSets", "InstanceRamRoleSet", rows)}
