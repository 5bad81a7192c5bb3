"""Whose account is asked at Google Cloud, and how the Compute API's refusals are read: with google-auth alone.

The credentials are those of `gcloud auth application-default login`, or of the file in GOOGLE_APPLICATION_CREDENTIALS.
"""

from __future__ import annotations

import os
from typing import Any

from pulumi_llm._refresh.calls import Failure, Kind, no_sdk
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

API = "https://compute.googleapis.com/compute/v1/"
ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"
"""Where gcloud looks for another address of that API."""
SCOPE = "https://www.googleapis.com/auth/compute"
TO_SET = _("`gcloud auth application-default login`; or GOOGLE_APPLICATION_CREDENTIALS, the path of a key's file")
SECONDS = 60
DENIED, THROTTLED = (401, 403), (429, 503)


def session(without_sdk: str, without_credentials: str) -> Any:
    """A session whose calls are signed. Raises Refusal with one of the two codes."""
    try:
        import google.auth
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.requests import AuthorizedSession
    except ImportError:
        raise no_sdk("gcp", "google.auth", without_sdk) from None
    try:
        credentials, __ = google.auth.default(scopes=[SCOPE])
    except GoogleAuthError as error:
        message = _("gcp: no credentials: {why}", why=str(error).split(". ")[0])
        raise Refusal([Finding(without_credentials, message, TO_SET)]) from None
    return AuthorizedSession(credentials)


def call(session: Any, method: str, path: str) -> dict[str, Any]:
    """What the API answers. Raises Failure."""
    from google.auth.exceptions import GoogleAuthError, TransportError
    from requests.exceptions import RequestException

    try:
        answer = session.request(method, os.environ.get(ENDPOINT, API) + path, timeout=SECONDS)
    except (RequestException, TransportError) as error:
        raise Failure("unreachable", type(error).__name__, str(error)) from None
    except GoogleAuthError as error:
        raise Failure("denied", type(error).__name__, str(error)) from None
    try:
        found = answer.json()
    except ValueError:
        found = {}
    if answer.status_code >= 400:
        raise failure(answer.status_code, found)
    return dict(found)


def failure(status: int, answer: Any) -> Failure:
    """A refusal of the API, by its reason: ``{"error": {"code", "message", "errors": [{"reason"}]}}``."""
    told = answer.get("error") if isinstance(answer, dict) else None
    told = told if isinstance(told, dict) else {}
    reasons = [str(each.get("reason")) for each in told.get("errors") or () if isinstance(each, dict)]
    reason = reasons[0] if reasons else str(status)
    kind: Kind = "failed"
    if reason in ("rateLimitExceeded", "userRateLimitExceeded") or (status in THROTTLED and not reasons):
        kind = "throttled"
    elif status in DENIED and reason != "quotaExceeded":
        kind = "denied"
    return Failure(kind, reason, str(told.get("message") or f"HTTP {status}"))
