"""Checks the catalogue's own data: unique keys, references that resolve, sane ranges, sources."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pulumi_llm.catalog import reader
from pulumi_llm.catalog.models import Model, count_parameters
from pulumi_llm.catalog.rows import Gpu, Instance, Price, Row, source_day
from pulumi_llm.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from pulumi_llm.catalog.catalog import Catalog

DTYPES = {"float32", "float16", "bfloat16", "fp8", "fp4"}
CNY_PER_GPU_HOUR = (1.0, 200.0)
CNY_PER_HOST_HOUR = (0.002, 10.0)
COUNT_TOLERANCE = 0.02
"""How far a model's stated parameters may be from what its matrices add up to (norms, a vision tower)."""


def problems(catalog: Catalog) -> list[str]:
    """What is wrong, one sentence each. A file that does not read is one; the rest is still checked."""
    checks: tuple[Callable[[Catalog], Iterator[str]], ...] = (
        _clouds, _regions, _gpus, _instances, _prices, _extras, _models, _images, _mirrors,
        _token_prices, _endings,
    )  # fmt: skip
    found: list[str] = []
    for check in checks:
        try:
            found += check(catalog)
        except Refusal as refusal:
            found += [finding.message for finding in refusal.findings]
    return list(dict.fromkeys(found))


def _repeated(what: str, keys: Iterable[Hashable]) -> Iterator[str]:
    for key, count in Counter(keys).items():
        if count > 1:
            yield f"{what} {key} is there {count} times"


def _sourced(what: str, row: Row) -> Iterator[str]:
    if not row.source.strip():
        yield f"{what} has no source"
    if row.source_date != "undated" and source_day(row.source_date) is None:
        yield f"{what} has the source date {row.source_date!r}, which is neither a date nor 'undated'"


def _clouds(catalog: Catalog) -> Iterator[str]:
    for name, cloud in catalog.clouds.items():
        what = f"cloud {name}"
        yield from _sourced(what, cloud)
        if (name, cloud.default_region) not in catalog.regions:
            yield f"{what}: the default region {cloud.default_region} is not among its regions"
        if not 1024 <= cloud.user_data_limit <= 262144:
            yield f"{what}: a user data limit of {cloud.user_data_limit} bytes"
        if "default" not in cloud.name_rules:
            yield f"{what}: no default rule for names"
        for disk in (cloud.system_disk, cloud.data_disk):
            if not 0 < disk.min_gib <= disk.max_gib or disk.step_gib < 1:
                sizes = f"{disk.min_gib} to {disk.max_gib} GiB in steps of {disk.step_gib}"
                yield f"{what}: disk {disk.type} of {sizes}"


def _regions(catalog: Catalog) -> Iterator[str]:
    rows = list(catalog.regions.values())
    yield from _repeated("zone", (zone for row in rows for zone in ((row.cloud, each) for each in row.zones)))
    for row in rows:
        what = f"region {row.cloud}/{row.name}"
        yield from _sourced(what, row)
        if row.cloud not in catalog.clouds:
            yield f"{what}: the cloud is not in the catalogue"
        for zone in row.zones:
            if not zone.startswith(row.name):
                yield f"{what}: the zone {zone} belongs to another region"


def _gpus(catalog: Catalog) -> Iterator[str]:
    rows = list(catalog.gpus.values())
    yield from _repeated("GPU alias", (alias.casefold() for row in rows for alias in {row.name, *row.aliases}))
    for row in rows:
        yield from _gpu(row)


