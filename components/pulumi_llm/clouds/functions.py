"""A function in somebody's account that starts one machine: its code, its settings, and when its timer runs it. Pure.

The code is `templates/leave/function/start.py` and the module that signs on the nodes too.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import io
import json
import os
import re
import zipfile
import zoneinfo
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pulumi_llm._stopping import facts
from pulumi_llm._system import why
from pulumi_llm._texts import _
from pulumi_llm.clouds.plans import StartPlan
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.roles import files

HANDLER = "start.handler"
VARIABLE = "LLM_START"
"""The environment variable that holds a function's settings."""
MEMORY_MIB = 128
SECONDS = 600
"""How long a run may take: five tries and the pauses between them."""
ABOUT = "Starts one machine of pulumi-llm when its hours begin"
ROLE_ABOUT = "Lets a function start one machine of pulumi-llm, and nothing else"
FOLDER = ".pulumi-llm"
"""Where a code file is written for a provider that takes a path, below the folder in which the program runs."""
ZONE_PART = r"(?:<[^>]+>|[A-Za-z]+)"
_RULE = re.compile(rf"{ZONE_PART}([-+]?[0-9:]+)(?:{ZONE_PART}([-+]?[0-9:]+)?(?:,.+)?)?")
_EPOCH = (1980, 1, 1, 0, 0, 0)


@cache
def code() -> bytes:
    """The function as a ZIP, the same bytes each time."""
    held = io.BytesIO()
    contents = {
        "llm_node/__init__.py": "",
        "llm_node/leave_signing.py": files.text("leave/stages/leave_signing.py"),
        "start.py": files.text("leave/function/start.py"),
    }
    with zipfile.ZipFile(held, "w") as archive:
        for name, text in contents.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, text)
    return held.getvalue()


def code_text() -> str:
    """The same, in base64."""
    return base64.b64encode(code()).decode()


def digest() -> str:
    """What tells one version of the code from another."""
    return hashlib.sha256(code()).hexdigest()[:12]


def code_path() -> str:
    """Where the code is, for a provider that takes a path: the same for everybody who runs the program."""
    return f"{FOLDER}/start-{digest()}.zip"


def write_code(folder: Path = Path()) -> None:
    """Write it there, below the folder in which the program runs. Git passes it over.

    It is there whole or not at all, and what is there already stays: a provider may be at reading it for a machine that
    was registered before.

    Raises:
        Refusal: ``power.no-code-file`` where it cannot be written.
    """
    path = folder / code_path()
    try:
        path.parent.mkdir(exist_ok=True)
        for each, content in ((path.parent / ".gitignore", b"*\n"), (path, code())):
            if not each.is_file() or each.read_bytes() != content:
                written = each.with_name(f"{each.name}.{os.getpid()}")
                written.write_bytes(content)
                written.replace(each)
    except OSError as error:
        told = Finding(
            "power.no-code-file",
            _(
                "{path}, the code of the function that starts the machine, cannot be written: {problem}",
                path=path,
                problem=why(error),
            ),
            _("run it in a folder that may be written to; or started_by: hand"),
            where="started_by",
        )
        raise Refusal([told]) from None


def settings(cloud: str, region: str, host: str, machine: str, plans: Sequence[StartPlan]) -> str:
    """What the function is told, as one environment variable."""
    zone = rule(plans[0].zone)
    return json.dumps(
        {
            "cloud": cloud,
            "host": host,
            "machine": machine,
            "minutes": minutes(plans),
            "region": region,
            "sold_out": facts(cloud)["sold_out"]["pattern"],
            "starts": sorted(day * 1440 + plan.hour * 60 + plan.minute for plan in plans for day in plan.days),
            "zone": zone,
        },
        sort_keys=True,
    )


def minutes(plans: Sequence[StartPlan]) -> list[int]:
    """The minutes of each hour, of UTC, at which one of the hours may begin, summer time or not."""
    offsets = _offsets(rule(plans[0].zone))
    return sorted({(plan.minute + offset) % 60 for plan in plans for offset in offsets})


def _offsets(text: str) -> list[int]:
    """Minutes that a rule's times are behind UTC: standard time, and summer time where there is one."""
    found = _RULE.fullmatch(text)
    if found is None:
        raise _no_rule(text)
    standard = _minutes(found[1])
    if "," not in text:
        return [standard]
    return [standard, _minutes(found[2]) if found[2] else standard - 60]


def _minutes(text: str) -> int:
    hours, __, rest = text.lstrip("+-").partition(":")
    length = int(hours) * 60 + int(rest.partition(":")[0] or 0)
    return -length if text.startswith("-") else length


@cache
def rule(zone: str) -> str:
    """A time zone's present rule as POSIX writes it in ``TZ``, such as ``CET-1CEST,M3.5.0,M10.5.0/3``.

    It is the last line of the zone's file (RFC 9636, 3.3).

    Raises:
        Refusal: ``power.no-zone-rule`` where this machine has no such file, or the file no such line.
    """
    content = b""
    for folder in zoneinfo.TZPATH:
        path = Path(folder, zone)
        if path.is_file():
            content = path.read_bytes()
            break
    else:
        package, __, name = f"tzdata/zoneinfo/{zone}".rpartition("/")
        try:
            content = importlib.resources.files(package.replace("/", ".")).joinpath(name).read_bytes()
        except (ImportError, OSError):
            raise _no_rule(zone) from None
    line = content.removesuffix(b"\n").rpartition(b"\n")[2].decode("ascii", errors="replace")
    if not _RULE.fullmatch(line):
        raise _no_rule(zone)
    return line


def _no_rule(zone: str) -> Refusal:
    message = _("no rule of the time zone {zone!r} is known on this machine", zone=zone)
    hint = _("install the system's tzdata, or the Python package of that name")
    return Refusal([Finding("power.no-zone-rule", message, hint, where="hours")])


def every_hour(plans: Sequence[StartPlan]) -> str:
    """The minutes and the rest of a timer's expression: minute, hour, day of the month, month, day of the week."""
    return f"{','.join(map(str, minutes(plans)))} * * * *"
