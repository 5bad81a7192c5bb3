"""Asking a node for its status document: verified TLS, a key, no redirects, and a bound on what is read."""

from __future__ import annotations

import ssl
from dataclasses import field
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from pulumi_llm import _json
from pulumi_llm._addresses import host_of, is_numeric
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._system import why as why_not
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding

TIMEOUT_SECONDS = 10.0
LONGEST = 1 << 20
"""Bytes of an answer that are read; a document has some ten thousand."""

FIELDS = {"schema": int, "node": str, "ready": bool, "stage": str, "state": str, "stages": list}


@dataclass(frozen=True, slots=True)
class Target:
    """A node to ask: what to call it, any URL of its gateway or vector store, a key of it, its authority (PEM)."""

    name: str
    endpoint: str
    key: str = field(repr=False)
    authority: str

    @property
    def url(self) -> str:
        """Where the document is."""
        return f"https://{host_of(self.endpoint) or ''}/status"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node answered: its document, or why there is none."""

    target: Target
    document: dict[str, Any] | None = None
    problem: Finding | None = None

    @property
    def ready(self) -> bool:
        """Whether it is ready."""
        return bool(self.document and self.document["ready"])

    @property
    def failed(self) -> bool:
        """Whether waiting is of no use: a stage failed for good, or the question itself was wrong."""
        if self.document is not None:
            return not self.document["ready"] and self.document["state"] == "failed"
        return self.problem is not None and self.problem.code != "status.unreachable"

    def to_json(self) -> dict[str, Any]:
        """As ``--json`` prints it. Holds no key."""
        problem = self.problem and {
            "code": self.problem.code,
            "message": self.problem.message,
            "hint": self.problem.hint,
        }
        endpoint = f"https://{host_of(self.target.endpoint) or ''}"
        return {"name": self.target.name, "endpoint": endpoint, "document": self.document, "problem": problem}


class _Stay(HTTPRedirectHandler):
    """A key goes to the node that it is for and nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def trusting(target: Target) -> ssl.SSLContext:
    """Whom to believe that it is the node: its own authority, and of a name also those that everybody knows.

    Raises:
        ssl.SSLError: where its authority is no certificate.
    """
    context = ssl.create_default_context(cadata=target.authority or None)
    if not is_numeric(target.endpoint):
        context.load_default_certs()
    return context


def ask(target: Target) -> Answer:
    """The node's document. What goes wrong is part of the answer, never an exception."""
    try:
        tls = trusting(target)
    except ssl.SSLError as error:
        return _wrong(
            "bad-certificate",
            target,
            _("its authority is no certificate: {problem}", problem=error),
            _("the output is damaged: run `pulumi up`"),
        )
    request = Request(target.url, headers={"Authorization": f"Bearer {target.key}", "Accept": "application/json"})  # noqa: S310 - https, see Target
    try:
        with build_opener(_Stay(), HTTPSHandler(context=tls)).open(request, timeout=TIMEOUT_SECONDS) as reply:
            return _read(target, reply.read(LONGEST + 1))
    except HTTPError as error:
        if error.code in (401, 403):
            hint = _("`pulumi refresh`, then look at the output api_keys: was the key replaced?")
            return _wrong("key-refused", target, _("{url} answered {code}", url=target.url, code=error.code), hint)
        hint = _("is this the gateway's own port? `sudo journalctl -u llm-caddy -u llm-status` on the node")
        return _wrong("no-document", target, _("{url} answered {code}", url=target.url, code=error.code), hint)
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            why = f"{target.url}: {reason.verify_message}"
            return _wrong(
                "bad-certificate",
                target,
                why,
                _("do not go on before you know: is it the right machine? `pulumi refresh`"),
            )
        hint = _("is this machine in `allowed_cidrs`? While a node boots, its gateway does not answer yet")
        said = why_not(reason) if isinstance(reason, OSError) else reason
        return _wrong("unreachable", target, _("{url}: {problem}", url=target.url, problem=said), hint)


def _read(target: Target, body: bytes) -> Answer:
    try:
        document = _json.loads(body, largest=LONGEST)
    except ValueError:
        document = None
    fits = isinstance(document, dict) and all(isinstance(document.get(name), kind) for name, kind in FIELDS.items())
    if not isinstance(document, dict) or not fits or not all(isinstance(each, dict) for each in document["stages"]):
        return _wrong(
            "no-document",
            target,
            _("{url} answered, but not with a status document", url=target.url),
            _("is it a node of ours?"),
        )
    if document["schema"] != 1:
        message = _("{url} answered with a document of schema {schema}", url=target.url, schema=document["schema"])
        return _wrong("no-document", target, message, _("a newer pulumi-llm made this node: use that one"))
    return Answer(target, document)


def _wrong(code: str, target: Target, message: str, hint: str) -> Answer:
    return Answer(target, problem=Finding(f"status.{code}", message, hint, where=target.name))
