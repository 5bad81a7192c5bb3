"""A kubeconfig, held against the cluster that is meant before anything is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pulumi_llm import _yaml
from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.spec.vendors import KUBECONFIG

if TYPE_CHECKING:
    from pulumi_llm.spec.nodes import ClusterSpec


STAND_INS = ("not-set", f"simulated-{KUBECONFIG.config_key}")
"""What a plan without the secret, and a simulation, have in its place: it leads nowhere, and nothing is asked of it."""


def check(text: str, meant: ClusterSpec) -> None:
    """Refuse a kubeconfig that leads elsewhere than is said. Nothing of what is in it is told but names and addresses.

    Raises:
        Refusal: ``fleet.bad-kubeconfig``, ``fleet.no-context``, ``fleet.other-cluster``.
    """
    if text in STAND_INS:
        return
    contexts, clusters, current = _read(text)
    name = meant.context or current
    if name not in contexts:
        said = (
            _("the kubeconfig has no context {name!r}", name=name) if name else _("the kubeconfig has no context set")
        )
        raise Refusal(
            [Finding("fleet.no-context", said, _("cluster.context, of these: {names}", names=listed(sorted(contexts))),
                     where="cluster.context")]
        )  # fmt: skip
    server = str(clusters.get(str(contexts[name].get("cluster")), {}).get("server", "")).rstrip("/")
    if not server:
        raise _bad(_("the context {name!r} names a cluster that is not in it", name=name))
    if meant.server is not None and server != meant.server:
        raise Refusal(
            [
                Finding(
                    "fleet.other-cluster",
                    _("the context {name!r} leads to {server}, and {meant} is meant", name=name, server=server,
                      meant=meant.server),
                    _("another context or kubeconfig; or cluster.server, if that cluster is meant"),
                    where="cluster.server",
                )
            ]
        )  # fmt: skip


def _read(text: str) -> tuple[dict[str, Mapping[str, Any]], dict[str, Mapping[str, Any]], str]:
    try:
        found = _yaml.load(text)
    except _yaml.YAMLError:
        # Its words would show the lines around, with tokens and keys in them.
        raise _bad(_("it is not YAML")) from None
    if not isinstance(found, Mapping) or not isinstance(found.get("contexts"), list):
        raise _bad(_("it has no contexts"))
    return (
        _named(found, "contexts", "context"),
        _named(found, "clusters", "cluster"),
        str(found.get("current-context") or ""),
    )


def _named(found: Mapping[str, Any], rows: str, part: str) -> dict[str, Mapping[str, Any]]:
    listed_rows = found.get(rows) or []
    return {
        str(each.get("name")): each[part]
        for each in listed_rows
        if isinstance(each, Mapping) and isinstance(each.get(part), Mapping)
    }


def _bad(why: str) -> Refusal:
    return Refusal([Finding("fleet.bad-kubeconfig", _("the kubeconfig cannot be used: {why}", why=why),
                            _("the file's text, as `kubectl config view --raw --flatten` prints it"),
                            where="kubeconfig")])  # fmt: skip
