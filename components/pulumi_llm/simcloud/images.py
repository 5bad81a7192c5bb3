"""The public images of the simulated clouds.

Ids are the same on every machine and are not kept anywhere: an AMI id carries its date, so that an image that an
instance was made from stays known after a newer one has appeared.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from . import table
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
    def snapshot(self) -> str:
        """The snapshot behind the image, as AWS names one."""
        return f"snap-0{_digest(self.id)[:16]}"

    @property
    def created(self) -> str:
        """When the image appeared."""
        return f"{self.date[:4]}-{self.date[4:6]}-{self.date[6:]}T03:12:45Z"


def newest_date(package: str, faults: Faults) -> str:
    """The date of the newest images of a cloud."""
    return faults.image_date or str(table.data("images.json")[package]["date"])


def public(package: str, region: str, faults: Faults) -> list[Image]:
    """The newest public images of a cloud in a region."""
    return _public(package, region, newest_date(package, faults))


@cache
def _public(package: str, region: str, day: str) -> list[Image]:
    data = table.data("images.json")[package]
    return [_make(package, region, row, day, data["date"]) for row in data["images"]]


def _make(package: str, region: str, row: dict[str, object], day: str, base: str) -> Image:
    text = {key: str(row.get(key, "")) for key in ("owner", "alias", "family", "os_name", "os_name_en", "arch")}
    if package == "aws":
        name = str(row["name"]).format(date=day)
        id_ = _ami(str(row["name"]), region, day)
    elif package == "alicloud":
        id_ = name = str(row["id"]).format(date=day)
    else:
        name = str(row["name"])
        id_ = str(row["id"]) if day == base else _img(str(row["id"]), day)
    parameters = tuple(str(each) for each in row.get("parameters", ()))  # type: ignore[attr-defined]
    return Image(id=id_, name=name, size_gib=int(str(row["size_gib"])), date=day, parameters=parameters, **text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _ami(name: str, region: str, day: str) -> str:
    """``ami-0`` and 16 digits: 9 of a digest, then 7 that hide the date behind it."""
    digest = _digest(f"{name}|{region}|{day}")
    mask = int(digest[:9], 16) & 0xFFFFFFF
    return f"ami-0{digest[:9]}{int(day) ^ mask:07x}"


def of_ami(ami: str, region: str) -> Image | None:
    """The image behind an AMI id in a region, of whatever date; ``None`` where there is none."""
    if not (found := re.fullmatch(r"ami-0([0-9a-f]{9})([0-9a-f]{7})", ami)):
        return None
    day = str(int(found[2], 16) ^ (int(found[1], 16) & 0xFFFFFFF))
    if not _is_day(day):
        return None
    return next((each for each in _public("aws", region, day) if each.id == ami), None)


def of_aliyun(image_id: str) -> Image | None:
    """The image behind an Aliyun image id, of whatever date."""
    found = re.search(r"_(\d{8})\.vhd$", image_id)
    if not found or not _is_day(found[1]):
        return None
    return next((each for each in _public("alicloud", "", found[1]) if each.id == image_id), None)


FIRST_DAY = date(2020, 1, 1)
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def _img(id_: str, day: str) -> str:
    """``img-`` and 8 characters: 5 of a digest, 3 for the days since 2020."""
    days = (date(int(day[:4]), int(day[4:6]), int(day[6:])) - FIRST_DAY).days
    number = int(_digest(f"{id_}|{day}")[:10], 16)
    return "img-" + _base36(number, 5) + _base36(days, 3)


def _base36(number: int, width: int) -> str:
    text = ""
    for _ in range(width):
        number, rest = divmod(number, 36)
        text = DIGITS[rest] + text
    return text


def of_tencent(image_id: str) -> Image | None:
    """The image behind a Tencent image id, of whatever date."""
    if not re.fullmatch(r"img-[0-9a-z]{8}", image_id):
        return None
    days = int(image_id[-3:], 36)
    dates = [str(table.data("images.json")["tencentcloud"]["date"])]
    if days < 30000:
        dates.append((FIRST_DAY + timedelta(days=days)).strftime("%Y%m%d"))
    images = [each for day in dates for each in _public("tencentcloud", "", day)]
    return next((each for each in images if each.id == image_id), None)


def _is_day(text: str) -> bool:
    return re.fullmatch(r"20\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", text) is not None
