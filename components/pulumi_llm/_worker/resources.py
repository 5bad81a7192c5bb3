"""Cloudflare's resources for a Worker: the only module that imports its SDK."""

import base64
import hashlib
from collections.abc import Mapping

import pulumi
import pulumi_cloudflare as cloudflare

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._worker import files

MODULE = "application/javascript+module"
MIGRATION = "v1"
"""The step by which Cloudflare makes the ledgers' class; a later one would get a name of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One Worker. ``secrets``: by the names of their bindings. ``near``: a region as Cloudflare names it."""

    name: str
    account_id: str
    settings: str
    secrets: Mapping[str, pulumi.Output[str]]
    near: str
    hostname: str
    zone_id: str


def make(wanted: Wanted, parent: pulumi.Resource) -> pulumi.Output[str]:
    """Make the Worker and the way to it; its address, without a path."""
    script = cloudflare.WorkersScript(
        wanted.name,
        account_id=wanted.account_id,
        script_name=wanted.name,
        content=files.modules()[files.MAIN],
        main_module=files.MAIN,
        files={
            name: cloudflare.WorkersScriptFilesArgs(
                content_type=MODULE,
                content_base64=base64.b64encode(text.encode()).decode(),
                content_sha256=hashlib.sha256(text.encode()).hexdigest(),
            )
            for name, text in {**files.modules(), files.SETTINGS: wanted.settings}.items()
            if name != files.MAIN
        },
        bindings=[
            cloudflare.WorkersScriptBindingArgs(
                name="LEDGER", type="durable_object_namespace", class_name=files.LEDGER
            ),
            *(
                cloudflare.WorkersScriptBindingArgs(name=name, type="secret_text", text=pulumi.Output.secret(value))
                for name, value in sorted(wanted.secrets.items())
            ),
        ],
        migrations=cloudflare.WorkersScriptMigrationsArgs(new_tag=MIGRATION, new_sqlite_classes=[files.LEDGER]),
        compatibility_date=files.COMPATIBILITY_DATE,
        compatibility_flags=list(files.COMPATIBILITY_FLAGS),
        placement=cloudflare.WorkersScriptPlacementArgs(region=wanted.near),
        # Cloudflare's logs of calls hold their headers.
        observability=cloudflare.WorkersScriptObservabilityArgs(enabled=False),
        logpush=False,
        # What the provider reads back has the bindings' texts: they are secrets there too.
        opts=pulumi.ResourceOptions(parent=parent, additional_secret_outputs=["bindings"]),
    )
    subdomain = cloudflare.WorkersScriptSubdomain(
        f"{wanted.name}-workers-dev",
        account_id=wanted.account_id,
        script_name=script.script_name,
        enabled=False,
        previews_enabled=False,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    named = cloudflare.WorkersCustomDomain(
        f"{wanted.name}-hostname",
        account_id=wanted.account_id,
        hostname=wanted.hostname,
        service=script.script_name,
        zone_id=wanted.zone_id,
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[subdomain]),
    )
    return named.hostname.apply(lambda name: f"https://{name}")
