"""What a gateway is told about its callers: keys with their limits, and the names that they may ask for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, get_args, get_origin

from pydantic import AfterValidator, Field

from pulumi_llm._texts import _
from pulumi_llm.spec.fields import Cidr, Count, Day, Number, Part, Text, invalid


class KeySpec(Part):
    """What one gateway key may do. A limit that is left out does not exist."""

    models: tuple[Text, ...] = ()
    """Served models that the key may ask, by name or by a pattern such as ``gpt-*``. Empty: all.

    zh: 该密钥可用的模型，写名字或 ``gpt-*`` 这样的模式。空表示全部。"""
    endpoints: tuple[Text, ...] = ()
    """Paths that the key may use, such as ``/v1/chat/completions``. Empty: all.

    zh: 该密钥可用的路径，如 ``/v1/chat/completions``。空表示全部。"""
    requests_per_minute: Annotated[Count, Field(ge=1)] | None = 60
    """Requests in any 60 seconds. ``null``: no limit.

    zh: 任意 60 秒内的请求数。``null`` 表示不限。"""
    tokens_per_minute: Annotated[Count, Field(ge=1)] | None = None
    """Tokens in any 60 seconds, prompt and answer.

    zh: 任意 60 秒内的 token 数，含提示和回答。"""
    max_concurrency: Annotated[Count, Field(ge=1)] | None = 8
    """Requests at the same time. ``null``: no limit.

    zh: 同时进行的请求数。``null`` 表示不限。"""
    daily_budget_usd: Annotated[Number, Field(gt=0)] | None = None
    """USD per UTC day at the upstream vendors' prices. Your own models cost nothing here.

    zh: 每个 UTC 日的美元预算，按上游厂商价格计。自有模型不计费。"""
    monthly_budget_usd: Annotated[Number, Field(gt=0)] | None = None
    """The same per UTC month.

    zh: 每个 UTC 月的美元预算。"""
    daily_tokens: Annotated[Count, Field(ge=1)] | None = None
    """Tokens per UTC day.

    zh: 每个 UTC 日的 token 数。"""
    monthly_tokens: Annotated[Count, Field(ge=1)] | None = None
    """Tokens per UTC month.

    zh: 每个 UTC 月的 token 数。"""
    expires: Day | None = None
    """The last day (UTC) on which the key works: ``2027-12-31``.

    zh: 密钥有效的最后一天（UTC）：``2027-12-31``。"""
    source_cidrs: tuple[Cidr, ...] = ()
    """From where the key may be used, within ``allowed_cidrs``. Empty: from all of them.

    zh: 在 ``allowed_cidrs`` 之内，可以从哪里使用该密钥。空表示全部。"""
    generation: Annotated[Count, Field(ge=1)] = 1
    """Raise it to have a new key made; the old one stays valid for 15 minutes.

    zh: 加一就会换一把新密钥，旧的在 15 分钟内仍然有效。"""


def _key_names(keys: Mapping[str, KeySpec]) -> Mapping[str, KeySpec]:
    for name in keys:
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
            raise invalid(
                "spec.bad-key-name",
                _("a gateway key cannot be called {name!r}", name=name),
                _("1 to 31 lower-case letters, digits and dashes, a letter first"),
            )
    if not keys:
        raise invalid("spec.no-keys", _("a gateway without keys would answer nobody"), "keys: {default: {}}")
    return keys


@cache
def key_limits() -> Mapping[str, type]:
    """The limits that a key can have, with their kinds: ``int``, or ``float`` for money. Each of them may be None."""
    found = {}
    for name, each in KeySpec.model_fields.items():
        kinds = [get_args(kind)[0] for kind in get_args(each.annotation) if get_origin(kind) is Annotated]
        if kinds and kinds[0] in (int, float):
            found[name] = kinds[0]
    return found


Keys = Annotated[dict[str, KeySpec], AfterValidator(_key_names)]


class RouteSpec(Part):
    """A name that callers may ask for, and the served models that answer for it."""

    models: Annotated[dict[str, Annotated[Number, Field(gt=0)]], Field(min_length=1)]
    """Served model to its share of the requests.

    zh: 模型及其请求份额。"""
    fallback: tuple[Text, ...] = ()
    """Served models to ask, in order, where none of those begins to answer.

    zh: 前面的都没有开始回答时，依次改问的模型。"""

    @property
    def all(self) -> tuple[str, ...]:
        """Every model that the route names."""
        return (*self.models, *self.fallback)


Routes = dict[str, RouteSpec]
