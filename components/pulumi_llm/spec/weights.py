"""Where weights are kept, so that a new machine has them in minutes."""

from __future__ import annotations

from typing import Self

from pydantic import field_validator

from pulumi_llm._texts import _, either
from pulumi_llm.spec.backup import BUCKETS, Bucket, bucket_of, bucket_url, server_url
from pulumi_llm.spec.fields import Part, Text, invalid


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

    @field_validator("bucket")
    @classmethod
    def _bucket_is_one(cls, value: str) -> str:
        if bucket_of(value) is None:
            schemes = either(f"{each}://BUCKET/PREFIX" for each in BUCKETS)
            raise invalid("spec.bad-bucket", _("{value!r} is no bucket", value=value), schemes)
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

    def needs_region(self, cloud: str) -> bool:
        """Whether its region has to be said: it is in another cloud than the server."""
        found = bucket_of(self.bucket)
        return self.region is None and isinstance(found, Bucket) and BUCKETS[found.scheme]["cloud"] != cloud

    def staying(self, region: str) -> Self:
        """The same bucket, with its region said where it was left out: it does not move with the server."""
        return self if self.region is not None else self.model_copy(update={"region": region})
