"""The proxy overseas as a function: a Cloudflare Worker in front of the vendors' APIs, with no machine."""

import hashlib
import importlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pulumi

from pulumi_llm import _component as support
from pulumi_llm import _host as hosts
from pulumi_llm import _notices as notices
from pulumi_llm import spec
from pulumi_llm._args import WorkerProxyArgs
from pulumi_llm._arguments import checked
from pulumi_llm._findings import gather, pick
from pulumi_llm._texts import _, listed
from pulumi_llm._upstream_keys import upstream_keys
from pulumi_llm._worker import files, role
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight.endings import ending_models
from pulumi_llm.spec import NEAR, AccessSpec, WorkerSpec

ELSEWHERE = ("content", "blocked_words", "cors_origins", "engine", "domain", "private_network")
"""Arguments of ``OverseasProxy`` that a Worker has not, and that somebody may rely on."""


class WorkerProxy(pulumi.ComponentResource):
    """The gateway as a Cloudflare Worker: foreign models under your own keys and limits, and no machine."""

    endpoint: pulumi.Output[str]
    """The OpenAI-compatible base URL, ``https://…/v1``."""
    models: pulumi.Output[list[str]]
    """The models that it serves."""
    api_keys: pulumi.Output[dict[str, str]]
    """The gateway's keys by name (secret)."""

    def __init__(self, name: str, args: WorkerProxyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the proxy. A wrong argument ends the program with every mistake named, and no traceback."""
        with support.refusing(name):
            wanted, access, of_vendors = _settled(name, args)
            gateway = role.gateway(wanted)
            resources = _cloudflare()
        super().__init__(f"{support.PACKAGE}:index:WorkerProxy", name, support.recorded(args), opts)
        today = datetime.now(UTC).date()
        notices.warn(self, name, [*hosts.expired(wanted.keys), *ending_models(wanted.upstreams, today)])
        keys = hosts.gateway_keys(name, wanted.keys, pulumi.ResourceOptions(parent=self))
        url = resources.make(
            resources.Wanted(
                name=name,
                account_id=wanted.account_id,
                settings=files.settings(gateway, access.allowed_cidrs),
                secrets={
                    **{spec.upstream_key(each).name.upper(): key for each, key in of_vendors.items()},
                    **_tables(keys),
                },
                near=f"{NEAR}:{wanted.near}",
                hostname=wanted.hostname,
                zone_id=wanted.zone_id,
            ),
            self,
        )
        support.publish(
            self,
            {
                "endpoint": pulumi.Output.concat(url, "/v1"),
                "models": pulumi.Output.from_input([each.name for each in gateway.routes]),
                "api_keys": pulumi.Output.secret(pulumi.Output.all(**keys)),
            },
        )


def _settled(name: str, args: Any) -> tuple[WorkerSpec, AccessSpec, dict[str, pulumi.Output[str]]]:
    """What the arguments come to, or a Refusal with every mistake in them."""
    asked = args if isinstance(args, Mapping) else {}
    cannot = sorted(each for each in ELSEWHERE if asked.get(each))
    rest = {key: value for key, value in asked.items() if key not in cannot}
    given = checked(rest if isinstance(args, Mapping) else args, WorkerProxyArgs)
    beside = list(given.findings)
    if cannot:
        message = _("{names} is asked for, and a Worker has no such thing", names=listed(cannot))
        beside.append(Finding("spec.worker-cannot", message, _("an OverseasProxy has it"), where=cannot[0]))
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,52}", name):
        message = _("a Worker cannot be called {name!r}", name=name)
        beside.append(Finding("spec.bad-name", message, _("small letters, digits and dashes, at most 53")))
    known = support.known(given.fit)
    wanted, access = gather(
        lambda: spec.parse(WorkerSpec, pick(known, *WorkerSpec.model_fields)),
        # There is no SSH, so nothing of it is open.
        lambda: spec.parse(AccessSpec, {**pick(known, "allowed_cidrs", "public"), "ssh_cidrs": ()}),
        beside=beside,
    )
    return wanted, access, upstream_keys(wanted.upstreams, asked)


def _cloudflare() -> Any:
    """The resources, whose SDK is imported here and not before. Raises Refusal: ``cloud.sdk-missing``."""
    try:
        return importlib.import_module("pulumi_llm._worker.resources")
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith("pulumi_cloudflare"):
            raise
    from pulumi_llm import _extras as extras  # reads the metadata of installed packages, which takes its time

    message = _("{name} is asked for, but its Pulumi SDK ({missing}) is not installed",
                name="cloudflare", missing="pulumi_cloudflare")  # fmt: skip
    raise Refusal([Finding("cloud.sdk-missing", message, extras.advice("cloudflare"))])


def _tables(keys: Mapping[str, pulumi.Output[str]]) -> dict[str, pulumi.Output[str]]:
    """The secrets that tell whose a key is: how many there are is known, and what is in them is not yet."""
    names = list(files.key_table({each: each for each in keys}))
    whole = pulumi.Output.all(**keys).apply(_table)
    return {name: whole.apply(partial(_part, name)) for name in names}


def _table(keys: Mapping[str, str]) -> dict[str, str]:
    return files.key_table({hashlib.sha256(key.encode()).hexdigest(): name for name, key in keys.items()})


def _part(name: str, table: Mapping[str, str]) -> str:
    return table[name]
