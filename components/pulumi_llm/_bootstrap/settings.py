"""The settings: all that a node shall be, as one document that travels over SSH, and the two commands that take it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from pulumi_llm import _json
from pulumi_llm._bootstrap import system
from pulumi_llm._bootstrap.files import node_code
from pulumi_llm._bootstrap.node_document import folders, node_document, supply_document, users
from pulumi_llm._bootstrap.user_data import launcher, one_key_a_line, stage_units
from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.roles import order
from pulumi_llm.roles.base import UNITS, Role, file_row
from pulumi_llm.roles.files import fill, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_llm.roles.requests import NodeRequest


def settings(request: NodeRequest) -> dict[str, Any]:
    """The node's complete desired state without its secrets, with the digest over all of it.

    Raises:
        Refusal: what `check` says, and for what a role's files cannot be made of.
    """
    check(request)
    roles = order.listed(request)
    files = _files(request)
    document: dict[str, Any] = {
        "schema": 1,
        "node": request.name,
        "stages": [each.name for each in order.stages(request)],
        "services": services(request),
        "files": files,
        "secrets": {
            "required": list(secret_names(request)),
            "optional": list(optional_secret_names(request)),
            "generated": ["probe_key", *(name for role in roles for name in role.generated(request))],
        },
        "secret_files": [
            row for optional in (False, True) for role in roles for row in role.secret_files(request, optional=optional)
        ],
        "code": _code(request),
        "hints": {code: hint for role in roles for code, hint in role.hints().items()},
    }
    if rests := {unit: name for role in roles for unit, name in role.rests(request).items()}:
        document["rests"] = rests
    if ahead := [(unit, role) for role in roles for unit in role.ahead(request)]:
        own = {role.name: role.files(request) for _unit, role in ahead}
        document["ahead"] = {
            "units": [unit for unit, _role in ahead],
            "files": [row["path"] for rows in own.values() for row in rows if not row["early"]],
        }
    if before := [name for role in roles for name in role.before(request)]:
        document["before"] = before
    if late := folders(request, early=False):
        document["folders"] = late
    for role in roles:
        if (turns := role.turns(request)) is not None:
            document["beside"] = {**turns, **_beside(role, request, files, str(turns["unit"]))}
    return document | {"digest": digest(document)}


def _beside(role: Role, request: NodeRequest, files: list[dict[str, Any]], unit: str) -> dict[str, Any]:
    """The other form of the settings, with the role's service as another unit: what differs of it."""
    twin = role.twin(request)
    turns = role.turns(twin) if twin is not None else None
    if twin is None or turns is None:
        return {}
    others = _files(twin)
    paths = {each["path"] for each in others}
    return {
        "units": [unit, turns["unit"]],
        "other": {
            **{key: turns[key] for key in ("unit", "health", "ask")},
            "services": services(twin),
            "files": [each for each in others if each not in files],
            "gone": [each["path"] for each in files if each["path"] not in paths],
        },
    }


