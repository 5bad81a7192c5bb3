"""Where a node fetches from: an ordered list of sources for each kind of thing, fit for its region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.catalog.rows import Region, Row

if TYPE_CHECKING:
    from collections.abc import Iterable

Form = Literal["mirror", "prefix", "direct"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror(Row):
    """One place to fetch from.

    ``scope`` says who reaches it: ``cloud`` (inside ``cloud``'s own network), ``china`` or ``world``.
    ``trusted_host`` is set where the mirror speaks plain HTTP and pip must be told so. For container images,
    ``form`` is a ``mirror`` of ``registry``, a ``prefix`` before any image's name, or ``direct``.
    """

    kind: str
    scope: Literal["cloud", "china", "world"]
    cloud: str | None
    url: str
    trusted_host: str | None = None
    registry: str | None = None
    form: Form | None = None
    name: str | None = None
    abroad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The ordered sources of one region, best first."""

    pypi: tuple[Mirror, ...]
    apt: tuple[Mirror, ...]
    debian_apt: tuple[Mirror, ...]
    docker_apt: tuple[Mirror, ...]
    nvidia_container_apt: tuple[Mirror, ...]
    containers: tuple[Mirror, ...]
    hubs: tuple[Mirror, ...]

    @property
    def hub_names(self) -> tuple[str, ...]:
        """The model hubs in the order to try: ``modelscope``, ``hf-mirror``, ``huggingface``."""
        return tuple(hub.name for hub in self.hubs if hub.name)


def sources_for(region: Region, mirrors: Iterable[Mirror]) -> Sources:
    """The sources fit for ``region``: in mainland China the cloud's own first, then public mirrors there."""
    kinds: dict[str, list[tuple[int, int, Mirror]]] = {}
    for position, mirror in enumerate(mirrors):
        rank = _rank(region, mirror)
        if rank is not None:
            kinds.setdefault(mirror.kind, []).append((rank, position, mirror))

    def ordered(kind: str) -> tuple[Mirror, ...]:
        return tuple(mirror for _, _, mirror in sorted(kinds.get(kind, []), key=lambda entry: entry[:2]))

    return Sources(
        pypi=ordered("pypi"),
        apt=ordered("apt"),
        debian_apt=ordered("debian-apt"),
        docker_apt=ordered("docker-apt"),
        nvidia_container_apt=ordered("nvidia-container-apt"),
        containers=ordered("container"),
        hubs=ordered("hub"),
    )


def _rank(region: Region, mirror: Mirror) -> int | None:
    """Lower is tried first; None when the mirror is of no use there."""
    if not region.in_china:
        if mirror.scope == "world":
            return 0
        return 1 if mirror.abroad else None
    if mirror.scope == "cloud":
        return 0 if mirror.cloud == region.cloud else None
    if mirror.scope == "china":
        return 1 if mirror.cloud == region.cloud else 2 if mirror.cloud is None else 3
    # Hugging Face is not reached from the mainland: trying it would hide the real failure behind a time-out.
    return None if mirror.kind == "hub" else 4
