"""Backups of a vector store: where they go, how often they are made, and how many are kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from pulumi_llm import catalog
from pulumi_llm._texts import _, either
from pulumi_llm.catalog import reader
from pulumi_llm.spec.fields import Count, Part, Text, invalid

BUCKETS: Mapping[str, Mapping[str, Any]] = {
    str(row["scheme"]): row for row in reader.raw_rows(catalog.DATA / "buckets.json")
}
"""The clouds' object stores, by the scheme of their addresses: the host of a region, and how a request is signed."""

_BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
"""A bucket's name, as all three clouds have it."""
_ADDRESS = re.compile(rf"([a-z0-9]+)://({_BUCKET})((?:/[A-Za-z0-9._-]+)*)/?")


class Bucket(NamedTuple):
    """A bucket by its address: the scheme, its name, and what stands before the names of objects ("" or ``a/b``)."""

    scheme: str
    name: str
    prefix: str


def bucket_of(address: str) -> Bucket | None:
    """The bucket that an address such as ``oss://bucket/prefix`` names; None for anything else, such as a folder."""
    found = _ADDRESS.fullmatch(address)
    if found is None or found[1] not in BUCKETS:
        return None
    return Bucket(found[1], found[2], found[3].strip("/"))


def misnamed(address: str) -> tuple[str, str] | None:
    """Why an address with a bucket's scheme names none, and what would: it is the bucket's name that no cloud takes."""
    scheme, slashes, rest = address.partition("://")
    name = rest.partition("/")[0]
    if not slashes or scheme not in BUCKETS or not name or re.fullmatch(_BUCKET, name):
        return None
    return (
        _("{name!r} in {address!r} is not the name of a bucket", name=name, address=address),
        _("a name of 3 to 63 lower-case letters, digits, dashes and dots, with a letter or digit at both ends"),
    )


def server_url(value: str, code: str) -> str:
    """A server's URL without a slash at its end. Raises PydanticCustomError of that code for anything else."""
    url = urlsplit(value)
    if url.scheme not in ("https", "http") or not url.hostname or url.username or url.query or url.fragment:
        message = _("{value!r} is not the URL of a server", value=value)
        raise invalid(code, message, "https://s3.example.com")
    return value.rstrip("/")


class BackupSpec(Part):
    """Encrypted backups of the vector store. ``{}`` is enough for `pulumi-llm vectors backup`."""

    to: Text | None = None
    """Where backups go: ``oss://BUCKET/PREFIX``, ``cos://BUCKET/PREFIX``, ``s3://BUCKET/PREFIX``, or a folder on the
    machine that the command is run on. Left out: the command's ``--to`` says it.

    zh: 备份存放处：``oss://BUCKET/PREFIX``、``cos://BUCKET/PREFIX``、``s3://BUCKET/PREFIX``，
    或运行命令的机器上的目录。不写则由命令的 ``--to`` 指定。"""
    region: Text | None = None
    """The bucket's region. Left out: the vector store's, where both are in the same cloud.

    zh: 存储桶的地域。两者在同一家云时可不写，即与向量库相同。"""
    endpoint: Text | None = None
    """The URL of another server that speaks S3, with ``s3://``.

    zh: 其他兼容 S3 的服务器的 URL，与 ``s3://`` 一起使用。"""
    every: Text | None = None
    """How often the machine makes one by itself: ``6h``, ``1d``. Needs a bucket, and a key to it as a secret.
    Left out: only the command makes them.

    zh: 机器自动备份的间隔：``6h``、``1d``。需要存储桶，密钥以 secret 给出。不写则只由命令备份。"""
    keep: Annotated[Count, Field(ge=1, le=1000)] = 7
    """How many are kept; older ones are deleted after a newer one is whole.

    zh: 保留多少份；新的一份完整之后才删除更旧的。"""

    @field_validator("to")
    @classmethod
    def _to_is_a_place(cls, value: str | None) -> str | None:
        if value is not None and "://" in value and bucket_of(value) is None:
            schemes = either(f"{each}://BUCKET/PREFIX" for each in BUCKETS)
            message = _("{value!r} is no place for backups", value=value)
            named = misnamed(value) or (message, _("{schemes}, or a folder", schemes=schemes))
            raise invalid("vectors.backup-place", *named)
        return value

    @field_validator("endpoint")
    @classmethod
    def _endpoint_is_a_url(cls, value: str | None) -> str | None:
        return server_url(value, "vectors.backup-place") if value is not None else None

    @field_validator("every")
    @classmethod
    def _every_is_a_time(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[1-9]\d{0,2}[hd]", value):
            message = _("{value!r} does not say how often", value=value)
            raise invalid("vectors.backup-every", message, _("6h, 12h, 1d"))
        return value

    @model_validator(mode="after")
    def _a_timer_has_a_bucket(self) -> Self:
        if self.every is not None and (self.to is None or bucket_of(self.to) is None):
            raise invalid(
                "vectors.backup-place",
                _("`every`: the machine itself sends the backups, and `to` names no bucket"),
                either(f"{each}://BUCKET/PREFIX" for each in BUCKETS),
            )
        return self

    def staying(self, region: str) -> Self:
        """The same bucket, with its region said where it was left out: it does not move with the machine."""
        return self if self.region is not None else self.model_copy(update={"region": region})

    @property
    def hours(self) -> int | None:
        """Hours between two backups of the timer; None: there is none."""
        return None if self.every is None else int(self.every[:-1]) * (24 if self.every[-1] == "d" else 1)

    def url(self, region: str) -> str | None:
        """The URL below which the bucket's objects are; ``region`` is the store's. None: ``to`` names no bucket."""
        return bucket_url(bucket_of(self.to), self.region or region, self.endpoint) if self.to else None


def bucket_url(bucket: Bucket | None, region: str, endpoint: str | None) -> str | None:
    """The URL below which a bucket's objects are: on the cloud's own host by its name, elsewhere by its path."""
    if bucket is None:
        return None
    if endpoint is not None:
        return f"{endpoint}/{bucket.name}"
    return f"https://{bucket.name}.{BUCKETS[bucket.scheme]['host'].format(region=region)}"
