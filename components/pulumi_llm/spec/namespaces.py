"""Namespaces that a fleet makes: never one that is there already, with others in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pulumi_llm._texts import _
from pulumi_llm.spec.fields import invalid

SCALER = "cluster-autoscaler"
"""The namespace of the cluster-autoscaler where it is installed here, its release, and its service account."""
USUAL: Mapping[str, str] = {"operator_namespace": "kuberay-operator", "keda_namespace": "keda"}


def refuse_those_of_others(
    own: str, *, taken: Collection[str], made: Mapping[str, str], given: Collection[str] = ()
) -> None:
    """Refuse a fleet's namespace that is there already, or in ``taken``.

    ``made``: by its key in the spec, a further namespace that is made for what is installed in a cluster that is made.
    ``given``: those that are made besides, whatever the spec says.
    """
    if _is_there(own) or own in taken:
        raise invalid(
            "fleet.namespace-of-others",
            _("the namespace {name!r} is there already, with others in it; the fleet makes one of its own, closes "
              "it, and takes it away with itself", name=own),
            "namespace: llm",
        )  # fmt: skip
    for key, name in made.items():
        if _is_there(name):
            raise invalid(
                "fleet.namespace-of-others",
                _("{key} says {name!r}, which is Kubernetes' own; in a cluster that is made that namespace is made "
                  "too, and taken away with what is installed in it", key=key, name=name),
                f"{key}: {USUAL[key]}",
            )  # fmt: skip
        if name in given:
            raise invalid(
                "fleet.namespace-of-others",
                _("{key} says {name!r}, in which the program that adds nodes is installed", key=key, name=name),
                f"{key}: {USUAL[key]}",
            )


def _is_there(name: str) -> bool:
    """Whether each cluster has it from the start, or Kubernetes keeps its name for itself."""
    return name == "default" or name.startswith("kube-")
