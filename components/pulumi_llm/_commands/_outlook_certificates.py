"""When the certificates of a stack end: as Pulumi's state has them, and as the machines themselves show them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

from pulumi_llm._addresses import host_of
from pulumi_llm._commands._status import targets_of
from pulumi_llm._commands._status_ask import TIMEOUT_SECONDS, Target, trusting
from pulumi_llm._commands._status_hours import word
from pulumi_llm._outlook.ends import End
from pulumi_llm._plan.model import Plan
from pulumi_llm._system import why as why_not
from pulumi_llm._texts import _

AUTHORITY = "tls:index/selfSignedCert:SelfSignedCert"
CERTIFICATE = "tls:index/locallySignedCert:LocallySignedCert"
RENEW = _("`pulumi up` makes a new one within 90 days of its end")
RENEW_AUTHORITY = _("`pulumi up` makes a new one within 90 days of its end: then give it to all who call")
EXPIRED = 10
"""X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""


def in_state(plan: Plan) -> list[End]:
    """The certificates that the engine keeps, by what the provider wrote down when it made them."""
    found = []
    for each in plan.of_type(AUTHORITY, CERTIFICATE):
        day = _day(each.outputs.get("validityEndTime"))
        if day is not None:
            found.append(_end(each.name, day, authority=each.type == AUTHORITY))
    return found


def of_machines(told: Mapping[str, Any], plan: Plan, today: date) -> list[End]:
    """What each machine of the stack shows, by its outputs; one that does not answer is a note.

    ``plan``: what the state has. A server with hours that does not answer is told of as `status` tells of it.
    """
    off = {"server": word(plan)}
    return [end for each in targets_of(dict(told), plan.stack) for end in shown_by(each, today, off.get(each.name))]


def shown_by(target: Target, today: date, off: str | None = None) -> list[End]:
    """The end of a machine's certificate, and of the authority by which callers trust it.

    ``off``: what its hours say of its not answering.
    """
    try:
        own, context = ssl.create_default_context(cadata=target.authority or None), trusting(target)
    except ssl.SSLError as error:
        return [_not_seen(target, _("its authority is no certificate: {problem}", problem=error))]
    authorities = [_seconds(str(each.get("notAfter"))) for each in own.get_ca_certs()] if target.authority else []
    found = [_end(_("{name}, its authority", name=target.name), each, authority=True) for each in authorities]
    parts = urlsplit(target.endpoint)
    host = parts.hostname or ""
    try:
        with (
            socket.create_connection((host, parts.port or 443), timeout=TIMEOUT_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as connection,
        ):
            shown = connection.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        if error.verify_code == EXPIRED:
            return [*found, _ended(target)]
        return [*found, _not_seen(target, error.verify_message)]
    except (OSError, ValueError) as error:
        return [*found, _not_seen(target, why_not(error) if isinstance(error, OSError) else error, off)]
    return [*found, _end(target.name, _seconds(str(shown["notAfter"])), authority=False)]


def _end(name: str, day: date, *, authority: bool) -> End:
    return End(
        code="outlook.certificate-ends",
        name=f"{name}",
        message=(
            _("the certificate authority ends on {day}", day=day)
            if authority
            else _("the certificate ends on {day}", day=day)
        ),
        hint=RENEW_AUTHORITY if authority else RENEW,
        where=name,
        day=day,
    )


def _ended(target: Target) -> End:
    return End(
        code="outlook.certificate-ends",
        name=target.name,
        message=_("{host} shows a certificate that has ended", host=host_of(target.endpoint)),
        hint=_("`pulumi up` makes a new one and brings it to the machine"),
        where=target.name,
        fault=True,
    )


def _not_seen(target: Target, problem: object, off: str | None = None) -> End:
    hint = _("is this machine in `allowed_cidrs`? `pulumi-llm status` asks in the same way")
    return End(
        code="outlook.certificate-not-seen",
        name=target.name,
        message=_("{host} showed no certificate: {problem}", host=host_of(target.endpoint), problem=problem),
        hint=hint if off is None else _("{hint}; {more}", hint=off, more=hint),
        where=target.name,
    )


def _day(text: Any) -> date | None:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC).date()
    except ValueError:
        return None


def _seconds(text: str) -> date:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC).date()
