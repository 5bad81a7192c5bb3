"""What a gateway is told about its callers: keys with their limits, and the names that they may ask for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from pulumi_llm._texts import _
from pulumi_llm.spec.fields import Cidr, Count, Day, Number, Part, Text, invalid


class KeySpec(Part):
    """What one gateway key may do. A limit that is left out does not exist."""

    models: tuple[Text, ...] = ()
    """Served models that the key may ask, by name or by a pattern such as ``gpt-*``. Empty: all."""
    endpoints: tuple[Text, ...] = ()
    """Paths that the key may use, such as ``/v1/chat/completions``. Empty: all."""
    requests_per_minute: Annotated[Count, Field(ge=1)] | None = 60
    """Requests in any 60 seconds. ``null``: no limit."""
    tokens_per_minute: Annotated[Count, Field(ge=1)] | None = None
    """Tokens in any 60 seconds, prompt and answer."""
    max_concurrency: Annotated[Count, Field(ge=1)] | None = 8
    """Requests at the same time. ``null``: no limit."""
    daily_budget_usd: Annotated[Number, Field(gt=0)] | None = None
    """USD per UTC day at the upstream vendors' prices. Your own models cost nothing here."""
    monthly_budget_usd: Annotated[Number, Field(gt=0)] | None = None
    """The same per UTC month."""
    daily_tokens: Annotated[Count, Field(ge=1)] | None = None
    """Tokens per UTC day."""
    monthly_tokens: Annotated[Count, Field(ge=1)] | None = None
    """Tokens per UTC month."""
    expires: Day | None = None
    """The last day (UTC) on which the key works: ``2027-12-31``."""
    source_cidrs: tuple[Cidr, ...] = ()
    """From where the key may be used, within ``allowed_cidrs``. Empty: from all of them."""
    generation: Annotated[Count, Field(ge=1)] = 1
    """Raise it to have a new key made; the old one stays valid for 15 minutes."""


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


Keys = Annotated[dict[str, KeySpec], AfterValidator(_key_names)]


class RouteSpec(Part):
    """A name that callers may ask for, and the served models that answer for it."""

    models: Annotated[dict[str, Annotated[Number, Field(gt=0)]], Field(min_length=1)]
    """Served model to its share of the requests."""
    fallback: tuple[Text, ...] = ()
    """Served models to ask, in order, where none of those begins to answer."""

    @property
    def all(self) -> tuple[str, ...]:
        """Every model that the route names."""
        return (*self.models, *self.fallback)


Routes = dict[str, RouteSpec]
