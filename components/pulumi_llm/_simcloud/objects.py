"""The objects of a Kubernetes cluster, as a store: no API server, and nothing runs.

What is checked: each property by the SDK's own types, names, and that a namespace is there before what is in it. What
Kubernetes decides besides (quotas, where a pod lands, whether a chart renders) is not simulated. Charts are taken by
their name, and none is fetched.
"""

from __future__ import annotations

import re
from typing import Any

from pulumi_llm._provider_facts import schema
from pulumi_llm._provider_facts.check import Failure, check_type
from pulumi_llm._provider_facts.diff import Change, Difference, Kind, ignored
from pulumi_llm._provider_facts.values import UNKNOWN, Props, has_unknown, normal, reveal, secret

from .rules.base import CloudError
from .simulator import Simulator
from .store import Record

NAMESPACE = "kubernetes:core/v1:Namespace"
RELEASE = "kubernetes:helm.sh/v3:Release"
ALWAYS = ("default", "kube-system", "kube-public", "kube-node-lease")
"""Namespaces that every cluster has."""
NOT_IN_ONE = frozenset({"Namespace", "StorageClass", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"})
"""Kinds that are in no namespace."""
CUSTOM: dict[str, Any] = {
    "object": {"apiVersion": "string", "kind": "string", "metadata": "any", "spec": "any"}, "required": [],
}  # fmt: skip
"""What is taken of a kind that no SDK has: whether the rest is right, its own definition in the cluster says."""
ANEW = {
    "kubernetes:core/v1:Secret": ("type",),
    "kubernetes:storage.k8s.io/v1:StorageClass": ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
    "kubernetes:core/v1:PersistentVolumeClaim": ("spec.storageClassName", "spec.accessModes"),
    "kubernetes:apps/v1:Deployment": ("spec.selector",),
}
"""What cannot be changed of an object that is there (kubernetes.io, API reference of each kind)."""
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class Objects(Simulator):
    """One cluster's objects. Two providers for one cluster see the same."""

    def check(self, token: str, urn: str, olds: Props, news: Props, seed: bytes = b"") -> tuple[Props, list[Failure]]:
        """Inputs with apiVersion and kind filled in, and everything that is wrong with them."""
        described = schema.describe(token)
        node = CUSTOM if described is None else {"object": described["inputs"], "required": described["required"]}
        inputs = {key: value for key, value in news.items() if value is not None}
        failures: list[Failure] = []
        check_type(normal(inputs), node, "", failures)
        name, _space = _place(token, reveal(inputs))
        if isinstance(name, str) and not has_unknown(name) and not NAME.fullmatch(name):
            failures.append(Failure("metadata.name", f"a lowercase RFC 1123 subdomain is wanted, and it is {name!r}"))
        return inputs, failures

    def diff(
        self, token: str, state: Props, old_inputs: Props, news: Props, ignore: list[str] | None = None
    ) -> Difference:
        """What going from ``old_inputs`` to ``news`` would do."""
        old, new = normal(reveal(old_inputs)), normal(reveal(news))
        found = Difference()
        for key in sorted({*old, *new}):
            if not key.startswith("__") and old.get(key) != new.get(key):
                kind: Kind = "add" if key not in old else "delete" if key not in new else "update"
                found.changes[key] = Change(kind, replace=False)
        for path in ("metadata.name", "metadata.namespace", *(("name", "namespace") if token == RELEASE else ()),
                     *ANEW.get(token, ())):  # fmt: skip
            if _at(old, path) != _at(new, path):
                found.changes[path] = Change("update", replace=True)
        for path in [each for each in found.changes if ignored(each, ignore or [])]:
            del found.changes[path]
        # Its name is its place: the one that is there has to go first.
        found.delete_before_replace = bool(found.replaces) and _place(token, old) == _place(token, new)
        return found

    def create(self, token: str, urn: str, inputs: Props, *, preview: bool = False) -> tuple[str, Props]:
        """Make an object: its id is its namespace and name."""
        given = {key: value for key, value in inputs.items() if not key.startswith("__")}
        outputs = _hidden(token, given)
        if preview:
            return "", {**outputs, "status": UNKNOWN}
        name, space = _place(token, reveal(given))
        id_ = f"{space}/{name}" if space else str(name)
        with self.store.transaction():
            if space and space not in ALWAYS and self.store.get(NAMESPACE, space) is None:
                raise CloudError(f'namespaces "{space}" not found')
            if self.store.get(token, id_) is not None:
                raise CloudError(f'{token.rsplit(":", 1)[-1].lower()} "{name}" already exists')
            outputs["status"] = {}
            self.store.put(Record(self.package, token, id_, "", urn, outputs))
        return id_, outputs

    def update(
        self, token: str, urn: str, id_: str, state: Props, old_inputs: Props, news: Props, *, preview: bool = False
    ) -> Props:
        """Change an object in place."""
        given = {key: each for key, each in news.items() if not key.startswith("__")}
        outputs = {**_hidden(token, given), "status": {}}
        if preview:
            return outputs
        with self.store.transaction():
            found = self.store.get(token, id_)
            if found is None:
                raise CloudError(f'"{id_}" not found')
            self.store.put(Record(self.package, token, id_, "", urn, outputs, found.made))
        return outputs

    def delete(self, token: str, urn: str, id_: str, state: Props) -> None:
        """Delete an object; a namespace takes along what is in it."""
        with self.store.transaction():
            found = self.store.get(token, id_)
            if found is None:
                return
            for each in self.store.everything() if token == NAMESPACE else ():
                if each.package == self.package and each.id.startswith(f"{id_}/"):
                    self.store.remove(each)
            self.store.remove(found)

    def invoke(self, token: str, args: Props) -> Props:
        """Nothing is looked up in a simulated cluster."""
        raise CloudError(f"the simulated cluster does not answer the look-up {token}")


def _place(token: str, inputs: Props) -> tuple[Any, Any]:
    """Name and namespace; the namespace is empty for what is in none."""
    meta = inputs if token == RELEASE else inputs.get("metadata") or {}
    if token.rsplit(":", 1)[-1] in NOT_IN_ONE:
        return meta.get("name"), ""
    return meta.get("name"), meta.get("namespace") or "default"


def _at(inputs: Props, path: str) -> Any:
    found: Any = inputs
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found


def _hidden(token: str, given: Props) -> Props:
    """What a Secret holds is one in the state, whatever it was given as."""
    if not token.endswith("/v1:Secret"):
        return dict(given)
    return {key: secret(reveal(each)) if key in ("data", "stringData") else each for key, each in given.items()}
