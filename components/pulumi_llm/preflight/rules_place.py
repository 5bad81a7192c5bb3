"""Where it is to run, and under which licence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from pulumi_llm import catalog
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import placement, unlisted
from pulumi_llm.preflight.request import Case

if TYPE_CHECKING:
    from pulumi_llm.spec import ServerSpec


def not_offered(case: Case) -> Iterator[Finding]:
    """The cloud, the region and the zone must sell that many of that GPU in one machine."""
    request, data = case.request, catalog.load()
    if request.cloud is None:
        return
    if request.region is not None:
        try:
            # A request has all the fields of a spec that a placement looks at.
            placed = placement.place_server(cast("ServerSpec", request))
        except Refusal as refusal:
            yield from refusal.findings
        else:
            yield from unlisted.told(placed)
        return
    if not data.offers(gpu=case.gpu.name, gpu_count=request.gpu_count, cloud=request.cloud):
        offers = data.offers(gpu=case.gpu.name, cloud=request.cloud)
        counts = sorted({offer.instance.gpu_count for offer in offers})
        there = sorted({str(offer.instance.gpu) for offer in data.offers(cloud=request.cloud)})
        yield Finding(
            "placement.gpu-not-offered",
            f"the catalogue has no machine with {request.gpu_count} x {case.gpu.name} on {request.cloud}",
            f"gpu_count: {' or '.join(map(str, counts))}" if counts else f"it has {', '.join(there)}",
            where="gpu",
        )


def licence_gate(case: Case) -> Iterator[Finding]:
    """Gated models are only handed out to accounts that accepted the licence."""
    model = case.model
    if model.gated:
        elsewhere = f"; ModelScope has it as {model.modelscope_id}" if model.modelscope_id else ""
        yield Finding(
            "fit.licence-gate",
            f"{model.id} is gated: Hugging Face hands it out only with the token of an account that accepted the "
            f"licence{f' ({model.licence})' if model.licence else ''}",
            f"accept it on the model's page and set the secret hfToken{elsewhere}",
            severity="warning",
            where="model",
        )


def mainland_ports(case: Case) -> Iterator[Finding]:
    """What a host in mainland China cannot do."""
    request = case.request
    if request.cloud is None or request.region is None:
        return
    region = catalog.load().regions.get((request.cloud, request.region))
    if region is None:
        return
    if region.in_china:
        yield Finding(
            "fit.mainland-ports",
            f"{region.name} is in mainland China, where ports 80, 443 and 8080 need an ICP filing: the endpoint "
            "answers on 18443, by address, with a certificate of its own",
            "https_port: another high port, if 18443 will not do",
            severity="info",
            where="region",
        )
    if not region.serves:
        vendors = ", ".join(vendor for vendor, countries in catalog.load().upstreams.items() if countries)
        yield Finding(
            "fit.upstreams-not-served",
            f"the foreign model APIs ({vendors}) do not serve callers in {region.name}",
            "an overseas proxy, if you want their models too",
            severity="info",
            where="region",
        )
