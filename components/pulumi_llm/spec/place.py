"""Where a machine stands, and what it starts from."""

from __future__ import annotations

import re

from pydantic import ValidationInfo, field_validator

from pulumi_llm import catalog
from pulumi_llm._texts import _
from pulumi_llm.errors import among
from pulumi_llm.spec import not_built
from pulumi_llm.spec.fields import Part, Text, invalid, known

OWN = "ssh"
"""The cloud that is none: a machine that exists."""


class PlaceSpec(Part):
    """One region of one cloud, and perhaps a zone of it."""

    cloud: Text
    """``aliyun``, ``tencent``, ``aws``, ``gcp``, ``volcengine`` or ``vultr``; for a machine without a GPU (a proxy,
    say) ``azure`` and ``digitalocean`` too. The server's may be ``ssh``: a machine that exists.

    zh: ``aliyun``、``tencent``、``aws``、``gcp``、``volcengine`` 或 ``vultr``；没有 GPU 的机器（如代理）还可以是
    ``azure`` 或 ``digitalocean``。服务器还可以是 ``ssh``：已有的机器。"""
    region: Text
    """The cloud's own name of the region, such as ``cn-hangzhou``.

    zh: 云厂商自己的地域名，如 ``cn-hangzhou``。"""
    zone: Text | None = None
    """A certain zone. Left out: the first in which the catalogue has the type.

    zh: 指定可用区。不写则取目录中有该机型的第一个可用区。"""

    @field_validator("cloud")
    @classmethod
    def _cloud_exists(cls, value: str) -> str:
        clouds = catalog.load().clouds
        if value not in clouds and (why := not_built.reason(value)):
            raise invalid(not_built.CODE, *why)
        if value not in clouds:
            hint = among(value, sorted(clouds))
            raise invalid("spec.unknown-cloud", _("there is no cloud called {value!r}", value=value), hint)
        return value

    @field_validator("region")
    @classmethod
    def _region_exists(cls, value: str, info: ValidationInfo) -> str:
        cloud = info.data.get("cloud")
        if cloud is not None:
            known(lambda: catalog.load().region(cloud, value))
        return value

    @field_validator("zone")
    @classmethod
    def _zone_is_of_the_region(cls, value: str | None, info: ValidationInfo) -> str | None:
        region = info.data.get("region")
        # Whether a machine that exists has a zone is for the whole of it to say.
        own = info.data.get("cloud") == OWN
        if value is not None and region is not None and not own and not catalog.lies_in(value, region):
            raise invalid(
                "spec.zone-of-other-region", _("zone {value!r} is not in region {region!r}", value=value, region=region)
            )
        return value


def image_of(cloud: str | None, image_id: str | None) -> None:
    """Refuse an image id that is none of that cloud's: a name, say, or the id of another cloud."""
    facts = catalog.load().clouds.get(cloud or "")
    if facts is not None and cloud != OWN and image_id is not None and not re.fullmatch(facts.image_id, image_id):
        raise invalid(
            "spec.bad-image-id",
            _("{image_id!r} is not the id of an image on {title}", image_id=image_id, title=facts.title),
            _("an id of the form {image_id}, of an Ubuntu 24.04 with cloud-init", image_id=facts.image_id),
        )


class MachineSpec(PlaceSpec):
    """A machine's place, and what it starts from."""

    image_id: Text | None = None
    """An image of your own: see ``image_id``. Left out: the newest Ubuntu 24.04 that the cloud lists.

    zh: 自己的镜像，见 [``image_id``](#image_id)。不写则取云上最新的 Ubuntu 24.04。"""

    @field_validator("image_id")
    @classmethod
    def _image_is_an_id(cls, value: str | None, info: ValidationInfo) -> str | None:
        image_of(info.data.get("cloud"), value)
        return value