def _gpu(row: Gpu) -> Iterator[str]:
    what = f"GPU {row.name}"
    yield from _sourced(what, row)
    if row.tpu:
        if row.compute_capability or row.min_driver is not None or "bfloat16" not in row.dtypes:
            yield f"{what}: a TPU has no compute capability and no driver, and computes in bfloat16"
        return
    major, dot, minor = row.compute_capability.partition(".")
    if not (dot and major.isdigit() and minor.isdigit()):
        yield f"{what}: the compute capability {row.compute_capability!r} is not of the form 8.9"
        return
    if not 0.85 * row.marketed_gib <= row.memory_gib <= row.marketed_gib:
        yield f"{what}: {row.memory_gib} GiB of memory on a card sold with {row.marketed_gib}"
    if not set(row.dtypes) <= DTYPES or "float16" not in row.dtypes:
        yield f"{what}: dtypes {', '.join(row.dtypes)}"
    for dtype, least in (("bfloat16", (8, 0)), ("fp8", (8, 9)), ("fp4", (10, 0))):
        if (dtype in row.dtypes) != (row.capability >= least):
            yield f"{what}: {dtype} does not go with compute capability {row.compute_capability}"
    if (row.vllm == "current") != (row.capability >= (7, 5)):
        yield f"{what}: vLLM {row.vllm!r} does not go with compute capability {row.compute_capability}"
    if (row.min_driver is None) != (row.vllm == "never") or (row.last_vllm is None) != (row.vllm != "legacy"):
        yield f"{what}: driver {row.min_driver} and release {row.last_vllm} do not go with {row.vllm!r}"


def _instances(catalog: Catalog) -> Iterator[str]:
    rows = catalog.instances
    yield from _repeated("instance type", ((row.cloud, row.instance_type) for row in rows))
    for row in rows:
        what = f"instance type {row.cloud}/{row.instance_type}"
        yield from _sourced(what, row)
        yield from _size(catalog, row, what)
        for region, zones in row.regions.items():
            known = catalog.regions.get((row.cloud, region))
            if known is None:
                yield f"{what}: the region {region} is not in the catalogue"
            for zone in zones:
                if known is not None and zone not in known.zones:
                    yield f"{what}: the zone {zone} is not one of {region}"


def _size(catalog: Catalog, row: Instance, what: str) -> Iterator[str]:
    if not 0 < row.vcpu <= 800 or not 0 < row.memory_gib <= 5000:
        yield f"{what}: {row.vcpu} vCPU and {row.memory_gib} GiB"
    if row.cloud not in catalog.clouds:
        yield f"{what}: the cloud is not in the catalogue"
    if row.role == "proxy":
        if row.gpu is not None or row.gpu_count:
            yield f"{what}: a machine for the proxy has a GPU"
        return
    gpu = catalog.gpus.get(row.gpu or "")
    if gpu is None:
        yield f"{what}: the GPU {row.gpu} is not in the catalogue"
        return
    if not 1 <= row.gpu_count <= 16:
        yield f"{what}: {row.gpu_count} GPUs"
    memory = row.gpu_memory_gib or 0
    if row.fractional and not 0 < memory <= gpu.marketed_gib:
        yield f"{what}: a slice of {memory} GiB of a GPU with {gpu.marketed_gib}"
    if not row.fractional and memory != gpu.marketed_gib:
        yield f"{what}: {memory} GiB a GPU, and a {gpu.name} has {gpu.marketed_gib}"


def _prices(catalog: Catalog) -> Iterator[str]:
    rows = catalog.prices
    keys = ((row.cloud, row.instance_type, row.region, row.spot, row.currency, row.source_date) for row in rows)
    yield from _repeated("price", keys)
    known = {(row.cloud, row.instance_type): row for row in catalog.instances}
    demand = {(row.cloud, row.instance_type, row.region): row for row in rows if not row.spot}
    for row in rows:
        what = f"price of {row.cloud}/{row.instance_type} in {row.region}"
        yield from _sourced(what, row)
        instance = known.get((row.cloud, row.instance_type))
        if instance is None:
            yield f"{what}: the instance type is not in the catalogue"
            continue
        if (row.cloud, row.region) not in catalog.regions:
            yield f"{what}: the region is not in the catalogue"
        yield from _amount(catalog, row, instance, what)
        full = demand.get((row.cloud, row.instance_type, row.region))
        if row.spot and full is not None and full.currency == row.currency and row.amount > full.amount * 1.001:
            yield f"{what}: the spot price {row.amount} is above the list price {full.amount}"
    for guide in catalog.guide_prices:
        what = f"guide price of {guide.cloud} {guide.gpu}"
        yield from _sourced(what, guide)
        if guide.gpu not in catalog.gpus or guide.amount <= 0:
            yield f"{what}: {guide.amount} {guide.currency} for an unknown GPU or for nothing"
        if guide.instance_type is not None and (guide.cloud, guide.instance_type) not in known:
            yield f"{what}: the instance type {guide.instance_type} is not in the catalogue"


