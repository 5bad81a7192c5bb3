"""Whether a call to a cloud's API is signed by the credentials it names: signed again by that cloud's own SDK.

An edge that let every call pass would stop machines by a signature that no cloud takes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Signed:
    """A call as it came in; the names of ``headers`` are small."""

    host: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        """What the path asks."""
        return dict(parse_qsl(urlsplit(self.path).query))

    @property
    def authorization(self) -> str:
        """The header with the signature."""
        return self.headers.get("authorization", "")

    @property
    def credential(self) -> list[str]:
        """The key's id and, where a cloud has one, the scope."""
        found = re.search(r"Credential=([^,\s]+)", self.authorization)
        return found[1].split("/") if found else []


def aliyun(call: Signed, secret: str) -> str:
    """The header as alibabacloud-tea-openapi writes it."""
    from alibabacloud_tea_openapi.utils import Utils
    from darabonba.request import DaraRequest

    request = DaraRequest()
    request.method, request.pathname, request.query = "POST", urlsplit(call.path).path, call.query
    request.headers = _named(call, r"SignedHeaders=([^,]+)")
    digest = Utils.hex_encode(Utils.hash(call.body, "ACS3-HMAC-SHA256"))
    return str(Utils.get_authorization(request, "ACS3-HMAC-SHA256", digest, call.credential[0], secret))


def tencent(call: Signed, secret: str) -> str:
    """The header with the signature of tencentcloud-sdk-python's client."""
    from tencentcloud.common.credential import Credential
    from tencentcloud.common.http.request import RequestInternal
    from tencentcloud.cvm.v20170312.cvm_client import CvmClient

    key, day, service, __ = call.credential
    stamp = call.headers["x-tc-timestamp"]
    if day != time.strftime("%Y-%m-%d", time.gmtime(int(stamp))):
        return ""
    client = CvmClient(Credential(key, secret), call.headers["x-tc-region"])
    request = RequestInternal(call.host, "POST", call.path)
    request.data = call.body
    request.header = {
        "Content-Type": call.headers["content-type"],
        "Host": call.headers["host"],
        "X-TC-Timestamp": stamp,
    }
    signature = client._get_tc3_signature({}, request, day, service, secret)
    return f"{call.authorization.partition('Signature=')[0]}Signature={signature}"


def aws(call: Signed, secret: str) -> str:
    """The header with botocore's signature, version 4."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    key, __, region, service, ___ = call.credential
    signer: Any = SigV4Auth(Credentials(key, secret), service, region)
    headers = _named(call, r"SignedHeaders=([^,]+)")
    request: Any = AWSRequest(method="POST", url=f"https://{call.host}{call.path}", data=call.body, headers=headers)
    request.context["timestamp"] = call.headers["x-amz-date"]
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return f"{call.authorization.partition('Signature=')[0]}Signature={signature}"


def _named(call: Signed, names: str) -> dict[str, str]:
    """The headers that are signed."""
    found = re.search(names, call.authorization)
    return {each: call.headers[each] for each in (found[1].strip().split(";") if found else ())}


SIGNERS = {"aliyun": aliyun, "tencent": tencent, "aws": aws}


def good(cloud: str, call: Signed, secret: str) -> bool:
    """Whether a call is signed with that secret."""
    try:
        return bool(call.authorization) and SIGNERS[cloud](call, secret) == call.authorization
    except (KeyError, ValueError, IndexError):
        return False
