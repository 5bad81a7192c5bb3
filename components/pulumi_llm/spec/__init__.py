"""What is wanted: the validated description of a platform and its parts. Nothing else reads raw configuration.

Sizes are GiB. Names of clouds, regions and GPUs are checked against the catalogue here, so that every mistake in a file
is reported at once; whether the whole can work together is the business of :mod:`pulumi_llm.preflight`.
"""

from pulumi_llm.spec.content import ContentSpec, ModeratorSpec, WordListSpec
from pulumi_llm.spec.fields import covers_world
from pulumi_llm.spec.moderation import MODERATOR_SECRETS, secrets_named
from pulumi_llm.spec.parts import (
    VECTORS_GRPC_PORT,
    VECTORS_HTTPS_PORT,
    VENDOR_SECRETS,
    AccessSpec,
    KeySpec,
    MachineSpec,
    NetworkSpec,
    PlaceSpec,
    PlatformSpec,
    PriceSpec,
    ProxySpec,
    RouteSpec,
    ServerSpec,
    ServiceSpec,
    TagsSpec,
    UpstreamSpec,
    VectorsSpec,
)
from pulumi_llm.spec.reading import parse, parse_each, secret_keys_of

__all__ = [
    "MODERATOR_SECRETS",
    "VECTORS_GRPC_PORT",
    "VECTORS_HTTPS_PORT",
    "VENDOR_SECRETS",
    "AccessSpec",
    "ContentSpec",
    "KeySpec",
    "MachineSpec",
    "ModeratorSpec",
    "NetworkSpec",
    "PlaceSpec",
    "PlatformSpec",
    "PriceSpec",
    "ProxySpec",
    "RouteSpec",
    "ServerSpec",
    "ServiceSpec",
    "TagsSpec",
    "UpstreamSpec",
    "VectorsSpec",
    "WordListSpec",
    "covers_world",
    "parse",
    "parse_each",
    "secret_keys_of",
    "secrets_named",
]
