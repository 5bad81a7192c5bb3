"""Whose account is asked at Aliyun, and how its ECS API's refusals are read, with alibabacloud-ecs20140526."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pulumi_llm._refresh.calls import Failure, Kind, no_sdk
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

TO_SET = _("ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, or a profile in ~/.aliyun/config.json")

DENIED = re.compile(r"Forb|InvalidAccessKey|Signature|NoPermission|InvalidSecurityToken|Unauthorized|InvalidCredential")

Connect = Callable[[str], Any]


def has_credentials() -> bool:
    """Whether this machine's environment or files name credentials. No call is made."""
    env = os.environ.get
    if env("ALIBABA_CLOUD_ACCESS_KEY_ID") and env("ALIBABA_CLOUD_ACCESS_KEY_SECRET"):
        return True
    if any(env(f"ALIBABA_CLOUD_{name}") for name in ("ECS_METADATA", "OIDC_TOKEN_FILE", "CREDENTIALS_URI")):
        return True
    files = (env("ALIBABA_CLOUD_CREDENTIALS_FILE", "~/.alibabacloud/credentials.ini"), "~/.aliyun/config.json")
    return any(Path(name).expanduser().is_file() for name in files)


def connector(without_sdk: str, without_credentials: str) -> Connect:
    """What gives a client of a region. Raises Refusal with one of the two codes."""
    try:
        from alibabacloud_credentials.client import Client as Credentials
        from alibabacloud_ecs20140526.client import Client
        from alibabacloud_tea_openapi.utils_models import Config
    except ImportError as error:
        raise no_sdk("aliyun", error.name or "alibabacloud_ecs20140526", without_sdk) from None

    credentials = Credentials()
    try:
        credentials.get_credential()
    except Exception as error:  # the SDK's chain raises what its parts raise
        why = " ".join(str(error).split())[:200]
        raise Refusal(
            [Finding(without_credentials, _("aliyun: no credentials: {why}", why=why), f"set {TO_SET}")]
        ) from None
    return lambda region: Client(Config(credential=credentials, region_id=region))


def call(call: Callable[[Any], Any]) -> Any:
    """The answer of a call, which is given the options of its run time. Raises Failure."""
    from darabonba.exceptions import DaraException, RetryError
    from darabonba.runtime import RuntimeOptions

    try:
        return call(RuntimeOptions(connect_timeout=10_000, read_timeout=60_000))
    except DaraException as error:
        code = str(error.code)
        kind: Kind = "throttled" if code.startswith("Throttling") else "denied" if DENIED.search(code) else "failed"
        raise Failure(kind, code, str(error.message)) from None
    except Exception as error:  # the SDK wraps what its HTTP library and its decoder raise, or passes it on
        cause = getattr(error, "inner_exception", None) or error
        kind = "unreachable" if isinstance(cause, OSError | RetryError) else "failed"
        raise Failure(kind, type(cause).__name__, str(getattr(cause, "message", cause))) from None
