"""What each cloud's metadata service tells a machine about itself, and how a machine is stopped or started.

The role whose credentials are read here may stop this one machine, or start those behind it (`wake`), and nothing
else. A stop asks for the mode that ends the charge: ``StopCharging`` on Aliyun, ``STOP_CHARGING`` on Tencent Cloud; EC2
charges for no machine that is stopped.
A plain ``poweroff`` names no mode: on AWS it ends the charge all the same; CVM's is KEEP_CHARGING where none is named
(www.tencentcloud.com/document/product/213/19922), ECS's what the account has set, else KeepCharging (help.aliyun.com,
economical mode; the provider's docstring of ``stopped_mode``); read 2026-11-28.
"""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from llm_node import leave_signing as signing
from llm_node.leave_signing import Credentials
from llm_node.system import Failure

SECONDS = 5
"""How long the metadata service may take; it is a step away."""
STOP_SECONDS = 20
TTL = "300"
"""Seconds for which a token of the metadata service is asked for, with each look anew."""
OPENER = build_opener(ProxyHandler({}))
"""Neither the metadata nor the cloud's own API is asked through anybody's proxy."""
ROWS = {
    name: re.compile(rf'(?<=<{name}>)[^<]+|(?<="{name}":")[^"]+|(?<="{name}": ")[^"]+') for name in ("Code", "Message")
}
"""Where the code and the words of an error stand, in XML and in JSON."""
DENIED = r"^(Forbidden|NoPermission|UnauthorizedOperation|AuthFailure|AccessDenied)"
"""How the codes start that say that the role may not."""


@dataclass(frozen=True)
class Cloud:
    """How a cloud is asked. Paths are below ``below``."""

    metadata: str
    roles: str
    """Where the role's name is listed, and below it its credentials."""
    region: str
    notice: str
    """Where a spot machine is told that it will be taken: 404 until then."""
    token: tuple[str, str] | None
    """Headers of the token-only mode: for how long one is asked, and where it is shown; None: the cloud has none."""
    fields: tuple[str, str, str]
    """What id, secret and token are called in the credentials."""
    below: str = "/latest/"
    headers: tuple[tuple[str, str], ...] = ()
    """What each request has to carry."""
    words: tuple[tuple[str, str], ...] = ()
    """What the notice says where it is no time: each word, and when the machine goes then; empty: it stays."""


CLOUDS = {
    "aliyun": Cloud(
        metadata="http://100.100.100.200",
        roles="meta-data/ram/security-credentials/",
        region="meta-data/region-id",
        notice="meta-data/instance/spot/termination-time",
        token=("X-aliyun-ecs-metadata-token-ttl-seconds", "X-aliyun-ecs-metadata-token"),
        fields=("AccessKeyId", "AccessKeySecret", "SecurityToken"),
    ),
    "tencent": Cloud(
        metadata="http://metadata.tencentyun.com",
        roles="meta-data/cam/security-credentials/",
        region="meta-data/placement/region",
        notice="meta-data/spot/termination-time",
        token=None,
        fields=("TmpSecretId", "TmpSecretKey", "Token"),
    ),
    "aws": Cloud(
        metadata="http://169.254.169.254",
        roles="meta-data/iam/security-credentials/",
        region="meta-data/placement/region",
        notice="meta-data/spot/instance-action",
        token=("X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"),
        fields=("AccessKeyId", "SecretAccessKey", "Token"),
    ),
    # Notices alone: machines there have no account of their own (docs/decisions/clouds-for-proxies.md), and none stops
    # itself. The notice is TRUE from the preemption on, and the machine is off 30 seconds later at most
    # (cloud.google.com/compute/docs/instances/preemptible and .../create-use-preemptible; read 2026-11-30). The address
    # is that of metadata.google.internal.
    "gcp": Cloud(
        metadata="http://169.254.169.254",
        roles="",
        region="",
        notice="instance/preempted",
        token=None,
        fields=("", "", ""),
        below="/computeMetadata/v1/",
        headers=(("Metadata-Flavor", "Google"),),
        words=(("TRUE", "any moment, within 30 seconds"), ("FALSE", "")),
    ),
}


