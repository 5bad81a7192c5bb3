"""The public images of the simulated clouds.

Ids are the same on every machine and are not kept anywhere: an id carries its date, so that an image that an instance
was made from stays known after a newer one has appeared. How a cloud makes its ids is in its folder (`simulated`).
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from typing import Any

from pulumi_llm import clouds
from pulumi_llm._dataclasses import dataclass

from .faults import Faults


@dataclass(frozen=True)
class Image:
    """One public image. ``size_gib`` is the least size of a system disk; ``date`` is ``YYYYMMDD``."""

    id: str
    name: str
    arch: str
    size_gib: int
    date: str
    owner: str = ""
    alias: str = ""
    family: str = ""
    os_name: str = ""
    os_name_en: str = ""
    parameters: tuple[str, ...] = ()

    @property
    def created(self) -> str:
        """When the image appeared."""
        return f"{self.date[:4]}-{self.date[4:6]}-{self.date[6:]}T03:12:45Z"


def base_date(package: str) -> str:
    """The date of a cloud's images where no fault says another."""
    return str(_rows(package)["date"])


def newest_date(package: str, faults: Faults) -> str:
    """The date of the newest images of a cloud."""
    return faults.image_date or base_date(package)


def public(package: str, region: str, faults: Faults) -> list[Image]:
    """The newest public images of a cloud in a region."""
    return of_day(package, region, newest_date(package, faults))


@cache
def of_day(package: str, region: str, day: str) -> list[Image]:
    """The public images of a cloud in a region as they were on a day."""
    folder = clouds.of_package(package)
    module = folder.part("simulated.images") if folder else None
    if module is None:
        return []
    return [_make(row, day, *module.names(row, region, day, base_date(package))) for row in _rows(package)["images"]]


def _rows(package: str) -> Any:
    folder = clouds.of_package(package)
    return folder.read("simulated.json")["images"] if folder else {"date": "", "images": []}


def _make(row: dict[str, Any], day: str, id_: str, name: str) -> Image:
    text = {key: str(row.get(key, "")) for key in ("owner", "alias", "family", "os_name", "os_name_en", "arch")}
    parameters = tuple(str(each) for each in row.get("parameters", ()))
    return Image(id=id_, name=name, size_gib=int(str(row["size_gib"])), date=day, parameters=parameters, **text)


def digest(text: str) -> str:
    """Hexadecimal digits that always follow from ``text``."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_day(text: str) -> bool:
    """Whether ``text`` is a day as ``YYYYMMDD``."""
    return re.fullmatch(r"20\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", text) is not None
