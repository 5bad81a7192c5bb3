"""The proxy as a function: no machine, and what a function cannot do is refused by name."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from pulumi_llm import catalog
from pulumi_llm._texts import _, listed
from pulumi_llm.spec.domain import DnsName
from pulumi_llm.spec.fields import Part, Text, invalid, known
from pulumi_llm.spec.keys import Keys, KeySpec, Routes
from pulumi_llm.spec.upstreams import Upstreams, UpstreamSpec, regions_serving, unserved, vendor_of

NEAR = "aws"
"""The cloud whose names of regions say where a Worker runs: Cloudflare takes those of AWS, Google Cloud and Azure."""
NEVER = frozenset({"vllm"})
"""Kinds of upstream that no Worker stands in front of: it could not ask them to count tokens."""
ENDPOINTS = (
    *("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"),
    *("/v1/messages", "/v1/messages/count_tokens", "/v1/models"),
)
"""What a Worker serves. Speech, ranking and vLLM's own paths are not among it."""


def _account(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{32}", value):
        raise invalid(
            "spec.bad-account",
            _("{value!r} is not the id of a Cloudflare account or zone", value=value),
            _("32 letters and digits, from the right-hand side of its page"),
        )
    return value


class WorkerSpec(Part):
    """A Cloudflare Worker in front of the vendors' APIs, with a Durable Object for each key."""

    account_id: Annotated[Text, AfterValidator(_account)]
    """The id of the Cloudflare account that it runs in."""
    hostname: DnsName
    """Its name, such as ``llm.example.com``, in a zone of that account. At ``workers.dev`` it does not answer."""
    zone_id: Annotated[Text, AfterValidator(_account)]
    """The id of the zone that ``hostname`` is in."""
    near: Text
    """The region of AWS near which it runs, such as ``us-west-2``: it asks the vendors from there, whoever calls."""
    upstreams: Upstreams
    """The vendors and their models, as those of ``OverseasProxy``."""
    keys: Keys = Field(default_factory=lambda: {"default": KeySpec()})
    """Its keys by name, with their limits."""
    routes: Routes = Field(default_factory=dict)
    """More names that callers may ask for: aliases, weights, fallback."""

    @field_validator("near")
    @classmethod
    def _region_exists(cls, value: str) -> str:
        known(lambda: catalog.load().region(NEAR, value))
        return value

    @field_validator("upstreams")
    @classmethod
    def _can_be_asked(cls, value: dict[str, UpstreamSpec]) -> dict[str, UpstreamSpec]:
        if not value:
            raise invalid(
                "spec.no-upstreams", _("a proxy without upstreams has nothing to serve"), _("openai, anthropic")
            )
        for name, each in value.items():
            if vendor_of(name, each) in NEVER or each.keyless or (each.base_url or "").startswith("http://"):
                raise _missing(_("the upstream {name!r} is a server of your own, in a network of its own", name=name))
            if each.certificate_authority is not None:
                raise _missing(_("the upstream {name!r} has an authority of its own", name=name))
        return value

    @field_validator("keys")
    @classmethod
    def _are_kept_here(cls, value: dict[str, KeySpec]) -> dict[str, KeySpec]:
        for name, key in value.items():
            if key.ask_twice:
                raise _missing(_("the key {name!r} wants its requests sent again (ask_twice)", name=name))
            unserved_here = sorted(set(key.endpoints) - set(ENDPOINTS))
            if unserved_here:
                raise _missing(
                    _("the key {name!r} is for {endpoints}", name=name, endpoints=listed(unserved_here)),
                    _("served there: {endpoints}", endpoints=listed(ENDPOINTS)),
                )
        return value

    @model_validator(mode="after")
    def _place_is_served(self) -> Self:
        refused = unserved(NEAR, self.near, self.upstreams)
        if refused:
            raise invalid(
                "spec.proxy-region",
                _("{region} is not known to be served by {unserved}", region=self.near, unserved=listed(refused)),
                regions_serving(NEAR, self.upstreams),
            )
        return self


def _missing(what: str, hint: str = "") -> Exception:
    return invalid(
        "spec.worker-cannot",
        _("{what}, and a Worker has no such thing", what=what),
        hint or _("an OverseasProxy has it"),
    )
