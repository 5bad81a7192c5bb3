"""A small client of a Kubernetes API: objects in, objects out, and what the server refuses in its own words."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

T = TypeVar("T")
Object = dict[str, Any]
"""One object of Kubernetes as JSON."""

MANAGER = "pulumi-llm"
"""The name under which fields are owned at the server."""

PATIENCE = 60.0
"""Seconds that a test waits for what Kubernetes does in its own time: usually it is one or two."""


class Refused(Exception):  # noqa: N818  # it is an answer
    """The server's refusal: HTTP status, reason, and the message as it says it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


@dataclass
class Api:
    """A Kubernetes API at ``127.0.0.1:port``, asked with a token. Who answers must have the right certificate."""

    port: int
    token: str = field(repr=False)
    authority: Path
    _kinds: dict[tuple[str, str], tuple[str, bool]] = field(default_factory=dict, repr=False)

    def ask(
        self, method: str, path: str, body: Object | list[Any] | None = None, *, kind: str = "application/json"
    ) -> Any:
        """One request; raises Refused where the answer is not a success, OSError where there is none."""
        context = ssl.create_default_context(cafile=str(self.authority))
        connection = HTTPSConnection("127.0.0.1", self.port, timeout=60, context=context)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind, "Accept": "application/json"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status < 300:
            return json.loads(text) if text.startswith(("{", "[")) else text
        try:
            said = json.loads(text)
        except ValueError:
            said = {}
        raise Refused(answer.status, said.get("reason", ""), said.get("message", text))

    def apply(self, wanted: Object, namespace: str | None = None) -> Object:
        """Server-side apply, as pulumi-kubernetes does it, with strict validation: an unknown field is refused."""
        query = urlencode({"fieldManager": MANAGER, "fieldValidation": "Strict", "force": "true"})
        answer: Object = self.ask(
            "PATCH", f"{self.path(wanted, namespace)}?{query}", wanted, kind="application/apply-patch+yaml"
        )
        return answer

    def create(self, wanted: Object) -> Object:
        """Make an object that is not there yet: of a CRD with a megabyte of schema an apply takes ten times as long."""
        answer: Object = self.ask("POST", self._folder(wanted["apiVersion"], wanted["kind"], None), wanted)
        return answer

    def get(self, kind: str, name: str, namespace: str | None = None, version: str = "v1") -> Object | None:
        """The object, or None where there is none of that name."""
        try:
            answer: Object = self.ask("GET", f"{self._folder(version, kind, namespace)}/{quote(name)}")
        except Refused as refused:
            if refused.status == 404:
                return None
            raise
        return answer

    def all(self, kind: str, namespace: str | None = None, version: str = "v1", label: str = "") -> list[Object]:
        """The objects of one kind, in a namespace or in all; ``label`` selects, as ``kubectl -l`` does."""
        query = f"?{urlencode({'labelSelector': label})}" if label else ""
        items: list[Object] = self.ask("GET", f"{self._folder(version, kind, namespace)}{query}")["items"]
        return items

    def delete(self, kind: str, name: str, namespace: str | None = None, version: str = "v1") -> None:
        """Ask for an object to be deleted, and for what it owns first; returns before it is gone."""
        self.ask(
            "DELETE", f"{self._folder(version, kind, namespace)}/{quote(name)}", {"propagationPolicy": "Foreground"}
        )

    def path(self, wanted: Object, namespace: str | None = None) -> str:
        """Where an object stands; ``namespace`` is for one that names none."""
        metadata = wanted["metadata"]
        folder = self._folder(wanted["apiVersion"], wanted["kind"], metadata.get("namespace", namespace))
        return f"{folder}/{quote(metadata['name'])}"

    def _folder(self, version: str, kind: str, namespace: str | None) -> str:
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self._kinds:
            # A CRD is served some moments after it was stored.
            for each in until(lambda: self._served(root, kind), f"{kind} of {version} is served"):
                self._kinds[version, each["kind"]] = each["name"], each["namespaced"]
        plural, namespaced = self._kinds[version, kind]
        return f"{root}/namespaces/{namespace}/{plural}" if namespaced and namespace else f"{root}/{plural}"

    def _served(self, root: str, kind: str) -> list[Object]:
        try:
            listed = self.ask("GET", root)["resources"]
        except Refused:
            return []
        found: list[Object] = [each for each in listed if "/" not in each["name"]]
        return found if any(each["kind"] == kind for each in found) else []


def until(probe: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
    """Wait until a probe gives something true, and give that; fails with what was waited for and the last answer."""
    end = time.monotonic() + seconds
    while not (found := probe()):
        assert time.monotonic() < end, f"waited {seconds:.0f} s and it is not so: {what} (last: {found!r})"
        time.sleep(0.2)
    return found