class Denial(Failure):
    """A cloud's no; ``said`` is its own code."""

    said = ""


class Metadata:
    """The metadata service of this machine. ``codes``: what the codes of its failures begin with."""

    def __init__(self, cloud: str, codes: str = "leave") -> None:
        self.cloud, self.codes = CLOUDS[cloud], codes
        self.base = os.environ.get("LLM_METADATA", self.cloud.metadata)

    def get(self, path: str) -> str | None:
        """What it tells at a path; None for what is not there. A Failure where it does not answer."""
        headers = dict(self.cloud.headers)
        try:
            if self.cloud.token is not None:
                lasting, shown = self.cloud.token
                asked = Request(f"{self.base}/latest/api/token", method="PUT", headers={lasting: TTL})  # noqa: S310
                with OPENER.open(asked, timeout=SECONDS) as reply:
                    headers[shown] = reply.read().decode()
            url = f"{self.base}{self.cloud.below}{path}"
            with OPENER.open(Request(url, headers=headers), timeout=SECONDS) as reply:  # noqa: S310
                return str(reply.read().decode()).strip()
        except HTTPError as error:
            if error.code == 404:
                return None
            raise Failure(
                f"{self.codes}.no-metadata", f"the metadata service answered {error.code} for {path}", True
            ) from None
        except (OSError, ValueError) as error:
            raise Failure(f"{self.codes}.no-metadata", f"the metadata service does not answer: {error}", True) from None

    def silent(self, message: str) -> Failure:
        """What it is called where the service says nothing."""
        return Failure(f"{self.codes}.no-metadata", message, True)

    def must(self, path: str) -> str:
        """The same of what has to be there."""
        found = self.get(path)
        if not found:
            raise self.silent(f"the metadata service has nothing at {path}")
        return found

    def credentials(self) -> Credentials:
        """Those of the machine's role. A Failure ``.no-role`` where it has none."""
        names = (self.get(self.cloud.roles) or "").split()
        if not names:
            raise Failure(f"{self.codes}.no-role", "this machine has no role that may do it", True)
        found: Any = None
        try:
            found = json.loads(self.must(self.cloud.roles + names[0]))
            return Credentials(*(str(found[name]) for name in self.cloud.fields))
        except (ValueError, KeyError, TypeError):
            said = found.get("Code") if isinstance(found, dict) else None
            raise Failure(f"{self.codes}.no-role", f"the role {names[0]} lends no credentials ({said})", True) from None

    def notice(self) -> str | None:
        """When this spot machine is to be taken, as the cloud writes it; None: nothing is said.

        UTC; on Tencent Cloud UTC+8 (www.tencentcloud.com/document/product/213/32487).
        """
        found = self.get(self.cloud.notice)
        if not found:
            return None
        if self.cloud.words:
            return dict(self.cloud.words).get(found) or None
        try:
            told = json.loads(found)
        except ValueError:
            return found if self.cloud.token is not None else f"{found} UTC+8"
        # AWS names what it will do: terminate, stop or hibernate.
        return str(told.get("time")) if isinstance(told, dict) else found


def stop(cloud: str, metadata: Metadata) -> None:
    """Ask the cloud to stop this machine. A Failure as of `ask`."""
    ask(cloud, metadata, "Stop", metadata.must("meta-data/instance-id"))


