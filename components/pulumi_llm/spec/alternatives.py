"""What is taken instead where a zone, or a whole region, has no such machine left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import model_validator

from pulumi_llm._texts import _
from pulumi_llm.spec.fields import Flag, Part, Text, invalid

if TYPE_CHECKING:
    from pulumi_llm.spec.server import ServerSpec


class AlternativeSpec(Part):
    """Another region, zone, type or way of paying, at the same cloud. What is left out stays as it is."""

    region: Text | None = None
    """Another region of the same cloud. It has another network, address and disk: it is taken only while the server has
    never had a machine. The zone is the first there that has the type, unless it is named.

    zh: 同一家云的另一个地域。网络、地址和磁盘都另建：仅在服务器还没有过机器时才会采用。
    不写可用区则取那里第一个有该机型的。"""
    zone: Text | None = None
    """Another zone of the region. A data disk does not move there: it is taken only while nothing is on the disk.

    zh: 该地域的另一个可用区。数据盘不能跨可用区移动：仅在盘上还没有数据时才会采用。"""
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
                _("region, zone, instance_type or spot"),
            )
        return self

    @property
    def said(self) -> dict[str, str | bool]:
        """What is different, by the server's own keys."""
        return self.model_dump(exclude_none=True)

    def changes(self, server: ServerSpec) -> dict[str, Any]:
        """What is different from ``server``, by its own keys. A bucket without a region stays in the server's."""
        found: dict[str, Any] = dict(self.said)
        if self.region is not None and self.region != server.region:
            found.setdefault("zone", None)
            if server.weights is not None:
                found["weights"] = server.weights.staying(server.region)
        return found
