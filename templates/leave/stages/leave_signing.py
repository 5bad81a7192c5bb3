"""How a call to each cloud is signed: AWS's SigV4, Aliyun's ACS3-HMAC-SHA256, Tencent Cloud's TC3-HMAC-SHA256.

Plain HMAC over a canonical form of the request. Sources: "Signature Version 4" (docs.aws.amazon.com), "Request
structure and signature V3" (help.aliyun.com), "Signature v3" (cloud.tencent.com), read 2026-11-28; the tests hold each
against the signer of that cloud's own SDK.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class Credentials:
    """What the metadata service lends for some hours."""

    identity: str
    secret: str
    token: str


def sha256(data: bytes) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def keyed(key: bytes, text: str) -> bytes:
    """HMAC-SHA256."""
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def encoded(values: dict[str, str]) -> str:
    """A query as all three sign it: sorted, and encoded by RFC 3986."""
    return "&".join(f"{quote(name, safe='-_.~')}={quote(values[name], safe='-_.~')}" for name in sorted(values))


def aws(lent: Credentials, host: str, region: str, body: bytes, now: float) -> dict[str, str]:
    """The headers of a form that is posted to EC2 in a region."""
    stamp, day = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now)), time.strftime("%Y%m%d", time.gmtime(now))
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "host": host,
        "x-amz-date": stamp,
        "x-amz-security-token": lent.token,
    }
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"POST\n/\n\n{lines}\n{names}\n{sha256(body)}"
    scope = f"{day}/{region}/ec2/aws4_request"
    key = f"AWS4{lent.secret}".encode()
    for part in (day, region, "ec2", "aws4_request"):
        key = keyed(key, part)
    signature = keyed(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(canonical.encode())}").hex()
    told = f"AWS4-HMAC-SHA256 Credential={lent.identity}/{scope}, SignedHeaders={names}, Signature={signature}"
    return headers | {"authorization": told}


def aliyun(
    lent: Credentials, host: str, action: str, version: str, query: dict[str, str], now: float, nonce: str
) -> dict[str, str]:
    """The headers of a call whose values are all in its query."""
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": sha256(b""),
        "x-acs-date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "x-acs-security-token": lent.token,
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
    }
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"POST\n/\n{encoded(query)}\n{lines}\n{names}\n{sha256(b'')}"
    signature = keyed(lent.secret.encode(), f"ACS3-HMAC-SHA256\n{sha256(canonical.encode())}").hex()
    told = f"ACS3-HMAC-SHA256 Credential={lent.identity},SignedHeaders={names},Signature={signature}"
    return headers | {"authorization": told}


def tencent(
    lent: Credentials, host: str, action: str, version: str, region: str, body: bytes, now: float
) -> dict[str, str]:
    """The headers of JSON that is posted to CVM."""
    stamp, day = str(int(now)), time.strftime("%Y-%m-%d", time.gmtime(now))
    signed = {"content-type": "application/json", "host": host}
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    canonical = f"POST\n/\n\n{lines}\n{names}\n{sha256(body)}"
    scope = f"{day}/cvm/tc3_request"
    key = f"TC3{lent.secret}".encode()
    for part in (day, "cvm", "tc3_request"):
        key = keyed(key, part)
    signature = keyed(key, f"TC3-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(canonical.encode())}").hex()
    return signed | {
        "authorization": f"TC3-HMAC-SHA256 Credential={lent.identity}/{scope}, SignedHeaders={names}, "
        f"Signature={signature}",
        "x-tc-action": action,
        "x-tc-version": version,
        "x-tc-timestamp": stamp,
        "x-tc-region": region,
        "x-tc-token": lent.token,
    }
