"""The command package: nothing runs, as there is no machine, and what it prints says so.

A remote command still needs a machine to talk to: its host has to be the address of an instance that exists.
"""

from __future__ import annotations

import json
from typing import Any

from pulumi_llm._provider_facts.values import ASSET, SIGNATURE, Props

from ..store import Record
from .base import Call, CloudError, Rules
from .reach import lets_in, machine_at

RULES = Rules()

REMOTE, COPY, LOCAL = "command:remote:Command", "command:remote:CopyToRemote", "command:local:Command"

RULES.failed_delete = lambda _: CloudError("Process exited with status 1: running the delete command failed")


def dial(call: Call, connection: Props) -> str:
    """The id of the machine behind a connection. One whose own key is known is no cloud's, and answers.

    Raises :class:`CloudError` as the SSH client words it."""
    proxy = connection.get("proxy")
    if proxy:
        _dial(call, proxy, private=False)
    return _dial(call, connection, private=bool(proxy))


def _dial(call: Call, connection: Props, *, private: bool) -> str:
    attempts = int(connection.get("dialErrorLimit", 10))
    host, port = connection["host"], int(connection.get("port", 22))
    found = machine_at(call.store, str(host), private=private)
    if found is None and connection.get("hostKey"):
        return f"the machine at {host}"
    if found is None:
        raise CloudError(f"after {attempts} failed attempts: dial tcp {host}:{port}: i/o timeout")
    key = connection.get("privateKey")
    if key and not lets_in(call.store, found, str(key)):
        raise CloudError(
            f"after {attempts} failed attempts: ssh: handshake failed: ssh: unable to authenticate, attempted methods "
            "[none publickey], no supported methods remain"
        )
    return found.id


def _report(phase: str, **more: Any) -> str:
    said = {"simulated": True, "executed": False, "phase": phase, **more}
    return json.dumps({**said, "note": "simulated: no machine exists, so nothing was executed"})


def _outputs(stdout: str) -> Props:
    return {"stdout": stdout, "stderr": ""}


@RULES.on_create(REMOTE)
def _create_remote(call: Call) -> Props:
    if not call.inputs.get("create"):
        return _outputs("")
    machine = dial(call, call.inputs["connection"])
    return _outputs(_report("create", host=call.inputs["connection"]["host"], machine=machine))


@RULES.on_update(REMOTE)
def _update_remote(call: Call) -> Props:
    if not (call.inputs.get("update") or call.inputs.get("create")):
        return {}
    machine = dial(call, call.inputs["connection"])
    phase = "update" if call.inputs.get("update") else "create"
    return _outputs(_report(phase, host=call.inputs["connection"]["host"], machine=machine))


@RULES.on_delete(REMOTE)
def _delete_remote(call: Call, record: Record) -> None:
    if call.state.get("delete"):
        dial(call, call.state["connection"])


@RULES.on_create(COPY)
def _create_copy(call: Call) -> Props:
    dial(call, call.inputs["connection"])
    return {}


@RULES.on_update(COPY)
def _update_copy(call: Call) -> Props:
    if call.changed("source", "remotePath"):
        dial(call, call.inputs["connection"])
    return {}


@RULES.on_check(COPY)
def _check_copy(inputs: Props) -> list[tuple[str, str]]:
    source = inputs.get("source")
    if not isinstance(source, dict) or SIGNATURE not in source:
        return []
    if source[SIGNATURE] == ASSET:
        if "text" in source or source.get("path"):
            return []
        return [("source", "asset must be a path-based file asset or a text asset")]
    return [] if source.get("path") else [("source", "archive must be a path to a file or directory")]


@RULES.on_create(LOCAL)
def _create_local(call: Call) -> Props:
    return _outputs(_report("create") if call.inputs.get("create") else "")


@RULES.on_update(LOCAL)
def _update_local(call: Call) -> Props:
    if not (call.inputs.get("update") or call.inputs.get("create")):
        return {}
    return _outputs(_report("update" if call.inputs.get("update") else "create"))
