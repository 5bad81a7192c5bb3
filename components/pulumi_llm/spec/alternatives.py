"""What is taken instead where a zone has no such machine left."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from pulumi_llm._texts import _
from pulumi_llm.spec.fields import Flag, Part, Text, invalid


class AlternativeSpec(Part):
    """Another zone, another type or another way of paying, in the same region. What is left out stays as it is."""

    zone: Text | None = None
    """Another zone of the region. A data disk does not move there: it is taken only while nothing is on the disk.

    zh: 同一地域的另一个可用区。数据盘不能跨可用区移动：仅在盘上还没有数据时才会采用。"""
    instance_type: Text | None = None
    """Another type with the same GPU.

    zh: 带同样 GPU 的另一个机型。"""
    spot: Flag | None = None
    """``false``: on demand, after a spot machine. ``true``: a spot machine.

    zh: ``false``：竞价实例没有时改用按量付费。``true``：竞价实例。"""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.said:
            raise invalid(
                "spec.empty-alternative",
                _("an alternative names nothing that is different"),
                _("zone, instance_type or spot"),
            )
        return self

    @property
    def said(self) -> dict[str, str | bool]:
        """What is different, by the server's own keys."""
        return self.model_dump(exclude_none=True)
