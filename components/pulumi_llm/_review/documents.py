"""The files inside an input: what user data packs, what settings carry, and any other text, each under its own name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pulumi_llm import _json, _yaml
from pulumi_llm._bootstrap.files import unpacked as files_of_archive
from pulumi_llm._plan.model import SHOWN_SECRET, SHOWN_UNKNOWN, UNKNOWN, is_secret
from pulumi_llm._review.policy_table import policy_table, unpacked

ARCHIVE = "/opt/llm/boot"
"""Where user data of ours puts the archive of a node's files."""
_REST = "cloud-config"


def files_in(type_: str, name: str, value: Any) -> dict[str, str]:
    """The files in the input ``name`` of a resource of ``type_``: name to text. Nothing for what is no document.

    A secret or unknown value is a file of its own that says so.
    """
    if is_secret(value):
        return {name: SHOWN_SECRET}
    if value == UNKNOWN:
        return {name: SHOWN_UNKNOWN}
    if not isinstance(value, str) or not is_document(type_, name, value):
        return {}
    machine = policy_table().machines.get(type_)
    if machine is not None and name in machine.user_data:
        return _of_user_data(unpacked(value))
    return settings_files(value) or {name: value}


def is_document(type_: str, name: str, value: Any) -> bool:
    """Whether an input is shown line by line: user data, and texts of several lines."""
    machine = policy_table().machines.get(type_)
    of_machine = machine is not None and name in machine.user_data
    return isinstance(value, str) and (of_machine or "\n" in value.strip())


def settings_document(text: Any) -> Mapping[str, Any] | None:
    """A node's settings, if that is what the text is."""
    return _settings(text) if isinstance(text, str) and text.startswith("{") else None


@lru_cache(maxsize=64)
def _settings(text: str) -> Mapping[str, Any] | None:
    # A review looks at the same few documents again and again, and each holds a node's whole code.
    try:
        content = _json.loads(text)
    except ValueError:
        return None
    known = isinstance(content, dict) and {"schema", "node", "files", "services", "digest"} <= content.keys()
    return content if known else None


def settings_files(text: str) -> dict[str, str]:
    """The files that a node's settings carry, and the rest of them."""
    content = settings_document(text)
    if content is None:
        return {}
    found = {str(each["path"]): str(each["content"]) for each in content["files"]}
    found |= {f"/opt/llm/lib/{path}": str(source) for path, source in (content.get("code") or {}).items()}
    rest = {key: value for key, value in content.items() if key not in ("files", "code", "digest", "beside")}
    return found | {"settings.json": json.dumps(rest, indent=1, ensure_ascii=False, sort_keys=True) + "\n"}


def _of_user_data(text: str) -> dict[str, str]:
    if not text.startswith("#cloud-config"):
        return {"user-data": text}
    try:
        content = _yaml.load(text)
    except _yaml.YAMLError:
        return {_REST: text}
    if not isinstance(content, Mapping):
        return {_REST: text}
    found: dict[str, str] = {}
    listed = content.get("write_files")
    for each in listed if isinstance(listed, list) else ():
        if not isinstance(each, Mapping):
            continue
        path, body = str(each.get("path")), str(each.get("content", ""))
        if path == ARCHIVE:
            try:
                found |= files_of_archive(body)
                continue
            except Exception:  # not packed by us: shown as it is
                found[path] = body
        found[path] = unpacked(body) if each.get("encoding") else body
    rest = {key: value for key, value in content.items() if key != "write_files"}
    return found | {_REST: _yaml.dump(rest)}