def check(request: NodeRequest) -> None:
    """Refuse a node whose roles would not start, before anything is made.

    Raises:
        Refusal: with all findings at once.
    """
    if findings := [*order.check(request), *system.findings(request)]:
        raise Refusal(findings)


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 over a settings document without its digest; the node computes the same."""
    plain = {key: value for key, value in document.items() if key != "digest"}
    return hashlib.sha256(_json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def services(request: NodeRequest) -> list[str]:
    """The units that run in the end, in the order in which they are started; the watch comes last."""
    return [
        "llm-status.service",
        *(unit for each in order.services(request) for unit in each.units(request)),
        "llm-watch.service",
    ]


def secret_names(request: NodeRequest) -> tuple[str, ...]:
    """Names that the secrets document must carry."""
    return tuple(dict.fromkeys(each for role in order.listed(request) for each in role.required_secrets(request)))


def optional_secret_names(request: NodeRequest) -> tuple[str, ...]:
    """Names that the secrets document may carry: a hub token for gated models."""
    return tuple(dict.fromkeys(each for role in order.listed(request) for each in role.optional_secrets(request)))


def secrets_document(request_settings: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    """What `apply_command` reads on standard input. Secret: mark it so before it goes anywhere.

    Raises:
        Refusal: ``bootstrap.missing-secret`` naming all that are missing or empty.
    """
    missing = [name for name in request_settings["secrets"]["required"] if not str(secrets.get(name) or "").strip()]
    if missing:
        raise Refusal(
            [
                Finding(
                    "bootstrap.missing-secret",
                    _("not given: {missing}", missing=listed(missing)),
                    _("pulumi config set --secret"),
                    where=str(request_settings["node"]),
                )
            ]
        )
    wanted = [*request_settings["secrets"]["required"], *request_settings["secrets"]["optional"]]
    given = {name: secrets[name] for name in wanted if secrets.get(name)}
    return json.dumps({"settings_digest": request_settings["digest"], "secrets": given})


def stage_command(*, begin: bool = False, as_root: bool = False) -> str:
    """The shell line that takes the settings on standard input, run as the login user; ``as_root``: who is root.

    ``begin``: a node that has never been ready begins to install what needs no secrets.
    """
    if as_root:
        return "exec /opt/llm/bin/llm-node stage"  # a container is taken over SSH, and nothing is waited for
    # SSH answers before cloud-init has unpacked the node's code, and a machine without a working cloud-init never
    # will: wait for ten minutes, then say what cloud-init says.
    node = "/opt/llm/bin/llm-node"
    return (
        "n=0; until [ -x /opt/llm/bin/llm-node ]; do n=$((n+1)); "
        "if [ $n -gt 120 ]; then echo '[node.no-cloud-init] user data was not run within ten minutes' >&2; "
        "cloud-init status --long >&2; exit 1; fi; sleep 5; done; "
        + (f"sudo -n {node} stage && exec sudo -n {node} begin" if begin else f"exec sudo -n {node} stage")
    )


def apply_command(minutes: int = 180, *, as_root: bool = False) -> str:
    """The shell line that takes the secrets document on standard input and ends when the node is ready.

    After ``minutes`` it gives up, by its own clock and with a code: give it a little less than whoever runs it waits.
    """
    # No loop around it: it follows the settings, so the node's code is there. What fails is quoted with its command.
    return f"exec {'' if as_root else 'sudo -n '}/opt/llm/bin/llm-node apply {minutes}"


def _code(request: NodeRequest) -> dict[str, str]:
    """The node's own code, and the stages of roles that bring theirs."""
    code = node_code()
    for role in order.listed(request):
        for name, source in role.code_on(request).items():
            # Two roles may share a module: backups and the bucket of weights send alike.
            if code.get(name, source) != source:
                message = _(
                    "the role {name!r} has a module {name_2}, which the node has already", name=role.name, name_2=name
                )
                raise Refusal([Finding("roles.bad-role", message, _("call the stage otherwise"))])
            code[name] = source
    return code


def _files(request: NodeRequest) -> list[dict[str, Any]]:
    return [
        file_row("/opt/llm/node.json", one_key_a_line(node_document(request)) + "\n", early=True),
        file_row("/opt/llm/bin/llm-node", launcher(request), mode="0755", early=True),
        file_row("/etc/sysusers.d/llm.conf", users(request), early=True),
        file_row("/etc/apt/apt.conf.d/52llm", text("node/apt.conf"), early=True),
        file_row(f"{UNITS}/llm.target", text("node/llm.target"), early=True),
        *[file_row(path, content, early=True) for path, content in stage_units(request).items()],
        file_row("/opt/llm/supply.json", json.dumps(supply_document(request), indent=1) + "\n", early=True),
        *[file_row(f"/opt/llm/locks/{name}.txt", lock, early=True) for name, lock in _locks(request).items()],
        file_row("/opt/llm/signs.json", text("node/signs.json")),
        file_row("/opt/llm/watch.json", json.dumps(_watch(request), indent=1) + "\n", "llm-watch.service"),
        file_row(f"{UNITS}/llm-watch.service", _watch_unit(request), "llm-watch.service"),
        file_row(f"{UNITS}/llm-status.service", text("node/llm-status.service"), "llm-status.service"),
        *[row for role in order.listed(request) for row in role.files(request)],
    ]


def _locks(request: NodeRequest) -> dict[str, str]:
    """The locks of the node's environments, and of what installs them."""
    roles = order.listed(request)
    python = system.of(request).python
    found = {name: role.lock(name, python) for role in order.started(request) for name in role.environments(request)}
    tools = {
        name: role.lock(name, python)
        for role in roles
        for name, each in role.manifest.install.environments.items()
        if each.tool
    }
    return {**found, **tools} if found else {}


def _watch_unit(request: NodeRequest) -> str:
    running = [str(role.unit) for role in order.listed(request) if role.unit and role.runs(request)]
    return fill("node/llm-watch.service.j2", after=" ".join(running))


def _watch(request: NodeRequest) -> dict[str, Any]:
    have = order.services(request)
    watched: dict[str, Any] = {"models": None}
    # The others' one container is called as docker compose would call it: llm-NAME-1.
    boxes = {_service(each): each.containers(request) for each in have}
    if other := {name: each for name, each in boxes.items() if each and each != [f"llm-{name}-1"]}:
        watched["containers"] = other
    for role in order.listed(request):
        watched |= role.watched(request)
    return {
        # Where the status document is.
        "https_port": order.status_port(request),
        "services": [unit for each in have for unit in each.units(request) if unit.endswith(".service")],
        "health": {name: url for each in have for name, url in each.health(request).items()},
        **watched,
    }


def _service(role: Role) -> str:
    """A role's service as the node's codes call it."""
    return str(role.unit).removeprefix("llm-").removesuffix(".service")
