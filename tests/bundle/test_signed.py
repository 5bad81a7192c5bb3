"""An upload's address is signed with the MD5 of what is sent, as each store has it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import parse_qs, urlsplit

import pytest

from pulumi_llm._backup.places import Store
from pulumi_llm.spec import bucket_of
from tests.backups.versitygw import credentials

MD5 = base64.b64encode(hashlib.md5(b"x").digest()).decode()


def asked(bucket: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    credentials(monkeypatch, "key", "secret")
    found = bucket_of(bucket)
    assert found is not None
    address = Store(found, "cn-hangzhou", None, "bundles").signed("put", "abc", ContentMD5=MD5)
    return {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}


def test_oss_is_asked_by_the_formula_of_its_own_guide(monkeypatch: pytest.MonkeyPatch) -> None:
    # alibabacloud.com/help/en/oss/support/0002-00000074 (2026-11-30)
    found = asked("oss://kept/llm", monkeypatch)
    text = f"PUT\n{MD5}\n\n{found['Expires']}\n/kept/llm/bundles/abc"
    assert found["Signature"] == base64.b64encode(hmac.new(b"secret", text.encode(), "sha1").digest()).decode()


@pytest.mark.parametrize("bucket", ["cos://kept-125/llm", "s3://kept/llm"])
def test_cos_and_s3_are_told_that_the_md5_is_signed(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(bucket, monkeypatch)["X-Amz-SignedHeaders"] == "content-md5;host"
