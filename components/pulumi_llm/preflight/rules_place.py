"""Where it is to run, and under which licence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pulumi_llm import catalog
from pulumi_llm._texts import _, either, listed
from pulumi_llm.errors import Finding
from pulumi_llm.preflight import placement, unlisted
from pulumi_llm.preflight.request import Case


def not_offered(case: Case) -> Iterator[Finding]:
    """The cloud, the region and the zone must sell that many of that GPU in one machine."""
    request, data = case.request, catalog.load()
    if request.cloud is None or (request.cloud == placement.OWN and request.host is None):
        return  # a machine that exists is described in a spec, and here nobody did
    if request.region is not None:
        yield from case.placing.findings
        if case.placing.place is not None and not case.placing.place.exists:
            yield from unlisted.told(case.placing.place)
        return
    if not data.offers(gpu=case.gpu.name, gpu_count=request.cards, cloud=request.cloud):
        offers = data.offers(gpu=case.gpu.name, cloud=request.cloud)
        counts = sorted({offer.instance.gpu_count for offer in offers})
        there = sorted({str(offer.instance.gpu) for offer in data.offers(cloud=request.cloud)})
        yield Finding(
            "placement.gpu-not-offered",
            _(
                "the catalogue has no machine with {gpu_count} x {gpu} on {cloud}",
                gpu_count=request.cards,
                gpu=case.gpu.name,
                cloud=request.cloud,
            ),
            _what_there_is(counts, there, sorted({offer.instance.cloud for offer in data.offers(gpu=case.gpu.name)})),
            where="gpu",
        )


def _what_there_is(counts: Sequence[int], there: Sequence[str], elsewhere: Sequence[str]) -> str:
    """The advice for a cloud without such a machine: other counts, its other GPUs, and else other clouds."""
    if counts:
        return _("gpu_count: {counts}", counts=either(map(str, counts)))
    if there:
        return _("it has {there}", there=listed(there))
    return f"cloud: {either(elsewhere)}" if elsewhere else ""


def licence_gate(case: Case) -> Iterator[Finding]:
    """Gated models are only handed out to accounts that accepted the licence."""
    model = case.model
    if model.gated:
        elsewhere = (
            _("; ModelScope has it as {modelscope_id}", modelscope_id=model.modelscope_id)
            if model.modelscope_id
            else ""
        )
        yield Finding(
            "fit.licence-gate",
            _(
                "{model} is gated: Hugging Face hands it out only with the token of an account that "
                "accepted the licence{note}",
                model=model.id,
                note=f" ({model.licence})" if model.licence else "",
            ),
            _("accept it on the model's page and set the secret hfToken{elsewhere}", elsewhere=elsewhere),
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
            _(
                "{region} is in mainland China, where ports 80, 443 and 8080 need an ICP filing: the "
                "endpoint answers on 18443, by address, with a certificate of its own",
                region=region.name,
            ),
            _("https_port: another high port, if 18443 will not do"),
            severity="info",
            where="region",
        )
    foreign = [row for row in catalog.load().upstreams.values() if row.countries not in (None, "any")]
    if not any(row.serves(region.country) for row in foreign):
        vendors = listed(row.vendor for row in foreign)
        yield Finding(
            "fit.upstreams-not-served",
            _(
                "the foreign model APIs ({vendors}) do not serve callers in {region}",
                vendors=vendors,
                region=region.name,
            ),
            _("an overseas proxy, if you want their models too"),
            severity="info",
            where="region",
        )
