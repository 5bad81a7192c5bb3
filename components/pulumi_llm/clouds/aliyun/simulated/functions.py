"""Aliyun: rules for functions of Function Compute 3.0 and for their timers.

Codes are those of its API (2023-03-30); what a timer's expression may hold:
help.aliyun.com/document_detail/171746.html; read 2026-11-29. How the texts are worded is from general knowledge.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
import zipfile

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call
from pulumi_llm._simcloud.store import Record

from .common import FUNCTION, ROLE, RULES, TRIGGER, error

FIELD = r"(?:\*|\?|[0-9]+|[A-Z]{3})(?:[-,/](?:[0-9]+|[A-Z]{3}))*"
EXPRESSION = re.compile(rf"(?:CRON_TZ=[A-Za-z_/+-]+ )?{FIELD}(?: {FIELD}){{5}}|@every [1-9][0-9]*m")
RATIO = (1, 4)
"""A vCPU has so many GB at least and at most."""


@RULES.on_create(FUNCTION)
@RULES.on_update(FUNCTION)
def _function(call: Call) -> Props:
    given, operation = call.inputs, "UpdateFunction" if call.old else "CreateFunction"
    if not call.old and call.store.get(FUNCTION, str(given["functionName"]), call.region):
        message = f"function '{given['functionName']}' already exists"
        raise error(call, operation, "FunctionAlreadyExists", message, 409)
    arn = str(given.get("role") or "")
    role = call.store.get(ROLE, arn.rpartition("/")[2]) if arn else None
    if arn and (role is None or "fc.aliyuncs.com" not in str(role.get("assumeRolePolicyDocument"))):
        message = f"the role '{arn}' can not be assumed by Function Compute"
        raise error(call, operation, "InvalidArgument", message)
    cpu, memory = given.get("cpu"), given.get("memorySize")
    if cpu and memory and not RATIO[0] <= memory / 1024 / cpu <= RATIO[1]:
        raise error(call, operation, "InvalidArgument", "the ratio of vCPU to memory must be from 1:1 to 1:4")
    text = (given.get("code") or {}).get("zipFile")
    if text is not None and not _holds(text, str(given["handler"])):
        raise error(call, operation, "InvalidArgument", "the code is no ZIP with the handler's file")
    return {}


def _holds(text: str, handler: str) -> bool:
    try:
        names = zipfile.ZipFile(io.BytesIO(base64.b64decode(text, validate=True))).namelist()
    except (binascii.Error, zipfile.BadZipFile):
        return False
    return f"{handler.partition('.')[0]}.py" in names


@RULES.on_create(TRIGGER)
@RULES.on_update(TRIGGER)
def _trigger(call: Call) -> Props:
    given, operation = call.inputs, "UpdateTrigger" if call.old else "CreateTrigger"
    if call.store.get(FUNCTION, str(given["functionName"]), call.region) is None:
        message = f"function '{given['functionName']}' does not exist"
        raise error(call, operation, "FunctionNotFound", message, 404)
    if given["triggerType"] == "timer":
        told = json.loads(given.get("triggerConfig") or "{}")
        if not EXPRESSION.fullmatch(str(told.get("cronExpression"))):
            message = f"the cron expression '{told.get('cronExpression')}' is invalid"
            raise error(call, operation, "InvalidArgument", message)
    return {}


@RULES.on_delete(FUNCTION)
def _function_ends(call: Call, record: Record) -> None:
    if call.list(TRIGGER, functionName=record.id):
        message = f"function '{record.id}' has triggers"
        raise error(call, "DeleteFunction", "FunctionNotEmpty", message, 409)
