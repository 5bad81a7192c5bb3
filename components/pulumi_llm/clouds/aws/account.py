"""Whose account is asked at AWS, and how its APIs' refusals are read, with boto3."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pulumi_llm._refresh.calls import Failure, Kind, no_sdk
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

TO_SET = _("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE with ~/.aws/credentials")

DENIED = re.compile(r"Unauthorized|AccessDenied|AuthFailure|InvalidClientTokenId|Unrecognized|Signature|Expired|OptIn")
THROTTLED = re.compile(r"Throttl|RequestLimitExceeded|TooManyRequests")


def has_credentials() -> bool:
    """Whether this machine's environment or files name credentials. No call is made; a role of the machine
    itself is not seen, so it is used only where the cloud is asked for by name."""
    if any(
        os.environ.get(name)
        for name in (
            "AWS_ACCESS_KEY_ID",
            "AWS_PROFILE",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        )
    ):
        return True
    files = (
        os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
        os.environ.get("AWS_CONFIG_FILE", "~/.aws/config"),
    )
    return any(Path(name).expanduser().is_file() for name in files)


def session(without_sdk: str, without_credentials: str) -> Any:
    """The SDK's session. Raises Refusal with one of the two codes."""
    try:
        import boto3
    except ImportError:
        raise no_sdk("aws", "boto3", without_sdk) from None
    from botocore.exceptions import BotoCoreError

    try:
        made = boto3.Session()
        found = made.get_credentials()
    except BotoCoreError as error:  # a profile that is named and not there
        raise _no_credentials(str(error), without_credentials) from None
    if found is None:
        raise _no_credentials(_("the SDK found none"), without_credentials)
    return made


def _no_credentials(why: str, code: str) -> Refusal:
    return Refusal([Finding(code, _("aws: no credentials: {why}", why=why), f"set {TO_SET}")])


def client(session: Any, service: str, region: str) -> Any:
    """A client of a service in a region, which tries a throttled call again by itself."""
    from botocore.config import Config

    settings = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=10, read_timeout=60)
    return session.client(service, region_name=region, config=settings)


@contextmanager
def calls() -> Iterator[None]:
    """Within it, what a call raises is a Failure."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"].get("Code", "Unknown"), error.response["Error"].get("Message", "")
        kind: Kind = "denied" if DENIED.search(code) else "throttled" if THROTTLED.search(code) else "failed"
        raise Failure(kind, code, message) from None
    except BotoCoreError as error:
        named = type(error).__name__
        raise Failure("denied" if "Credential" in named else "unreachable", named, str(error)) from None
