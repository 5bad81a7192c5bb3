"""Where weights are kept, so that a new machine has them in minutes."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, field_validator, model_validator

from pulumi_llm._texts import _, either
from pulumi_llm.spec.backup import BUCKETS, Bucket, bucket_of, bucket_url, misnamed, server_url
from pulumi_llm.spec.fields import Flag, Part, Text, invalid

BUNDLES = "bundles"
"""Below which bundles lie in the bucket, beside the models."""


def _digest(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise invalid(
            "spec.bad-digest",
            _("{value!r} is not the SHA-256 of a bundle", value=value),
            _("what `pulumi-llm bundle -s STACK --to FOLDER --upload` says in the end"),
        )
    return value


class WeightsSpec(Part):
    """A bucket that keeps the weights: the first machine puts them there, the next ones take them from there."""

    bucket: Text
    """``oss://BUCKET/PREFIX``, ``cos://BUCKET/PREFIX`` or ``s3://BUCKET/PREFIX``. It exists already, and is yours.

    zh: ``oss://BUCKET/PREFIX``、``cos://BUCKET/PREFIX`` 或 ``s3://BUCKET/PREFIX``。桶须已存在，归你所有。"""
    region: Text | None = None
    """The bucket's region. Left out: the server's, where both are in the same cloud.

    zh: 存储桶的地域。两者在同一家云时可不写，即与服务器相同。"""
    endpoint: Text | None = None
    """The URL of another server that speaks S3, with ``s3://``.

    zh: 其他兼容 S3 的服务器的 URL，与 ``s3://`` 一起使用。"""

    bundle: Annotated[Text, AfterValidator(_digest)] | None = None
    """The SHA-256 of a bundle in the bucket, as ``pulumi-llm bundle --upload`` says it: the machine installs from there
    alone, and asks nobody else. Left out: only weights are kept there.

    zh: 存储桶中离线包的 SHA-256，由 ``pulumi-llm bundle --upload`` 给出：机器只从那里安装，不访问别处。
    不写则桶中只保存权重。"""

    closed: Flag = False
    """With ``bundle``: the machine's firewall lets nothing out but to the bucket, and to the cloud's own names, clock
    and metadata. What asks for more (vendors' models, traces, backups, ``idle_stop``) is refused.

    zh: 与 ``bundle`` 一起用：机器的防火墙只放行到存储桶，以及云自己的域名解析、时钟和元数据，其余一律不放出。
    需要访问更多的功能（厂商模型、traces、备份、``idle_stop``）会被拒绝。"""

    @model_validator(mode="after")
    def _closed_has_a_bundle(self) -> Self:
        if self.closed and self.bundle is None:
            raise invalid(
                "spec.closed-without-bundle",
                _("nothing is to get out of the machine, and there is no bundle to install from"),
                _("bundle: what `pulumi-llm bundle -s STACK --to FOLDER --upload` says in the end"),
            )
        return self

    @field_validator("bucket")
    @classmethod
    def _bucket_is_one(cls, value: str) -> str:
        if bucket_of(value) is None:
            schemes = either(f"{each}://BUCKET/PREFIX" for each in BUCKETS)
            raise invalid("spec.bad-bucket", *(misnamed(value) or (_("{value!r} is no bucket", value=value), schemes)))
        return value

    @field_validator("endpoint")
    @classmethod
    def _endpoint_is_a_url(cls, value: str | None) -> str | None:
        return server_url(value, "spec.bad-bucket") if value is not None else None

    def target(self, region: str) -> dict[str, str]:
        """What a node is told of it; ``region`` is the server's."""
        found = bucket_of(self.bucket)
        assert found is not None  # noqa: S101 - seen above
        where = self.region or region
        url = bucket_url(found, where, self.endpoint)
        assert url is not None  # noqa: S101 - there is a bucket
        return {"url": url, "region": where, "prefix": found.prefix, "shown": self.bucket}

    def depot(self, region: str, cloud: str) -> dict[str, str]:
        """What a node is told of the bundle's place: the cloud's internal address, where both are in one region."""
        found, told = bucket_of(self.bucket), self.target(region)
        assert found is not None  # noqa: S101 - seen above
        row = BUCKETS[found.scheme]
        inside = row.get("internal") if row["cloud"] == cloud and self.endpoint is None else None
        if inside is not None and told["region"] == region:
            told["url"] = f"https://{found.name}.{inside.format(region=region)}"
        return {**told, "prefix": "/".join(filter(None, (found.prefix, BUNDLES)))}

    def needs_region(self, cloud: str) -> bool:
        """Whether its region has to be said: it is in another cloud than the server."""
        found = bucket_of(self.bucket)
        return self.region is None and isinstance(found, Bucket) and BUCKETS[found.scheme]["cloud"] != cloud

    def staying(self, region: str) -> Self:
        """The same bucket, with its region said where it was left out: it does not move with the server."""
        return self if self.region is not None else self.model_copy(update={"region": region})


def refuse_two_bundles(folder: str | None, weights: WeightsSpec | None) -> None:
    """Raise ``spec.bundle-and-bucket`` for a machine of one's own that is to install from more than one place."""
    if weights is None:
        return
    if folder is not None:
        raise invalid(
            "spec.bundle-and-bucket",
            _("the weights are to come from the bundle {folder}, and from a bucket", folder=folder),
            _("host.bundle, or weights"),
        )
    if weights.bundle is not None:
        raise invalid(
            "spec.bundle-and-bucket",
            _("a machine of your own takes a bundle from a folder, and not from a bucket"),
            "host.bundle",
        )
