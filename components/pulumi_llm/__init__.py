"""pulumi-llm: Pulumi components that run large language models on your own GPU machines.

``import pulumi_llm as llm`` touches neither the network nor a cloud's SDK: the components, and with them Pulumi
itself, are imported when they are first named.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulumi_llm._args import (
        AccessArgs,
        AcmeArgs,
        AdapterArgs,
        AlternativeArgs,
        AppsArgs,
        BackupArgs,
        ChatArgs,
        ClusterArgs,
        ContentArgs,
        DiskArgs,
        DomainArgs,
        FleetArgs,
        FleetModelArgs,
        FleetVectorsArgs,
        HostArgs,
        HostPriceArgs,
        IdleStopArgs,
        KeyArgs,
        ManagedArgs,
        ModelArgs,
        ModelServerArgs,
        ModeratorArgs,
        NetworkArgs,
        NetworkChoiceArgs,
        NodesArgs,
        OverseasProxyArgs,
        PlatformArgs,
        PriceArgs,
        ProxyArgs,
        RagArgs,
        RecordArgs,
        RouteArgs,
        ScalingArgs,
        ServerArgs,
        ServiceArgs,
        SnapshotsArgs,
        TracesArgs,
        TurnsArgs,
        UpstreamArgs,
        VectorizerArgs,
        VectorsArgs,
        VectorStoreArgs,
        WeightsArgs,
        WordListArgs,
        WorkerProxyArgs,
    )
    from pulumi_llm._fleet import Fleet
    from pulumi_llm._model_server import ModelServer
    from pulumi_llm._network import Network
    from pulumi_llm._overseas_proxy import OverseasProxy
    from pulumi_llm._platform import Platform
    from pulumi_llm._vector_store import VectorStore
    from pulumi_llm._worker_proxy import WorkerProxy
    from pulumi_llm.errors import Finding, Refusal

__version__ = "0.1.0"

_HOMES = {
    "AccessArgs": "_args",
    "AlternativeArgs": "_args",
    "AppsArgs": "_args",
    "ChatArgs": "_args",
    "AcmeArgs": "_args",
    "AdapterArgs": "_args",
    "BackupArgs": "_args",
    "ContentArgs": "_args",
    "ClusterArgs": "_args",
    "DiskArgs": "_args",
    "Fleet": "_fleet",
    "FleetArgs": "_args",
    "FleetModelArgs": "_args",
    "FleetVectorsArgs": "_args",
    "ManagedArgs": "_args",
    "NodesArgs": "_args",
    "DomainArgs": "_args",
    "IdleStopArgs": "_args",
    "TracesArgs": "_args",
    "TurnsArgs": "_args",
    "HostArgs": "_args",
    "HostPriceArgs": "_args",
    "Finding": "errors",
    "KeyArgs": "_args",
    "ModelServer": "_model_server",
    "ModelArgs": "_args",
    "ModelServerArgs": "_args",
    "ModeratorArgs": "_args",
    "Network": "_network",
    "NetworkArgs": "_args",
    "NetworkChoiceArgs": "_args",
    "OverseasProxy": "_overseas_proxy",
    "OverseasProxyArgs": "_args",
    "Platform": "_platform",
    "PlatformArgs": "_args",
    "PriceArgs": "_args",
    "ProxyArgs": "_args",
    "RagArgs": "_args",
    "RecordArgs": "_args",
    "Refusal": "errors",
    "RouteArgs": "_args",
    "ScalingArgs": "_args",
    "ServerArgs": "_args",
    "ServiceArgs": "_args",
    "SnapshotsArgs": "_args",
    "UpstreamArgs": "_args",
    "VectorStore": "_vector_store",
    "VectorStoreArgs": "_args",
    "VectorizerArgs": "_args",
    "VectorsArgs": "_args",
    "WeightsArgs": "_args",
    "WordListArgs": "_args",
    "WorkerProxy": "_worker_proxy",
    "WorkerProxyArgs": "_args",
}

__all__ = [
    "AccessArgs",
    "AcmeArgs",
    "AdapterArgs",
    "AlternativeArgs",
    "AppsArgs",
    "BackupArgs",
    "ChatArgs",
    "ClusterArgs",
    "ContentArgs",
    "DiskArgs",
    "DomainArgs",
    "Finding",
    "Fleet",
    "FleetArgs",
    "FleetModelArgs",
    "FleetVectorsArgs",
    "HostArgs",
    "HostPriceArgs",
    "IdleStopArgs",
    "KeyArgs",
    "ManagedArgs",
    "ModelArgs",
    "ModelServer",
    "ModelServerArgs",
    "ModeratorArgs",
    "Network",
    "NetworkArgs",
    "NetworkChoiceArgs",
    "NodesArgs",
    "OverseasProxy",
    "OverseasProxyArgs",
    "Platform",
    "PlatformArgs",
    "PriceArgs",
    "ProxyArgs",
    "RagArgs",
    "RecordArgs",
    "Refusal",
    "RouteArgs",
    "ScalingArgs",
    "ServerArgs",
    "ServiceArgs",
    "SnapshotsArgs",
    "TracesArgs",
    "TurnsArgs",
    "UpstreamArgs",
    "VectorStore",
    "VectorStoreArgs",
    "VectorizerArgs",
    "VectorsArgs",
    "WeightsArgs",
    "WordListArgs",
    "WorkerProxy",
    "WorkerProxyArgs",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
