"""The values of Weaviate's chart, each of a class that has the chart's own names and no others.

Names and defaults: weaviate/weaviate-helm, tag v17.8.3, weaviate/values.yaml and weaviate/templates, read 2026-11-30.
The chart has no schema, and drops a key that it does not know. Defaults of it that are stated here all the same are
those that would be wrong: two load balancers that all of the internet may call, callers without a key, a privileged
container (``alpine:latest``) that sets the node's own limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from pulumi_llm._cluster.values import Quantities, Switch
from pulumi_llm._dataclasses import dataclass

REPOSITORY = "https://weaviate.github.io/weaviate-helm"
CHART = "weaviate"


@dataclass(frozen=True, kw_only=True)
class Image:
    """``image``. The tag of the chart is another one with each of its releases, so it is stated."""

    registry: str
    repo: str
    tag: str
    pullPolicy: Literal["IfNotPresent"] = "IfNotPresent"  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class Before:
    """``initContainers``: none. The first is privileged, which the namespace takes no pod with."""

    sysctlInitContainer: Switch = Switch()  # noqa: N815
    ensureFileOwnershipContainer: Switch = Switch()  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class Storage:
    """``storage``: its claim. An empty class is the cluster's own."""

    size: str
    storageClassName: str  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class Inside:
    """A Service that the cluster alone reaches; the chart's own would have load balancers."""

    type: Literal["ClusterIP"] = "ClusterIP"


@dataclass(frozen=True, kw_only=True)
class Authentication:
    """``authentication``: nobody without a key. The key comes by a variable, as a Secret cannot be named here."""

    anonymous_access: Switch = Switch()
    oidc: Switch = Switch()


@dataclass(frozen=True, kw_only=True)
class Admins:
    """``authorization.admin_list``."""

    users: tuple[str, ...]
    enabled: Literal[True] = True


@dataclass(frozen=True, kw_only=True)
class Authorization:
    """``authorization``."""

    admin_list: Admins
    rbac: Switch = Switch()


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """``query_defaults``: as on a machine."""

    limit: int = 25


@dataclass(frozen=True, kw_only=True)
class On:
    """A module that is on."""

    enabled: Literal[True] = True


@dataclass(frozen=True, kw_only=True)
class Modules:
    """``modules``: none, or the one that asks our gateway for vectors."""

    openai: On | Switch = field(default=Switch(), metadata={"name": "text2vec-openai"})
    default_vectorizer_module: Literal["none"] = "none"


@dataclass(frozen=True, kw_only=True)
class StoreValues:
    """All that the chart is told."""

    image: Image
    resources: Quantities
    storage: Storage
    env: Mapping[str, str]
    envSecrets: Mapping[str, str]  # noqa: N815
    """The name of a variable, which is the key in the Secret too, to the Secret's name."""
    modules: Modules
    extraVolumes: tuple[Mapping[str, Any], ...]  # noqa: N815
    extraVolumeMounts: tuple[Mapping[str, Any], ...]  # noqa: N815
    authorization: Authorization
    securityContext: Mapping[str, Any]  # noqa: N815
    containerSecurityContext: Mapping[str, Any]  # noqa: N815
    nodeSelector: Mapping[str, str] | None = None  # noqa: N815
    initContainers: Before = Before()  # noqa: N815
    replicas: Literal[1] = 1
    service: Inside = Inside()
    grpcService: Inside = Inside()  # noqa: N815
    authentication: Authentication = Authentication()
    query_defaults: Defaults = Defaults()
    serviceMonitor: Switch = Switch()  # noqa: N815
    mcp: Switch = Switch()
