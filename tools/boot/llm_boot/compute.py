"""What a cloud tells a machine of itself, what it lends it, and what it does when it is asked with that.

``FOLDER/compute.json`` has a row for each machine, by its public address (`World.tell` writes it). A machine with a row
has its own cloud's metadata: id, region, the credentials of its role, a spot notice. Its cloud's API takes a call if
it is signed with those credentials and if the role's policies let it: then the machine is shut down, or switched on.
``FOLDER/orders.jsonl`` tells each call and what became of it.
"""

from __future__ import annotations

import fcntl
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from llm_boot.answers import Answer
from llm_boot.signatures import Signed, good

HOSTS = {
    "aliyun": ("100.100.100.200",),
    "tencent": ("metadata.tencentyun.com", "169.254.0.23"),
    "aws": ("169.254.169.254",),
    "gcp": ("169.254.169.254",),
}
"""Where a machine of each cloud finds its metadata."""

TOKENS = {
    "aliyun": ("x-aliyun-ecs-metadata-token-ttl-seconds", "x-aliyun-ecs-metadata-token", 403),
    "aws": ("x-aws-ec2-metadata-token-ttl-seconds", "x-aws-ec2-metadata-token", 401),
}
"""The token-only mode, which our programs ask for: for how long, where it is shown, and how its lack is answered."""

ROLES = {
    "aliyun": ("meta-data/ram/security-credentials/", ("AccessKeyId", "AccessKeySecret", "SecurityToken")),
    "tencent": ("meta-data/cam/security-credentials/", ("TmpSecretId", "TmpSecretKey", "Token")),
    "aws": ("meta-data/iam/security-credentials/", ("AccessKeyId", "SecretAccessKey", "Token")),
}
NOTICES = {
    "aliyun": "meta-data/instance/spot/termination-time",
    "tencent": "meta-data/spot/termination-time",
    "aws": "meta-data/spot/instance-action",
    "gcp": "instance/preempted",
}
ACCOUNT = "123456789012"
RESOURCES: dict[str, Callable[[Row], str]] = {
    "aliyun": lambda row: f"acs:ecs:{row.region}:{ACCOUNT}:instance/{row.id}",
    "tencent": lambda row: f"qcs::cvm:{row.region}::instance/{row.id}",
    "aws": lambda row: f"arn:aws:ec2:{row.region}:{row.account}:instance/{row.id}",
}
"""What a policy calls a machine."""

