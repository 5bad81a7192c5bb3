"""Starts one machine when its hours begin: a function that its cloud runs by a timer, in Aliyun's FC and Tencent's SCF.

The timer runs it at the same minutes of each hour, and the function looks at the clock of the machine's own time zone:
so it does not rest on the zone of the timer, and is right when clocks are changed. A beginning that the clock skips is
when it has passed it, one that the clock shows twice is the first. It calls one API for one machine, by a role that may
do nothing else, and never more than `TRIES` times: one that is refused for good is told, and comes with the next hours.

It raises nothing, as both clouds run a function again that does. What came of it is one line of its log.
"""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from llm_node import leave_signing as signing

TRIES, PAUSE, SECONDS = 5, 120, 20
"""Tries where the cloud has none left or does not answer, seconds between two, and seconds for each."""
DAY, WEEK = 24 * 60, 7 * 24 * 60
BACK = 180
"""Minutes in which a clock that was set back shows a time again."""
OPENER = build_opener(ProxyHandler({}))
NOT_STOPPED = (
    r"^IncorrectInstanceStatus|^UnsupportedOperation\.InstanceState(Pending|Rebooting|Running|Starting|Stopping)$"
)
"""The codes that say that there is nothing to start: the machine runs, or is on its way."""


def due(now: float, settings: dict[str, Any]) -> bool:
    """Whether this is the first run that finds one of the hours begun."""
    # The rule says all of a zone (POSIX, as `TZ`): there need be no database of zones where this runs.
    os.environ["TZ"] = settings["zone"]
    time.tzset()
    minute = int(now // 60)
    runs = [each for each in range(minute, minute - BACK - 120, -1) if each % 60 in settings["minutes"]]
    latest, before = runs[0], [each for each in runs[1:] if each >= runs[0] - BACK]
    return any(
        past(latest, start) >= 0 and all(past(each, start) < 0 for each in before) for start in settings["starts"]
    )


def past(minute: int, start: int) -> int:
    """Minutes since a beginning, by the local clock; negative where it comes next."""
    local = time.localtime(minute * 60)
    shown = local.tm_wday * DAY + local.tm_hour * 60 + local.tm_min
    return (shown - start + WEEK // 2) % WEEK - WEEK // 2


def aliyun(settings: dict[str, Any], context: Any, now: float) -> Request:
    """ECS's StartInstance (2014-05-26)."""
    given, host, query = context.credentials, settings["host"], {"InstanceId": settings["machine"]}
    lent = signing.Credentials(given.access_key_id, given.access_key_secret, given.security_token)
    headers = signing.aliyun(lent, host, "StartInstance", "2014-05-26", query, now, uuid.uuid4().hex)
    return Request(f"{url(host)}/?{signing.encoded(query)}", data=b"", headers=headers, method="POST")  # noqa: S310


def tencent(settings: dict[str, Any], context: Any, now: float) -> Request:
    """CVM's StartInstances (2017-03-12)."""
    host, body = settings["host"], json.dumps({"InstanceIds": [settings["machine"]]}).encode()
    names = ("TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRETKEY", "TENCENTCLOUD_SESSIONTOKEN")
    lent = signing.Credentials(*(os.environ[name] for name in names))
    headers = signing.tencent(lent, host, "StartInstances", "2017-03-12", settings["region"], body, now)
    return Request(f"{url(host)}/", data=body, headers=headers)  # noqa: S310


def url(host: str) -> str:
    """Where an API is."""
    return os.environ.get("LLM_CLOUD_API", f"https://{host}")


REQUESTS = {"aliyun": aliyun, "tencent": tencent}


def called(request: Request) -> tuple[str, str]:
    """The code and the words of the cloud's no; both empty where it took the start."""
    try:
        with OPENER.open(request, timeout=SECONDS) as reply:
            said = reply.read(100_000)
    except HTTPError as error:
        said = error.read(100_000)
        if error.code >= 500:
            return "Unreachable", f"HTTP {error.code}"
    except OSError as error:
        return "Unreachable", str(error)
    try:
        told = json.loads(said)
        found = told.get("Response", told)
        found = found.get("Error", found)
        return str(found.get("Code", "")), str(found.get("Message", ""))[:300]
    except (ValueError, AttributeError):
        return "Unreadable", said[:100].decode(errors="replace")


def start(settings: dict[str, Any], context: Any, pause: Callable[[float], None]) -> dict[str, Any]:
    """Start the machine. What came of it: ``started``, ``not-stopped`` (it was on, say) or ``failed``."""
    code, message, again = "", "", f"Unreachable|{settings['sold_out']}"
    for tries in range(1, TRIES + 1):
        code, message = called(REQUESTS[settings["cloud"]](settings, context, time.time()))
        state = "failed" if code else "started"
        if re.search(NOT_STOPPED, code):
            state = "not-stopped"
        if state != "failed" or not re.search(again, code) or tries == TRIES:
            return {"machine": settings["machine"], "state": state, "tries": tries, "code": code, "message": message}
        pause(PAUSE)
    raise AssertionError


def handler(event: Any, context: Any) -> str:
    """What the timer runs. Both clouds call it with the event and what is known of the run."""
    settings = json.loads(os.environ["LLM_START"])
    found: dict[str, Any] = {"state": "not-due"}
    try:
        if due(time.time(), settings):
            found = start(settings, context, time.sleep)
    except (AttributeError, KeyError, ValueError) as error:  # it has no role, say
        found = {"machine": settings["machine"], "state": "failed", "code": "NoCredentials", "message": repr(error)}
    told = json.dumps(found)
    if found["state"] != "not-due":
        print(told)  # noqa: T201 - the function's log
    return told
