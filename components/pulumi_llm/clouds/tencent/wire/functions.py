"""Tencent Cloud's wire: functions of SCF and their timers, version 2018-04-16.

Which calls the provider makes: services/scf/resource_tc_scf_function.go and service_tencentcloud_scf.go of
terraform-provider-tencentcloud v1.82.42. What is answered, and the codes: models and errorcodes of
tencentcloud-sdk-python-scf 3.1.100. A function is not ready at once, and takes no trigger before; a timer's expression
comes back as JSON; triggers go with their function.
"""

from __future__ import annotations

import base64
import binascii

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall, WireError
from pulumi_llm._rehearsal.face import status
from pulumi_llm._simcloud.store import Record

from ..simulated import functions
from ..simulated.common import FUNCTION
from .protocol import ACTIONS, TencentFace, tag_rows, tags, written

NO_FUNCTION = ("ResourceNotFound.Function", "The function does not exist.")
NO_TRIGGER = "ResourceNotFound.Trigger"
GIVEN = {"Description": "description", "MemorySize": "memSize", "Timeout": "timeout", "Runtime": "runtime"}
GIVEN |= {"Role": "role", "Type": "funcType", "AsyncRunEnable": "asyncRunEnable"}


def _function(face: TencentFace, call: WireCall) -> Record:
    """The function that a call names. Raises :class:`WireError`."""
    given = call.parameters
    return face.need(call, FUNCTION, f"{given.get('Namespace') or 'default'}+{given['FunctionName']}", *NO_FUNCTION)


def _ready(face: TencentFace, call: WireCall) -> Record:
    """The same, that nothing is under way with."""
    found = _function(face, call)
    if status(found, "Active") != "Active":
        raise WireError("FailedOperation.FunctionStatusError", "The function's current state does not allow this.")
    return found


def _settings(call: WireCall) -> Props:
    """What a call gives besides code and tags, by the names of the resource's inputs."""
    found = call.given(**GIVEN)
    if "Environment" in call.parameters:
        rows = call.parameters["Environment"].get("Variables") or ()
        # One variable without a name is how all are taken away.
        found["environment"] = {each["Key"]: each["Value"] for each in rows if each["Key"]}
    if "VpcConfig" in call.parameters:
        net = call.parameters["VpcConfig"]
        found |= {"vpcId": net.get("VpcId"), "subnetId": net.get("SubnetId")}
    if "PublicNetConfig" in call.parameters:
        reach = call.parameters["PublicNetConfig"]
        found["enablePublicNet"] = reach.get("PublicNetStatus") == "ENABLE"
        found["enableEipConfig"] = (reach.get("EipConfig") or {}).get("EipStatus") == "ENABLE"
    return found


def _sent(call: WireCall) -> int:
    """How large the code is that a call sends. Raises :class:`WireError` or ``CloudError``."""
    try:
        content = base64.b64decode((call.parameters.get("Code") or {}).get("ZipFile") or "", validate=True)
    except binascii.Error:
        content = b""
    functions.judge(content, str(call.parameters.get("Handler") or ""))
    return len(content)


@ACTIONS.on("scf:CreateFunction")
def _create(face: TencentFace, call: WireCall) -> Props:
    given = call.parameters
    size = _sent(call)
    inputs = {"memSize": 128, "timeout": 3, "funcType": "Event", "asyncRunEnable": "FALSE", **_settings(call)}
    inputs |= {"name": given["FunctionName"], "namespace": given.get("Namespace") or "default", "tags": tags(call)}
    made = face.create(call, FUNCTION, {**inputs, "handler": given.get("Handler")}, "Creating", "Active")
    face.note(made, codeSize=size)
    return {}


@ACTIONS.on("scf:UpdateFunctionCode")
def _code(face: TencentFace, call: WireCall) -> Props:
    found, size = _ready(face, call), _sent(call)
    changed = face.change(call, found, call.given(Handler="handler"))
    face.note(face.go(changed, "Updating", "Active"), codeSize=size)
    return {}