def _amount(catalog: Catalog, row: Price, instance: Instance, what: str) -> Iterator[str]:
    if row.currency not in ("CNY", "USD"):
        yield f"{what}: the currency {row.currency}"
        return
    amount = catalog.exchange_rate.convert(row.amount, row.currency, "CNY")
    if instance.role == "proxy":
        low, high = CNY_PER_HOST_HOUR
    elif instance.fractional or row.spot:
        low, high = 0.0, CNY_PER_GPU_HOUR[1] * instance.gpu_count
    else:
        low, high = (bound * instance.gpu_count for bound in CNY_PER_GPU_HOUR)
    if not low < amount <= high:
        yield f"{what}: {row.amount} {row.currency} per hour is out of all proportion"


def _token_prices(catalog: Catalog) -> Iterator[str]:
    for vendor in catalog.upstreams.values():
        what = f"upstream {vendor.vendor}"
        yield from _sourced(what, vendor)
        if vendor.sells not in ("tokens", "machines", "nothing"):
            yield f"{what}: it sells {vendor.sells!r}"
        for url in vendor.urls:
            if not url.startswith("https://") or url.endswith("/"):
                yield f"{what}: the address {url!r}"
        if vendor.countries not in (None, "any"):
            for country in sorted({"CN", "HK"} & set(vendor.countries)):
                yield f"{what}: no vendor serves {country} by a list of countries; those at home there serve any"
    for row in catalog.token_prices.values():
        what = f"token price of {row.vendor}/{row.model}"
        yield from _sourced(what, row)
        if row.vendor not in catalog.upstreams:
            yield f"{what}: the vendor is not in the catalogue"
        # The dearest that was seen is 600 USD per million tokens; a price per token would be far below the least.
        if not 0.001 <= row.input <= 1000 or not (row.output == 0 or 0.001 <= row.output <= 1000):
            yield f"{what}: {row.input} and {row.output} USD per million tokens"


def _endings(catalog: Catalog) -> Iterator[str]:
    yield from _repeated(
        "end of a model",
        ((row["vendor"], row["model"]) for row in reader.raw_rows(catalog.directory / "endings.json")),
    )
    for row in catalog.endings.values():
        what = f"end of {row.vendor}/{row.model}"
        yield from _sourced(what, row)
        if row.vendor not in catalog.upstreams:
            yield f"{what}: the vendor is not in the catalogue"
        try:
            day = row.day
        except ValueError:
            yield f"{what}: {row.ends!r} is not a day"
            continue
        after = catalog.endings.get((row.vendor, row.instead or ""))
        if after is not None and after.day <= day:
            yield f"{what}: {row.instead}, which is named in its place, ends no later"


def _extras(catalog: Catalog) -> Iterator[str]:
    rows = catalog.extras
    yield from _repeated("extra price", ((row.cloud, row.kind, row.item, row.region, row.source_date) for row in rows))
    for row in rows:
        what = f"price of {row.kind} {row.item} on {row.cloud} in {row.region}"
        yield from _sourced(what, row)
        if row.cloud not in catalog.clouds:
            yield f"{what}: the cloud is not in the catalogue"
        if row.region != "*" and (row.cloud, row.region) not in catalog.regions:
            yield f"{what}: the region is not in the catalogue"
        if row.unit not in ("GiB-hour", "GiB-month", "GiB", "hour"):
            yield f"{what}: the unit {row.unit}"
        free = row.amount == 0 and "free" in row.notes
        if not free and not 0 < row.amount <= 10:
            yield f"{what}: {row.amount} {row.currency} per {row.unit}"
    rate = catalog.exchange_rate
    yield from _sourced("the exchange rate", rate)
    if (rate.base, rate.quote) != ("USD", "CNY") or not 4 < rate.rate < 12:
        yield f"the exchange rate: {rate.rate} {rate.quote} per {rate.base}"


