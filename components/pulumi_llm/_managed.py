"""The cluster that a fleet has made for it, by the cloud of its nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pulumi

from pulumi_llm import _component as support
from pulumi_llm import clouds
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

if TYPE_CHECKING:
    from pulumi_llm._resolve.managed import ResolvedCluster
    from pulumi_llm.clouds.clusters import ClusterHandle, Makes

PART = "cluster"
"""The module of a cloud's folder that makes clusters."""


def make(
    name: str, cluster: ResolvedCluster, component: pulumi.ComponentResource, *, there: Any, given: Any
) -> ClusterHandle:
    """Make it, by the provider of its cloud that the user handed in, else one for its region.

    Raises:
        Refusal: ``fleet.made-and-there`` where a cluster that is there is handed in too, ``cloud.sdk-missing``.
    """
    if there is not None or given is not None:
        what = "kubeconfig" if there is not None else _("a provider for Kubernetes")
        message = _("the cluster is to be made, and {named} is said of one that is there", named=what)
        raise Refusal([Finding("fleet.made-and-there", message, _("leave out one or the other"))])
    adapter = support.adapter(cluster.cloud)
    support.check_name(name, cluster.cloud, below="-network")
    scope = support.scope_of(component, name, adapter, cluster.region)
    makes = cast("Makes", clouds.every()[cluster.cloud].part(PART))
    return makes.make(name, cluster.request, scope)
