"""Tencent Cloud: rules for functions of SCF and their timers.

Codes are those of its API (2018-04-16, as listed in tencentcloud-sdk-python-scf 3.1.100); what a timer's expression may
hold: cloud.tencent.com/document/product/583/9708; what the provider does with a path: resource_tc_scf_function.go at
00559248; read 2026-11-29. How the texts are worded is from general knowledge.
"""

from __future__ import annotations

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
    if not call.id and call.store.get(FUNCTION, f"{given.get('namespace') or 'default'}+{given['name']}", call.region):
        raise error("ResourceInUse.FunctionName", "The function name already exists.")
    if given.get("role") and not _assumed(call, str(given["role"])):
        raise error("ResourceNotFound.Role", "The role does not exist, or SCF may not take it on.")
    if not call.id or call.changed("zipFile"):
        _code(str(given.get("zipFile") or ""), str(given.get("handler") or ""))
    if not given.get("vpcId") and not given.get("enablePublicNet"):
        raise error("InvalidParameterValue.PublicNetConfig", "Public network access cannot be disabled without a VPC.")
    timers = [each for each in given.get("triggers") or () if each["type"] == "timer"]
    if len(timers) > TRIGGERS:
        raise error("LimitExceeded.Timer", "The number of timer triggers exceeds the limit.")
    for each in timers:
        if not EXPRESSION.fullmatch(each["triggerDesc"]):
            raise error("InvalidParameterValue.Cron", f"The cron expression {each['triggerDesc']} is invalid.")
    return {}


def _assumed(call: Call, name: str) -> bool:
    # A role's id is a number here.
    return any("scf.qcloud.com" in str(each.get("document")) for each in call.store.list(ROLE, name=name))


def _code(path: str, handler: str) -> None:
    """Read the code where the program says that it is."""
    try:
        names = zipfile.ZipFile(Path(path).expanduser()).namelist()
    except OSError:
        raise CloudError(f"zip file ({path}) open error: open {path}: no such file or directory") from None
    except zipfile.BadZipFile:
        raise error("InvalidParameterValue.Code", "The code is no ZIP file.") from None
    if f"{handler.partition('.')[0]}.py" not in names:
        raise error("InvalidParameterValue.Handler", f"There is no file of the handler {handler}.")