def _models(catalog: Catalog) -> Iterator[str]:
    yield from _repeated("model", (model_id.casefold() for model_id in catalog.models))
    for row in catalog.models.values():
        what = f"model {row.id}"
        yield from _sourced(what, row)
        if row.base_model is not None and row.base_model not in catalog.models:
            yield f"{what}: its base model {row.base_model} is not in the catalogue"
        # A file that quantizes layer by layer has no one width; then it is known what all of it weighs.
        listed = row.quantization is not None and row.weights_gib is not None
        if (row.quantization is None) != (row.quantization_bits is None) and not listed:
            yield f"{what}: quantization {row.quantization} in {row.quantization_bits} bits"
        yield from _shape(row, what)


def _shape(row: Model, what: str) -> Iterator[str]:
    bounds = {"layers": 1000, "hidden": 131072, "heads": 4096, "kv_heads": 4096, "head_dim": 4096}
    bounds |= {"intermediate": 1_000_000, "vocab": 10_000_000}
    bounds |= {"max_context": 100_000_000, "served_context": 100_000_000}
    for name, high in bounds.items():
        value = getattr(row, name)
        if value is not None and not 1 <= value <= high:
            yield f"{what}: {name} is {value}"
            return
    if row.kv_bytes_per_token is None or row.max_context is None:
        yield f"{what}: the size of its KV cache or its context is not known"
    if row.mla is None and row.heads and row.kv_heads and row.heads % row.kv_heads:
        yield f"{what}: {row.heads} heads cannot share {row.kv_heads} key-value heads"
    if row.active_b is not None and (row.parameters_b is None or not 0 < row.active_b < row.parameters_b):
        yield f"{what}: {row.active_b} of {row.parameters_b} billion parameters active"
    if row.sliding_window is not None and not 0 < row.sliding_window.layers <= (row.layers or 0):
        yield f"{what}: a window on {row.sliding_window.layers} of {row.layers} layers"
    # A row with caches was read from a whole configuration, and counted by its shape: tools/model_rows.py.
    count = None if row.caches else count_parameters(row)
    if count is not None and row.parameters_b is not None:
        if abs(count / 1e9 - row.parameters_b) > COUNT_TOLERANCE * row.parameters_b:
            yield f"{what}: its matrices hold {count / 1e9:.2f} billion parameters, not {row.parameters_b}"
    elif row.parameters_b is None:
        yield f"{what}: the number of parameters is not known"


def _images(catalog: Catalog) -> Iterator[str]:
    yield from _repeated("image", ((row.cloud, row.purpose, row.arch) for row in catalog.images))
    for row in catalog.images:
        yield from _sourced(f"image {row.cloud}/{row.purpose}", row)
        if row.cloud not in catalog.clouds or not row.arguments:
            yield f"image {row.cloud}/{row.purpose}: an unknown cloud, or nothing to look it up by"
    for cloud in (name for name, facts in catalog.clouds.items() if facts.can):
        if not any((row.cloud, row.purpose, row.arch) == (cloud, "ubuntu-24.04", "x86_64") for row in catalog.images):
            yield f"cloud {cloud}: there is no image for ubuntu-24.04"


def _mirrors(catalog: Catalog) -> Iterator[str]:
    for row in catalog.mirrors:
        what = f"mirror {row.kind} {row.url or row.form}"
        yield from _sourced(what, row)
        if row.cloud is not None and row.cloud not in catalog.clouds:
            yield f"{what}: the cloud {row.cloud} is not in the catalogue"
        if row.kind == "pypi" and row.url.startswith("http://") and not row.trusted_host:
            yield f"{what}: plain HTTP without a trusted host, which pip refuses"
    for cloud, region in catalog.regions:
        sources = catalog.sources(cloud, region)
        for kind in ("pypi", "apt", "docker_apt", "containers", "hubs"):
            if not getattr(sources, kind):
                yield f"region {cloud}/{region}: nowhere to get {kind} from"