@ACTIONS.on("scf:UpdateFunctionConfiguration")
def _configure(face: TencentFace, call: WireCall) -> Props:
    face.go(face.change(call, _ready(face, call), _settings(call)), "Updating", "Active")
    return {}


@ACTIONS.on("scf:GetFunction")
def _get(face: TencentFace, call: WireCall) -> Props:
    record = _function(face, call)
    reach = ["ENABLE" if record.get(each) else "DISABLE" for each in ("enablePublicNet", "enableEipConfig")]
    variables = [{"Key": key, "Value": value} for key, value in (record.get("environment") or {}).items()]
    return {
        "FunctionName": record.get("name"),
        "FunctionId": record.get("functionId"),
        "FunctionVersion": "$LATEST",
        "Qualifier": "$LATEST",
        "Namespace": record.get("namespace"),
        "Type": record.get("funcType"),
        "Handler": record.get("handler"),
        "Description": record.get("description") or "",
        "Runtime": record.get("runtime"),
        "MemorySize": record.get("memSize"),
        "Timeout": record.get("timeout"),
        "InitTimeout": 65,
        "Role": record.get("role") or "",
        "Environment": {"Variables": variables},
        "VpcConfig": {"VpcId": record.get("vpcId") or "", "SubnetId": record.get("subnetId") or ""},
        "PublicNetConfig": {"PublicNetStatus": reach[0], "EipConfig": {"EipStatus": reach[1], "EipAddress": []}},
        "EipConfig": {"EipFixed": "FALSE", "Eips": []},
        "AccessInfo": {"Host": "", "Vip": ""},
        "CodeInfo": "",
        "CodeSize": record.get("codeSize"),
        "CodeResult": "success",
        "CodeError": "",
        "ErrNo": 0,
        "Status": status(record, "Active"),
        "StatusDesc": "",
        "StatusReasons": [],
        "AvailableStatus": "Available",
        "UseGpu": "FALSE",
        "InstallDependency": "FALSE",
        "L5Enable": "FALSE",
        "DnsCache": "FALSE",
        "TraceEnable": "FALSE",
        "AsyncRunEnable": record.get("asyncRunEnable"),
        "ClsLogsetId": "",
        "ClsTopicId": "",
        "Layers": [],
        "Tags": tag_rows(record),
        "AddTime": written(record.made),
        "ModTime": written(record.made),
        "Triggers": [_trigger(each, record) for each in record.get("triggers") or ()],
    }


def _trigger(given: Props, record: Record) -> Props:
    return {
        "TriggerName": given["name"],
        "Type": given["type"],
        "TriggerDesc": functions.described(given),
        "Enable": 1,
        "AvailableStatus": "Available",
        "CustomArgument": "",
        "Qualifier": "$DEFAULT",
        "AddTime": written(record.made),
        "ModTime": written(record.made),
    }


@ACTIONS.on("scf:DeleteFunction")
def _delete(face: TencentFace, call: WireCall) -> Props:
    face.delete(call, _function(face, call))
    return {}


@ACTIONS.on("scf:CreateTrigger")
def _begin(face: TencentFace, call: WireCall) -> Props:
    found, given = _ready(face, call), call.parameters
    held = list(found.get("triggers") or ())
    made = {"name": given["TriggerName"], "type": given["Type"], "triggerDesc": given.get("TriggerDesc") or ""}
    if any((each["name"], each["type"]) == (made["name"], made["type"]) for each in held):
        raise WireError("ResourceInUse.Trigger", f"The trigger name {made['name']} already exists.")
    changed = face.change(call, found, {"triggers": [*held, made]})
    return {"TriggerInfo": _trigger(made, changed)}


@ACTIONS.on("scf:DeleteTrigger")
def _end(face: TencentFace, call: WireCall) -> Props:
    found, given = _ready(face, call), call.parameters
    held = list(found.get("triggers") or ())
    kept = [each for each in held if (each["name"], each["type"]) != (given["TriggerName"], given["Type"])]
    if len(kept) == len(held):
        raise WireError(NO_TRIGGER, f"The trigger {given['TriggerName']} does not exist.")
    face.change(call, found, {"triggers": kept})
    return {}