REFUSALS = {
    "aliyun": {
        "key": (404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."),
        "signature": (400, "SignatureDoesNotMatch", "Specified signature does not match our calculation."),
        "right": (403, "Forbidden.RAM", "User not authorized to operate on the specified resource."),
        "machine": (404, "InvalidInstanceId.NotFound", "The specified InstanceId does not exist."),
        "action": (404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method."),
    },
    "tencent": {
        "key": (200, "AuthFailure.SecretIdNotFound", "The SecretId is not found."),
        "signature": (200, "AuthFailure.SignatureFailure", "The provided credentials could not be validated."),
        "right": (200, "UnauthorizedOperation", "You are not authorized to perform this operation."),
        "machine": (200, "InvalidInstanceId.NotFound", "The instance does not exist."),
        "action": (200, "InvalidAction", "The API does not exist."),
    },
    "aws": {
        "key": (401, "AuthFailure", "AWS was not able to validate the provided access credentials"),
        "signature": (401, "AuthFailure", "AWS was not able to validate the provided access credentials"),
        "right": (403, "UnauthorizedOperation", "You are not authorized to perform this operation."),
        "machine": (400, "InvalidInstanceID.NotFound", "The instance ID does not exist"),
        "action": (400, "InvalidAction", "The action is not valid for this web service."),
    },
}
"""How each cloud says no; by what is wrong."""

NAMES = {"stop": ("StopInstance", "StopInstances"), "start": ("StartInstance", "StartInstances")}


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a cloud knows of one machine. ``policies``: the documents of its role; ``role``: "" for none."""

    cloud: str
    region: str
    id: str
    machine: str
    """Its name in this world."""
    role: str = ""
    policies: tuple[Mapping[str, Any], ...] = ()
    notice: str = ""
    account: str = ACCOUNT
    key: tuple[str, str, str] = field(default=("", "", ""))
    """Id, secret and token that the role lends."""


@dataclass(frozen=True)
class Order:
    """A call of a cloud's API, taken apart."""

    action: str
    machines: tuple[str, ...]
    mode: str


def read(folder: Path) -> dict[str, Row]:
    """The rows, by public address."""
    try:
        rows = json.loads((folder / "compute.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {
        address: Row(**{**row, "policies": tuple(row["policies"]), "key": tuple(row["key"])})
        for address, row in rows.items()
    }


def write(folder: Path, rows: Mapping[str, Row]) -> None:
    """Put them in force."""
    new = folder / "compute.json.new"
    new.write_text(json.dumps({address: asdict(row) for address, row in rows.items()}), encoding="utf-8")
    new.replace(folder / "compute.json")


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """For one alone who reads, and writes what follows from that: a program's packages work at the same time."""
    with (folder / "compute.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Compute:
    """The clouds' metadata and compute APIs at one edge. ``power`` switches a machine: its name, and stop or start."""

    def __init__(self, folder: Path, power: Callable[[str, str], None]) -> None:
        self.folder, self.power = folder, power
        self._lock = threading.Lock()

    # -- metadata

    def metadata(self, client: str, method: str, host: str, path: str, headers: Mapping[str, str]) -> Answer | None:
        """What a machine is told; None for one that nothing is known of."""
        row = read(self.folder).get(client)
        if row is None:
            return None
        if host not in HOSTS[row.cloud]:
            return Answer(404)
        plain = urlsplit(path).path
        lasting, shown, status = TOKENS.get(row.cloud, ("", "", 0))
        if method == "PUT":
            fits = plain == "/latest/api/token" and headers.get(lasting, "").isdigit()
            return Answer(200, f"token-of-{row.id}".encode()) if fits else Answer(404)
        if shown and headers.get(shown) != f"token-of-{row.id}":
            return Answer(status)
        if row.cloud == "gcp" and headers.get("metadata-flavor") != "Google":
            return Answer(403)
        found = self._facts(row).get(plain.removeprefix("/computeMetadata/v1/" if row.cloud == "gcp" else "/latest/"))
        return Answer(404) if found is None else Answer(200, found.encode(), {"Content-Type": "text/plain"})

    def _facts(self, row: Row) -> dict[str, str]:
        if row.cloud == "gcp":
            return {NOTICES["gcp"]: row.notice or "FALSE"}
        region = "meta-data/region-id" if row.cloud == "aliyun" else "meta-data/placement/region"
        facts = {"meta-data/instance-id": row.id, region: row.region}
        if row.role:
            place, names = ROLES[row.cloud]
            facts[place] = row.role
            facts[place + row.role] = json.dumps({"Code": "Success", **dict(zip(names, row.key, strict=True))})
        if row.notice:
            facts[NOTICES[row.cloud]] = row.notice
        return facts

    # -- the API

    def api(self, client: str, host: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One call: whose it is, whether it is signed, whether the role may, and then it is done."""
        rows = read(self.folder)
        cloud = next(name for name, end in ENDS.items() if end in host)
        call = Signed(host, path, headers, body)
        order = taken_apart(cloud, call)
        wrong = self._wrong(rows, cloud, call, order)
        told = {"client": client, "cloud": cloud, **asdict(order), "refused": wrong}
        with self._lock, (self.folder / "orders.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": round(time.time(), 3), **told}) + "\n")
        if wrong:
            return refusal(cloud, *REFUSALS[cloud][wrong])
        what = next(name for name, names in NAMES.items() if order.action in names)
        names = [row.machine for row in rows.values() if row.id in order.machines]
        # The cloud answers first, and then does it.
        threading.Timer(0.2, lambda: [self.power(name, what) for name in names]).start()
        return taken(cloud, what)

    def _wrong(self, rows: Mapping[str, Row], cloud: str, call: Signed, order: Order) -> str | None:
        caller = next((row for row in rows.values() if row.cloud == cloud and row.key[0] in call.credential[:1]), None)
        if caller is None or not caller.role:
            return "key"
        token = next((call.headers[each] for each in TOKEN_HEADERS if each in call.headers), "")
        if token != caller.key[2] or not good(cloud, call, caller.key[1]):
            return "signature"
        if not any(order.action in names for names in NAMES.values()):
            return "action"
        known = {row.id: row for row in rows.values() if row.cloud == cloud}
        if not order.machines or not set(order.machines) <= known.keys():
            return "machine"
        service = {"aliyun": "ecs", "tencent": "cvm", "aws": "ec2"}[cloud]
        wanted = [RESOURCES[cloud](known[each]) for each in order.machines]
        allowed = all(lets(caller.policies, f"{service}:{order.action}", each) for each in wanted)
        return None if allowed else "right"


ENDS = {"aliyun": ".aliyuncs.com", "tencent": ".tencentcloudapi.com", "aws": ".amazonaws.com"}
TOKEN_HEADERS = ("x-acs-security-token", "x-tc-token", "x-amz-security-token")


def taken_apart(cloud: str, call: Signed) -> Order:
    """What a call asks for."""
    if cloud == "aliyun":
        return Order(
            call.headers.get("x-acs-action", ""),
            tuple(filter(None, [call.query.get("InstanceId")])),
            call.query.get("StoppedMode", ""),
        )
    if cloud == "tencent":
        asked = json.loads(call.body or b"{}")
        return Order(
            call.headers.get("x-tc-action", ""), tuple(asked.get("InstanceIds", ())), asked.get("StoppedMode", "")
        )
    form = dict(parse_qsl(call.body.decode()))
    machines = tuple(value for name, value in form.items() if name.startswith("InstanceId."))
    return Order(form.get("Action", ""), machines, "")


def lets(policies: tuple[Mapping[str, Any], ...], action: str, resource: str) -> bool:
    """Whether a role's policies allow an action on a machine: what no statement allows is denied."""
    statements = [
        {name.casefold(): value for name, value in each.items()}
        for policy in policies
        for each in policy.get("Statement") or policy.get("statement") or ()
    ]

    def said(effect: str) -> bool:
        return any(
            str(each["effect"]).casefold() == effect
            and any(fnmatchcase(action, pattern) for pattern in _list(each["action"]))
            and any(fnmatchcase(resource, pattern) for pattern in _list(each["resource"]))
            for each in statements
        )

    return said("allow") and not said("deny")


def _list(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def refusal(cloud: str, status: int, code: str, message: str) -> Answer:
    """A no, as that cloud writes it."""
    if cloud == "aws":
        text = f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors></Response>"
        return Answer(status, text.encode(), {"Content-Type": "text/xml"})
    said: Any = {"Code": code, "Message": message}
    if cloud == "tencent":
        said = {"Response": {"Error": said, "RequestId": "00000000"}}
    return Answer(status, json.dumps(said).encode(), {"Content-Type": "application/json"})


def taken(cloud: str, what: str) -> Answer:
    """A yes."""
    if cloud == "aws":
        now, before = ("stopping", "running") if what == "stop" else ("pending", "stopped")
        text = (
            f"<{what.title()}InstancesResponse><instancesSet><item><currentState><name>{now}</name></currentState>"
            f"<previousState><name>{before}</name></previousState></item></instancesSet>"
            f"</{what.title()}InstancesResponse>"
        )
        return Answer(200, text.encode(), {"Content-Type": "text/xml"})
    said: Any = {"RequestId": "00000000"}
    said = {"Response": said} if cloud == "tencent" else said
    return Answer(200, json.dumps(said).encode(), {"Content-Type": "application/json"})
