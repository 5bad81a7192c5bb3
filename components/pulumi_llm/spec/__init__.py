"""What is wanted: the validated description of a platform and its parts. Nothing else reads raw configuration.

Sizes are GiB. Names of clouds, regions and GPUs are checked against the catalogue here, so that every mistake in a file
is reported at once; whether the whole can work together is the business of :mod:`pulumi_llm.preflight`.
"""

from pulumi_llm.spec.access import AccessSpec
from pulumi_llm.spec.adapters import AdapterSpec
from pulumi_llm.spec.alternatives import AlternativeSpec
from pulumi_llm.spec.apps import AppsSpec, ChatSpec, RagSpec
from pulumi_llm.spec.backup import BUCKETS, BackupSpec, Bucket, bucket_of, bucket_url
from pulumi_llm.spec.content import ContentSpec, ModeratorSpec, WordListSpec
from pulumi_llm.spec.disk import DiskSpec, SnapshotsSpec
from pulumi_llm.spec.domain import AcmeSpec, DomainSpec, RecordSpec, domain_mistakes
from pulumi_llm.spec.fields import covers_world
from pulumi_llm.spec.host import HostPriceSpec, HostSpec
from pulumi_llm.spec.hours import IdleStopSpec, hours_per_week, windows_of
from pulumi_llm.spec.keys import KeySpec, RouteSpec, key_limits
from pulumi_llm.spec.models import FURTHER_MODELS, ModelSpec
from pulumi_llm.spec.moderation import MODERATOR_SECRETS, secrets_named
from pulumi_llm.spec.network import NetworksOwn, NetworkSpec
from pulumi_llm.spec.place import MachineSpec, PlaceSpec
from pulumi_llm.spec.platform import PlatformSpec
from pulumi_llm.spec.proxy import ProxySpec
from pulumi_llm.spec.reading import own_upstreams_of, parse, parse_each, secret_keys_of, secret_keys_of_fleet
from pulumi_llm.spec.server import ServerSpec, arguments_of_server, server_arguments
from pulumi_llm.spec.services import ServiceSpec
from pulumi_llm.spec.tags import TagsSpec
from pulumi_llm.spec.traces import TracesSpec
from pulumi_llm.spec.turns import TurnsSpec
from pulumi_llm.spec.upstreams import PriceSpec, UpstreamSpec, needs_key, served_by, url_of, vendor_of
from pulumi_llm.spec.vectorizer import VectorizerSpec
from pulumi_llm.spec.vectors import DEFAULT_ENGINE, VECTORS_BESIDE, VectorsSpec
from pulumi_llm.spec.vendors import (
    BACKUP_SECRETS,
    CARRIED_KEYS,
    HOST_KEY,
    HUB,
    KINDS,
    KUBECONFIG,
    MODERATORS,
    OWN_KEYS,
    SECRETS,
    VENDORS,
    WEIGHTS_SECRETS,
    authority_secret,
    upstream_key,
)
from pulumi_llm.spec.weights import WeightsSpec
from pulumi_llm.spec.worker import NEAR, WorkerSpec

__all__ = [
    "BACKUP_SECRETS",
    "BUCKETS",
    "CARRIED_KEYS",
    "DEFAULT_ENGINE",
    "FURTHER_MODELS",
    "HOST_KEY",
    "HUB",
    "KINDS",
    "KUBECONFIG",
    "MODERATORS",
    "MODERATOR_SECRETS",
    "NEAR",
    "OWN_KEYS",
    "SECRETS",
    "VECTORS_BESIDE",
    "VENDORS",
    "WEIGHTS_SECRETS",
    "AccessSpec",
    "AcmeSpec",
    "AdapterSpec",
    "AlternativeSpec",
    "AppsSpec",
    "BackupSpec",
    "Bucket",
    "ChatSpec",
    "ContentSpec",
    "DiskSpec",
    "DomainSpec",
    "HostPriceSpec",
    "HostSpec",
    "IdleStopSpec",
    "KeySpec",
    "MachineSpec",
    "ModelSpec",
    "ModeratorSpec",
    "NetworkSpec",
    "NetworksOwn",
    "PlaceSpec",
    "PlatformSpec",
    "PriceSpec",
    "ProxySpec",
    "RagSpec",
    "RecordSpec",
    "RouteSpec",
    "ServerSpec",
    "ServiceSpec",
    "SnapshotsSpec",
    "TagsSpec",
    "TracesSpec",
    "TurnsSpec",
    "UpstreamSpec",
    "VectorizerSpec",
    "VectorsSpec",
    "WeightsSpec",
    "WordListSpec",
    "WorkerSpec",
    "arguments_of_server",
    "authority_secret",
    "bucket_of",
    "bucket_url",
    "covers_world",
    "domain_mistakes",
    "hours_per_week",
    "key_limits",
    "needs_key",
    "own_upstreams_of",
    "parse",
    "parse_each",
    "secret_keys_of",
    "secret_keys_of_fleet",
    "secrets_named",
    "served_by",
    "server_arguments",
    "upstream_key",
    "url_of",
    "vendor_of",
    "windows_of",
]
