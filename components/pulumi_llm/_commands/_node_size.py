"""How much of a cloud's user-data limit the node of a checked model takes: it is rendered, and measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from pulumi_llm import catalog
from pulumi_llm._texts import _, all_of
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import weights as weights_of
from pulumi_llm.preflight.report import Report
from pulumi_llm.roles import registry

if TYPE_CHECKING:
    from pulumi_llm._bootstrap import NodeRequest
    from pulumi_llm.roles import Role

LARGEST_GIB = 999
"""GiB of memory for a service beside the model: with it the node is as large as a model server's can be."""


def with_user_data(report: Report) -> Report:
    """The report with what there is to say of the user data; where no cloud is named, as it is."""
    if report.case.request.cloud is None:
        return report
    from pulumi_llm import _bootstrap as bootstrap

    try:
        size = bootstrap.size_report(_node(report))
    except Refusal as refusal:
        return replace(report, findings=(*refusal.findings, *report.findings))
    told = Finding(
        "fit.user-data-size",
        _(
            "the node's user data, with {titles} beside the model, has {size:,} bytes, and "
            "{cloud} takes {limit:,} ({share:.0%})",
            titles=all_of(each.manifest.title for each in _services()),
            size=size.size,
            cloud=report.case.request.cloud,
            limit=size.limit,
            share=size.share,
        ),
        severity="info",
    )
    return replace(report, findings=(*report.findings, told))


def _node(report: Report) -> NodeRequest:
    """The node that a server of this request would be, apart from its name."""
    from pulumi_llm import _bootstrap as bootstrap
    from pulumi_llm._sources import node_sources
    from pulumi_llm.roles.vllm_flags import flags_of_spec

    case, data = report.case, catalog.load()
    cloud, region = str(case.request.cloud), _region(report)
    model, release = case.model, case.engine
    served = model.id.rpartition("/")[2]
    weights = weights_of.weights_gib(model, model.quantization, model.quantization_bits)
    return bootstrap.NodeRequest(
        name="llm-server",
        cloud=cloud,
        region=region,
        login_user=data.clouds[cloud].login_user,
        in_china=data.region(cloud, region).in_china,
        data_disk_gib=case.request.model_disk_gib or 1000,
        sources=node_sources(cloud, region),
        roles=(
            # Of the gateway the user data only holds that there is one; the rest travels with the settings.
            bootstrap.GatewayRole(https_port=18443),
            bootstrap.VllmRole(
                model_id=model.id,
                modelscope_id=model.modelscope_id,
                served_name=served,
                dtype=cast("Any", case.dtype),
                tensor_parallel_size=case.request.gpu_count,
                max_model_len=case.max_model_len,
                gpu_memory_utilization=case.request.gpu_memory_utilization,
                flags=flags_of_spec(case.request),
                kv_cache_dtype=None if case.request.kv_cache_dtype == "auto" else case.request.kv_cache_dtype,
                weights_gib=weights,
                min_driver=release.min_driver,
            ),
            *(bootstrap.ServiceRole(role=each.name, memory_gib=LARGEST_GIB) for each in _services()),
        ),
    )


def _services() -> list[Role]:
    """The services that the components' own arguments ask for; what is asked for besides adds nothing to user data."""
    return [each for each in registry.built_in().values() if each.manifest.argument]


def _region(report: Report) -> str:
    """The region that is asked for, else the one in China where there is one: its node has the most sources."""
    request, data = report.case.request, catalog.load()
    if request.region is not None:
        return request.region
    regions = [row for (cloud, __), row in sorted(data.regions.items()) if cloud == request.cloud]
    return max(regions, key=lambda row: row.in_china).name
