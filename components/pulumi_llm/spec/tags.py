"""The tags of what is made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from pulumi_llm._texts import _
from pulumi_llm.spec.fields import Part, invalid


def _tag_names(tags: Mapping[str, str]) -> Mapping[str, str]:
    for key, value in tags.items():
        if not re.fullmatch(r"[A-Za-z][\w.:/-]{0,62}", key) or not re.fullmatch(r"[\w .:/=+@-]{0,120}", value):
            raise invalid(
                "spec.bad-tag",
                _("the tag {key!r}: {value!r} is not one that all three clouds accept", key=key, value=value),
                _("letters, digits and . : / - _ ; a letter first"),
            )
        if key.lower().startswith(("aws:", "acs:", "aliyun", "qcs:", "project")) or "http" in key.lower():
            raise invalid("spec.bad-tag", _("the tag key {key!r} is reserved by a cloud", key=key), _("another key"))
    return tags


Tags = Annotated[dict[str, str], AfterValidator(_tag_names)]


class TagsSpec(Part):
    """The tags of a component: for everything at the cloud that takes some."""

    tags: Tags = Field(default_factory=dict)
    """Tags for everything that takes them. Keys and values must suit all three clouds.

    zh: 打在所有支持标签的资源上；键和值必须三家云都接受。"""