def ask(cloud: str, metadata: Metadata, what: str, machine: str) -> None:
    """Ask the cloud to ``Stop`` or ``Start`` a machine. A Failure ``.denied``, ``.failed`` or ``.unreachable``."""
    lent, region = metadata.credentials(), metadata.must(metadata.cloud.region)
    request = REQUESTS[cloud](lent, region, machine, time.time(), what)
    try:
        with OPENER.open(request, timeout=STOP_SECONDS) as reply:
            said = reply.read(100_000).decode(errors="replace")
    except HTTPError as error:
        raise refused(error.code, error.read(100_000).decode(errors="replace"), metadata.codes) from None
    except (OSError, ValueError) as error:
        raise Failure(f"{metadata.codes}.unreachable", f"{request.host} does not answer: {error}", True) from None
    if re.search(r'"Response":\s*\{\s*"Error"', said):  # Tencent Cloud says 200 to everything
        raise refused(200, said, metadata.codes)
    if what == "Start" and (found := RUNS.search(said)):
        denial = Denial(f"{metadata.codes}.failed", f"the cloud answered 200, and that it was {found[1]} already")
        denial.said = "IncorrectInstanceState"
        raise denial


RUNS = re.compile(r"<previousState>\s*(?:(?!</previousState>).)*?<name>(running|pending)</name>", re.DOTALL)
"""EC2 takes a start of a machine that runs, and says so by the state before (botocore's model of StartInstances)."""


def refused(status: int, said: str, codes: str) -> Denial:
    """The cloud's no, as a verdict with its own words in it."""
    found = {name: (ROWS[name].search(said) or [""])[0] for name in ROWS}
    denied = status == 403 or re.search(DENIED, found["Code"])
    told = " ".join(f"{each}" for each in found.values() if each)[:300]
    denial = Denial(f"{codes}.{'denied' if denied else 'failed'}", f"the cloud answered {status}: {told or 'no code'}")
    denial.said = found["Code"]
    return denial


ALIYUN = {"cn-hangzhou": "ecs-cn-hangzhou.aliyuncs.com"}
"""Where ECS answers in regions that have no address of the usual form (alibabacloud-ecs20140526 7.11.8)."""


def endpoint(host: str) -> tuple[str, str]:
    """Where an API is, and what it is called."""
    return os.environ.get("LLM_CLOUD_API", f"https://{host}"), host


def aws(lent: Credentials, region: str, machine: str, now: float, what: str = "Stop") -> Request:
    """EC2's StopInstances and StartInstances (2016-11-15)."""
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    url, host = endpoint(f"ec2.{region}.{domain}")
    body = urlencode({"Action": f"{what}Instances", "InstanceId.1": machine, "Version": "2016-11-15"}).encode()
    return Request(f"{url}/", data=body, headers=signing.aws(lent, host, region, body, now))  # noqa: S310


def aliyun(lent: Credentials, region: str, machine: str, now: float, what: str = "Stop") -> Request:
    """ECS's StopInstance, in the economical mode, and StartInstance (2014-05-26)."""
    url, host = endpoint(ALIYUN.get(region, f"ecs.{region}.aliyuncs.com"))
    query = {"InstanceId": machine, **({"StoppedMode": "StopCharging"} if what == "Stop" else {})}
    headers = signing.aliyun(lent, host, f"{what}Instance", "2014-05-26", query, now, uuid.uuid4().hex)
    return Request(f"{url}/?{signing.encoded(query)}", data=b"", headers=headers, method="POST")  # noqa: S310


def tencent(lent: Credentials, region: str, machine: str, now: float, what: str = "Stop") -> Request:
    """CVM's StopInstances, without charge, and StartInstances (2017-03-12)."""
    url, host = endpoint("cvm.tencentcloudapi.com")
    how = {"StopType": "SOFT_FIRST", "StoppedMode": "STOP_CHARGING"} if what == "Stop" else {}
    body = json.dumps({"InstanceIds": [machine], **how}).encode()
    headers = signing.tencent(lent, host, f"{what}Instances", "2017-03-12", region, body, now)
    return Request(f"{url}/", data=body, headers=headers)  # noqa: S310


REQUESTS = {"aws": aws, "aliyun": aliyun, "tencent": tencent}
