"""Whose account is asked at Tencent Cloud, and how its API's refusals are read, with tencentcloud-sdk-python-cvm."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pulumi_llm._refresh.calls import Failure, Kind, no_sdk
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

TO_SET = _("TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY, or ~/.tencentcloud/credentials")

DENIED = re.compile(r"AuthFailure|UnauthorizedOperation|UnsupportedRegion")
THROTTLED = re.compile(r"RequestLimitExceeded")
NOT_REACHED = re.compile(r"ClientNetworkError|ServerNetworkError|ClientError")

Connect = Callable[[str], Any]


def has_credentials() -> bool:
    """Whether this machine's environment or files name credentials. No call is made."""
    if os.environ.get("TENCENTCLOUD_SECRET_ID") and os.environ.get("TENCENTCLOUD_SECRET_KEY"):
        return True
    return any(
        Path(name).expanduser().is_file() for name in ("~/.tencentcloud/credentials", "/etc/tencentcloud/credentials")
    )


def connector(without_sdk: str, without_credentials: str, service: str = "cvm") -> Connect:
    """What gives a client of a service, ``cvm`` or ``cbs``, in a region. Raises Refusal with one of the two codes."""
    try:
        from tencentcloud.common import credential
        from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

        module = importlib.import_module(f"tencentcloud.{service}.v20170312.{service}_client")
    except ImportError as error:
        raise no_sdk("tencent", error.name or "tencentcloud", without_sdk) from None

    identity, key = os.environ.get("TENCENTCLOUD_SECRET_ID"), os.environ.get("TENCENTCLOUD_SECRET_KEY")
    if identity and key:
        # The SDK's own look-up leaves the token of a temporary key out.
        found = credential.Credential(identity, key, os.environ.get("TENCENTCLOUD_SECURITY_TOKEN"))
    else:
        try:
            found = credential.DefaultCredentialProvider().get_credential()
        except (TencentCloudSDKException, OSError) as error:
            raise Refusal(
                [
                    Finding(
                        without_credentials,
                        _("tencent: no credentials: {problem}", problem=error),
                        f"set {TO_SET}",
                    )
                ]
            ) from None
    client = getattr(module, f"{service.capitalize()}Client")
    return lambda region: client(found, region)


def call(call: Callable[[], Any]) -> Any:
    """The answer of a call. Raises Failure."""
    from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

    try:
        return call()
    except TencentCloudSDKException as error:
        code = str(error.code)
        kinds: tuple[tuple[Kind, re.Pattern[str]], ...] = (
            ("denied", DENIED),
            ("throttled", THROTTLED),
            ("unreachable", NOT_REACHED),
        )
        kind: Kind = next((name for name, pattern in kinds if pattern.match(code)), "failed")
        raise Failure(kind, code, str(error.message)) from None
