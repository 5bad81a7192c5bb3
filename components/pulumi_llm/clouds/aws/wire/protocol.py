"""How AWS's APIs write calls and refusals: which call a request is, and a refusal in the words of its protocol.

Each service speaks one of four protocols (Smithy's ec2Query, awsQuery, awsJson and restXml); botocore's models, which
moto brings along, say which, and what a path of a REST API means. Read 2026-11-28 (botocore 1.44.5). What is answered
is moto's own bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall, WireError
from pulumi_llm._rehearsal.server import Protocol, Reply, Request
from pulumi_llm._simcloud.rules.base import request_id

SCOPE = re.compile(r"Credential=[^/,]*/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
"""The region and the service in a signature of version 4."""

XML, JSON = "text/xml;charset=UTF-8", "application/x-amz-json-1.1"
REPLY = "reply"
"""Under this name an answer's bytes come back from the face."""


@dataclass(frozen=True)
class AwsCall(WireCall):
    """A call with the request that it came in, which moto reads for itself."""

    request: Request = Request({}, {}, b"")


@cache
def model(service: str) -> Any:
    """botocore's model of a service; ``None`` where it has none of that name."""
    from botocore.exceptions import UnknownServiceError
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    try:
        return ServiceModel(Loader().load_service_model(service, "service-2"), service)
    except UnknownServiceError:
        return None


def protocol(service: str) -> str:
    """``ec2``, ``query``, ``json`` or ``rest-xml``; empty for a service that is not known."""
    found = model(service)
    return str(found.metadata["protocol"]) if found else ""


def read(request: Request) -> WireCall:
    """The call in a request. Raises :class:`WireError` where it is none."""
    scope = SCOPE.search(request.headers.get("authorization", ""))
    if not scope:
        raise RefusedError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
    region, service = scope[1], scope[2]
    spoken = protocol(service)
    if spoken in ("ec2", "query"):
        action, parameters = _query(request)
    elif spoken == "json":
        action, parameters = _json(service, request)
    else:
        action, parameters = _rest(service, request)
    if not action:
        raise RefusedError("InvalidAction", "The request names no action of the service.", 400, service)
    found = model(service)
    return AwsCall(
        service, str(found.metadata["apiVersion"]) if found else "", action, region, parameters, request=request
    )


def _query(request: Request) -> tuple[str, Props]:
    flat = {**request.query, **request.form}
    return flat.get("Action", ""), {key: value for key, value in flat.items() if key not in ("Action", "Version")}


def _json(service: str, request: Request) -> tuple[str, Props]:
    try:
        parameters = json.loads(request.body or b"{}")
    except ValueError:
        parameters = None
    if not isinstance(parameters, dict):
        raise RefusedError("SerializationException", "The request's body is no JSON object.", 400, service)
    return request.headers.get("x-amz-target", "").rpartition(".")[2], parameters


def _rest(service: str, request: Request) -> tuple[str, Props]:
    found = model(service)
    for name in found.operation_names if found else ():
        asked = found.operation_model(name).http
        pattern, __, wanted = str(asked["requestUri"]).partition("?")
        at = re.fullmatch(_path(pattern), request.path.rstrip("/"))
        given = all(each.partition("=")[0] in request.query for each in filter(None, wanted.split("&")))
        if asked["method"] == request.method and at and given:
            return name, {**at.groupdict(), **request.query, **_xml(service, request.body)}
    return f"{request.method} {request.path}", {}


@cache
def _path(pattern: str) -> str:
    """The paths that ``/2013-04-01/hostedzone/{Id}/rrset/`` stands for; ``{Key+}`` may hold slashes."""
    named = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern.rstrip("/"))
    return re.sub(r"\{(\w+)\+\}", r"(?P<\1>.+)", named)


def _xml(service: str, body: bytes) -> Props:
    from xml.parsers.expat import ExpatError

    import xmltodict

    try:
        found = xmltodict.parse(body) if body else {}
    except ExpatError:
        raise RefusedError("InvalidInput", "The request's body is no XML.", 400, service) from None
    return {key.rpartition(":")[2]: _plain(value) for key, value in found.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items() if not key.startswith("@")}
    return [_plain(each) for each in value] if isinstance(value, list) else value


class RefusedError(WireError):
    """A refusal of a service, which says the protocol that it is to be written in."""

    def __init__(self, code: str, message: str, status: int = 400, service: str = "", reply: Reply | None = None):
        super().__init__(code, message, status)
        self.reply = reply or _written(code, message, status, protocol(service) if service else "ec2")


def _written(code: str, message: str, status: int, spoken: str) -> Reply:
    if "json" in spoken:
        return Reply(status, json.dumps({"__type": code, "message": message}).encode(), JSON)
    said = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if spoken == "ec2":
        text = f"<Response><Errors><Error>{said}</Error></Errors><RequestID>{request_id()}</RequestID></Response>"
    else:
        text = f"<ErrorResponse><Error>{said}</Error><RequestId>{request_id()}</RequestId></ErrorResponse>"
    return Reply(status, text.encode(), XML)


def code_of(reply: Reply) -> tuple[str, str]:
    """The code and the words of a refusal that moto wrote."""
    text = reply.body.decode("utf-8", "replace")
    if text.lstrip().startswith("{"):
        said = json.loads(text)
        return str(said.get("__type", "")).rpartition("#")[2], str(said.get("message") or said.get("Message") or "")
    code, message = (
        re.search(r"<Code>(.*?)</Code>", text, re.DOTALL),
        re.search(r"<Message>(.*?)</Message>", text, re.S),
    )
    return (code[1] if code else str(reply.status)), (message[1] if message else "")


def answer(body: dict[str, Any]) -> Reply:
    """An answer as moto wrote it."""
    found: Reply = body[REPLY]
    return found


def refuse(refusal: WireError) -> tuple[int, Reply]:
    """A refusal as it is written."""
    reply = (
        refusal.reply
        if isinstance(refusal, RefusedError)
        else RefusedError(refusal.code, refusal.message, refusal.status).reply
    )
    return reply.status, reply


PROTOCOL = Protocol(read, answer, refuse)
