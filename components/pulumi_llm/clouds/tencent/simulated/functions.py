"""Tencent Cloud: rules for functions of SCF and their timers.

Codes are those of its API (2018-04-16, as listed in tencentcloud-sdk-python-scf 3.1.100), and that a runtime stays is
said there too; what a timer's expression may
hold: cloud.tencent.com/document/product/583/9708; what the provider does with a path: resource_tc_scf_function.go at
00559248; read 2026-11-29. How the texts are worded is from general knowledge.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call, CloudError

from .common import FUNCTION, ROLE, RULES, error

FIELD = r"(?:\*|\?|[0-9]+|[A-Z]{3})(?:[-,/](?:[0-9]+|[A-Z]{3}))*"
EXPRESSION = re.compile(rf"{FIELD}(?: {FIELD}){{6}}")
TRIGGERS = 10
"""Triggers of one type that a function may have (tencentcloud.com/document/product/583/11637)."""


@RULES.on_create(FUNCTION)
@RULES.on_update(FUNCTION)
def _function(call: Call) -> Props:
    given = call.inputs
    if not call.old and call.store.get(FUNCTION, f"{given.get('namespace') or 'default'}+{given['name']}", call.region):
        raise error("ResourceInUse.FunctionName", "The function name already exists.")
    if given.get("role") and not _assumed(call, str(given["role"])):
        raise error("ResourceNotFound.Role", "The role does not exist, or SCF may not take it on.")
    if given.get("zipFile") and call.changed("zipFile"):
        judge(_read(str(given["zipFile"])), str(given.get("handler") or ""))
    if call.old and call.changed("runtime"):
        raise error("InvalidParameterValue.Runtime", "The runtime of a function cannot be changed.")
    if not given.get("vpcId") and not given.get("enablePublicNet"):
        raise error("InvalidParameterValue.PublicNetConfig", "Public network access cannot be disabled without a VPC.")
    timers = [each for each in given.get("triggers") or () if each["type"] == "timer"]
    if len(timers) > TRIGGERS:
        raise error("LimitExceeded.Trigger", "The number of timer triggers exceeds the limit.")
    for each in timers:
        if not EXPRESSION.fullmatch(each["triggerDesc"]):
            raise error("InvalidParameterValue.TriggerDesc", f"The cron expression {each['triggerDesc']} is invalid.")
    return {}


def _assumed(call: Call, name: str) -> bool:
    # A role's id is a number here.
    return any("scf.qcloud.com" in str(each.get("document")) for each in call.store.list(ROLE, name=name))


def _read(path: str) -> bytes:
    """The code, from where the program says that it is."""
    try:
        return Path(path).expanduser().read_bytes()
    except OSError:
        raise CloudError(f"zip file ({path}) open error: open {path}: no such file or directory") from None


def judge(content: bytes, handler: str) -> None:
    """Refuse code that the function cannot run. Raises ``CloudError``."""
    try:
        names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    except zipfile.BadZipFile:
        raise error("InvalidParameterValue.Code", "The code is no ZIP file.") from None
    if f"{handler.partition('.')[0]}.py" not in names:
        raise error("InvalidParameterValue.Handler", f"There is no file of the handler {handler}.")


def described(trigger: Props) -> str:
    """How a trigger is described when it is read: a timer's expression as JSON."""
    text = str(trigger["triggerDesc"])
    return json.dumps({"cron": text}) if trigger["type"] == "timer" else text
