"""The catalogue: what exists and what it costs, read from data files as it is asked for."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pulumi_llm import clouds
from pulumi_llm._texts import _
from pulumi_llm.catalog import names, own, parts, reader
from pulumi_llm.catalog.models import Model
from pulumi_llm.catalog.newest import PriceKey, newest
from pulumi_llm.catalog.rows import (
    CloudFacts,
    Ending,
    ExchangeRate,
    ExtraPrice,
    Gpu,
    GuidePrice,
    Image,
    Instance,
    Offer,
    Price,
    Region,
    Role,
    Row,
    TokenPrice,
    UpstreamVendor,
)
from pulumi_llm.catalog.supply import Mirror, Sources, sources_for
from pulumi_llm.errors import Finding, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

DATA = Path(__file__).parent / "data"
"""What is no cloud's. The rows of a cloud are in its folder."""
R = TypeVar("R", bound=Row)


class Catalog:
    """Clouds, regions, GPUs, instance types, prices, models, images and mirrors.

    Each kind is read from its files when first asked for. A file that cannot be used raises
    Refusal ``catalog.broken-file``; a name that is not known raises UnknownName with the nearest known ones.
    """

    def __init__(self, directory: Path = DATA, own_models: Path | None = None) -> None:
        """The catalogue whose files are in ``directory``; nothing is read yet.

        The package's own has the rows of each installed cloud in that cloud's folder; any other directory is whole.
        The models of ``own_models`` come besides, and before those of the same id: see `pulumi_llm.catalog.own`.
        """
        self.directory, self.own_models = directory, own_models
        self._by_cloud: dict[str, dict[str, Instance]] = {}
        self._best_prices: dict[str, Mapping[PriceKey, reader.RawRow]] = {}
        self._prices_made: dict[PriceKey, Price] = {}

    def paths(self, name: str, cloud: str | None = None) -> tuple[Path, ...]:
        """The files that ``name`` consists of, the clouds' first; where there is none, the one that is missing.

        With ``cloud`` those that may have rows of it: its own folder's, and what is no cloud's; there may be none.
        """
        places = []
        if self.directory == DATA:
            places = [each.data for known, each in clouds.every().items() if cloud in (None, known)]
        found = tuple(each / name for each in (*places, self.directory) if (each / name).is_file())
        return found if found or (cloud is not None and self.directory == DATA) else (self.directory / name,)

    def copy_to(self, directory: Path) -> None:
        """Write all of it into one folder, which is a catalogue by itself. Raises OSError."""
        for name in sorted({*parts.OF_CLOUDS, *(each.name for each in self.directory.glob("*.json"))}):
            if name in parts.OF_CLOUDS:
                parts.write(directory / name, parts.joined(self.paths(name)))
            else:  # contents only: the package's folder may be read only
                shutil.copyfile(self.directory / name, directory / name)

    def _rows(
        self, name: str, kind: type[R], change: Callable[[reader.RawRow], reader.RawRow] | None = None
    ) -> tuple[R, ...]:
        return tuple(row for path in self.paths(name) for row in reader.rows_of(path, kind, change))

    # -- clouds and regions

    @cached_property
    def clouds(self) -> Mapping[str, CloudFacts]:
        """The clouds that machines can be made on, by name."""
        rows = self._rows("clouds.json", CloudFacts, change=reader.cloud_row)
        return {row.name: row for row in rows}

    @cached_property
    def upstreams(self) -> Mapping[str, UpstreamVendor]:
        """The upstream vendors by name."""
        rows = reader.rows_of(self.directory / "upstreams.json", UpstreamVendor, change=reader.upstream_row)
        return {row.vendor: row for row in rows}

    @cached_property
    def token_prices(self) -> Mapping[tuple[str, str], TokenPrice]:
        """What upstream vendors charge, by (vendor, model)."""
        rows = reader.rows_of(self.directory / "token_prices.json", TokenPrice)
        return {(row.vendor, row.model): row for row in rows}

    @cached_property
    def endings(self) -> Mapping[tuple[str, str], Ending]:
        """When vendors switch models off, by (vendor, model); a model without a row has no end that is known."""
        rows = reader.rows_of(self.directory / "endings.json", Ending)
        return {(row.vendor, row.model): row for row in rows}

    @cached_property
    def regions(self) -> Mapping[tuple[str, str], Region]:
        """The regions by (cloud, name)."""
        serving = self.upstreams

        def change(raw: reader.RawRow) -> reader.RawRow:
            serves = tuple(vendor for vendor, row in serving.items() if row.serves(raw["country"]))
            return {**raw, "zones": tuple(raw["zones"]), "serves": serves}

        rows = self._rows("regions.json", Region, change=change)
        return {(row.cloud, row.name): row for row in rows}

    def cloud(self, name: str) -> CloudFacts:
        """The cloud called ``name``. Raises UnknownName ``catalog.unknown-cloud``."""
        try:
            return self.clouds[name]
        except KeyError:
            raise UnknownName("catalog.unknown-cloud", _("cloud"), name, self.clouds) from None

    def region(self, cloud: str, name: str) -> Region:
        """The cloud's region called ``name``. Raises UnknownName ``catalog.unknown-region``."""
        title = self.cloud(cloud).title
        try:
            return self.regions[cloud, name]
        except KeyError:
            known = [region for owner, region in self.regions if owner == cloud]
            raise UnknownName("catalog.unknown-region", _("region of {title}", title=title), name, known) from None

    # -- GPUs and instance types

    @cached_property
    def gpus(self) -> Mapping[str, Gpu]:
        """The GPU models by name."""
        rows = reader.rows_of(self.directory / "gpus.json", Gpu, change=reader.gpu_row)
        return {row.name: row for row in rows}

    @cached_property
    def _gpu_names(self) -> Mapping[str, tuple[str, ...]]:
        return names.gpu_index(self.gpus.values())

    def gpu(self, name: str) -> Gpu:
        """The GPU that ``name`` means, in any case and by any of its aliases (``Tesla T4``, ``a100_80g``).

        Raises Refusal ``catalog.ambiguous-gpu`` where more than one fits, ``catalog.not-nvidia`` for what is no
        GPU of NVIDIA's, and UnknownName ``catalog.unknown-gpu`` where none fits.
        """
        return self.gpus[names.resolve_gpu(name, self._gpu_names)]

    @cached_property
    def instances(self) -> tuple[Instance, ...]:
        """All instance types."""
        return self._rows("instances.json", Instance, change=reader.instance_row)

    def instances_of(self, cloud: str) -> Mapping[str, Instance]:
        """A cloud's types by their names: a plan asks for two clouds' at most, and the others' files stay unread."""
        if cloud not in self._by_cloud:
            rows: Iterable[Instance] = self.__dict__.get("instances", ()) or (
                row
                for path in self.paths("instances.json", cloud)
                for row in reader.rows_of(path, Instance, reader.instance_row)
            )
            self._by_cloud[cloud] = {row.instance_type: row for row in rows if row.cloud == cloud}
        return self._by_cloud[cloud]

    def find_instance(self, cloud: str, instance_type: str) -> Instance | None:
        """The instance type, or None where no row is known."""
        return self.instances_of(cloud).get(instance_type)

    def instance(self, cloud: str, instance_type: str) -> Instance:
        """The instance type. Raises UnknownName ``catalog.unknown-instance-type``."""
        try:
            return self.instances_of(cloud)[instance_type]
        except KeyError:
            title = self.cloud(cloud).title
            known = self.instances_of(cloud)
            code = "catalog.unknown-instance-type"
            raise UnknownName(code, _("instance type of {title}", title=title), instance_type, known) from None

    # -- prices

    @cached_property
    def prices(self) -> tuple[Price, ...]:
        """All list prices, spot prices as rows of their own; those marked suspect among them."""
        return self._rows("prices.json", Price)

    @cached_property
    def guide_prices(self) -> tuple[GuidePrice, ...]:
        """The six prices of the deployment guide that the product grew from."""
        return self._rows("guide_prices.json", GuidePrice)

    @cached_property
    def extras(self) -> tuple[ExtraPrice, ...]:
        """Prices of disks, public addresses and traffic."""
        return self._rows("extras.json", ExtraPrice)

    @cached_property
    def exchange_rate(self) -> ExchangeRate:
        """The newest CNY per USD that the catalogue holds, with its date."""
        path = self.directory / "exchange_rates.json"
        rows = reader.rows_of(path, ExchangeRate)
        if not rows:
            raise reader.broken(path, _("there is no exchange rate"))
        return max(rows, key=lambda row: row.source_date)

    def _best_prices_of(self, cloud: str) -> Mapping[PriceKey, reader.RawRow]:
        """A cloud's newest prices that are not suspect; the other clouds' files stay unread."""
        if cloud not in self._best_prices:
            self._best_prices[cloud] = newest(cloud, self.paths("prices.json", cloud))
        return self._best_prices[cloud]

    def price(self, cloud: str, instance_type: str, region: str, *, spot: bool = False) -> Price | None:
        """The newest price per hour that is not suspect, or None: not known."""
        key = (cloud, instance_type, region, spot)
        if key not in self._prices_made and key in (best := self._best_prices_of(cloud)):
            self._prices_made[key] = Price(**best[key])
        return self._prices_made.get(key)

    def extra_price(self, cloud: str, kind: str, item: str, region: str) -> ExtraPrice | None:
        """The price of a disk, address or traffic (``disk``/``gp3``), or None."""
        rows = [row for row in self.extras if (row.cloud, row.kind, row.item) == (cloud, kind, item)]
        fits = [row for row in rows if row.region == region] or [row for row in rows if row.region == "*"]
        return max(fits, key=lambda row: row.source_date, default=None)

    def _cny(self, price: Price) -> float:
        return self.exchange_rate.convert(price.amount, price.currency, "CNY")

    # -- offers

    def offers(
        self,
        *,
        gpu: str | None = None,
        gpu_count: int | None = None,
        cloud: str | None = None,
        region: str | None = None,
        spot: bool = False,
        include_fractional: bool = False,
        role: Role = "gpu",
    ) -> list[Offer]:
        """What the regions offer, cheapest first, then what has no known price.

        ``gpu_count`` is exact. Slices of a GPU are left out unless asked for, and with ``spot`` the
        clouds that sell no spot machines. Raises UnknownName for a cloud, region or GPU that is not known.
        """
        wanted = self.gpu(gpu).name if gpu is not None else None
        if cloud is not None:
            self.cloud(cloud)
        if region is not None:
            self._check_region(cloud, region)
        found: list[Offer] = []
        for row in self.instances if cloud is None else self.instances_of(cloud).values():
            if row.role != role:
                continue
            if (wanted is not None and row.gpu != wanted) or (gpu_count is not None and row.gpu_count != gpu_count):
                continue
            if row.cloud not in self.clouds or (row.fractional and not include_fractional):
                continue
            if spot and not self.clouds[row.cloud].spot:
                continue
            for place in row.regions if region is None else (region,):
                if place in row.regions:
                    found.append(self._offer(row, place, spot))
        return sorted(found, key=self._cheapest)

    def hosts(
        self, *, cloud: str, region: str, min_vcpu: int = 1, min_memory_gib: float = 0, arch: str = "x86_64"
    ) -> list[Offer]:
        """Machines without a GPU (for a proxy or a vector store) of at least this size, cheapest first."""
        return [
            offer
            for offer in self.offers(cloud=cloud, region=region, role="proxy")
            if offer.instance.vcpu >= min_vcpu
            and offer.instance.memory_gib >= min_memory_gib
            and offer.instance.arch == arch
        ]

    def _offer(self, row: Instance, region: str, spot: bool) -> Offer:
        zones = row.regions[region]
        # A CPU host is sold in all zones; in which a GPU is, only a source can tell.
        if not zones and row.role != "gpu" and (row.cloud, region) in self.regions:
            zones = self.regions[row.cloud, region].zones
        price = self.price(row.cloud, row.instance_type, region, spot=spot)
        return Offer(instance=row, region=region, zones=zones, price=price)

    def _cheapest(self, offer: Offer) -> tuple[object, ...]:
        row = offer.instance
        amount = 0.0 if offer.price is None else self._cny(offer.price)
        return (
            offer.price is None,
            amount,
            row.access != "self-service",
            row.gpu_count,
            row.memory_gib,
            row.vcpu,
            row.cloud,
            row.instance_type,
            offer.region,
        )

    def _check_region(self, cloud: str | None, region: str) -> None:
        if cloud is not None:
            self.region(cloud, region)
        elif region not in {name for __, name in self.regions}:
            raise UnknownName("catalog.unknown-region", _("region"), region, (name for __, name in self.regions))

    # -- models, images, mirrors

    @cached_property
    def models(self) -> Mapping[str, Model]:
        """The models by their Hugging Face id; those of the project take the place of the same here."""
        if self.own_models is None:
            return self.listed_models
        return {**self.listed_models, **{row.id: row for row in own.models_in(self.own_models)}}

    @cached_property
    def listed_models(self) -> Mapping[str, Model]:
        """The catalogue's own models, whatever the project has besides, by their Hugging Face id."""
        path = self.directory / "models.json"
        if self.directory == DATA:
            return reader.RowsByName(path, Model, "id", reader.model_row)
        return {row.id: row for row in reader.rows_of(path, Model, change=reader.model_row)}

    def taken_over(self, *only: str) -> list[Finding]:
        """What there is to say of rows of the project that take the place of others here: ``catalog.own-row-differs``.

        Of the models whose ids are given, or of all.
        """
        if self.own_models is None:
            return []
        models, here = self.models, self.listed_models
        ids = [each for each in only or here if each in here and models[each] is not here[each]]
        return [own.differs(self.own_models, models[each], here[each]) for each in ids]

    def model(self, name: str) -> Model:
        """The model with that Hugging Face or ModelScope id, or with that last part of an id, in any case.

        Raises Refusal ``catalog.ambiguous-model`` or ``catalog.not-a-chat-model``, or UnknownName
        ``catalog.unknown-model``.
        """
        found = self.models.get(name)
        if found is not None:
            return found
        return self.models[names.resolve_model(name, self.models.values(), lambda: self._by_an_api(name))]

    def _by_an_api(self, name: str) -> str:
        """What is said of a name that is no weights', but of a model that vendors serve by an API; "" if none does."""
        ends = [row for (__, model), row in self.endings.items() if model == name]
        vendors = {vendor for vendor, model in self.token_prices if model == name}
        return names.by_an_api(vendors, ends, datetime.now(UTC).date())

    def variants(self, model_id: str) -> tuple[Model, ...]:
        """The quantized siblings of a model: what is made from it, and from what it was made from."""
        model = self.model(model_id)
        root = model.base_model or model.id
        family: Iterable[Model] = (row for row in self.models.values() if row.base_model == root or row.id == root)
        return tuple(row for row in family if row.id != model.id)

    @cached_property
    def images(self) -> tuple[Image, ...]:
        """How each cloud's images are looked up."""
        return self._rows("images.json", Image)

    def image(self, cloud: str, purpose: str = "ubuntu-24.04", arch: str = "x86_64") -> Image:
        """The image for a purpose. Raises UnknownName ``catalog.unknown-image``."""
        title = self.cloud(cloud).title
        known = {(row.purpose, row.arch): row for row in self.images if row.cloud == cloud}
        try:
            return known[purpose, arch]
        except KeyError:
            shown = [f"{each} ({machine})" for each, machine in known]
            kind = _("image on {title}", title=title)
            raise UnknownName("catalog.unknown-image", kind, f"{purpose} ({arch})", shown) from None

    @cached_property
    def mirrors(self) -> tuple[Mirror, ...]:
        """All places to fetch from."""
        return self._rows("supply.json", Mirror)

    def sources(self, cloud: str, region: str) -> Sources:
        """The ordered sources for a machine in that region. Raises UnknownName for an unknown region."""
        return sources_for(self.region(cloud, region), self.mirrors)

    def problems(self) -> list[str]:
        """What is wrong with the data, one sentence each; empty when nothing is."""
        from pulumi_llm.catalog import integrity  # only tests and `catalog check` need it

        return integrity.problems(self)
