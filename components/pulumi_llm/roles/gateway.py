"""The gateway's files: Caddy's allow-list, the routes to upstreams, the policy by key."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from pulumi_llm._texts import _, listed
from pulumi_llm.catalog.pooling import EMBEDDING, RERANKER
from pulumi_llm.errors import Finding, nearest
from pulumi_llm.roles import memory, turning
from pulumi_llm.roles.base import PROBE, Role, Row, file_row, secret_row, sites_of, told
from pulumi_llm.roles.files import fill, templates, text
from pulumi_llm.roles.manifest import Listener
from pulumi_llm.roles.requests import (
    ENDPOINTS,
    METRICS,
    GatewayKey,
    GatewayRole,
    NodeRequest,
    Target,
    Upstream,
    VllmRole,
)

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
SECRET = re.compile(r"[a-z][a-z0-9_]{0,62}")
AUTHORITIES = "upstream-ca.pem"


def mistakes(role: GatewayRole) -> list[Finding]:
    """Everything that would make a gateway refuse to start, or serve what nobody asked for.

    Codes ``bootstrap.bad-…``, ``bootstrap.duplicate-…``, ``bootstrap.unknown-…`` and ``gateway.unknown-price``.
    """
    findings: list[Finding] = []

    def find(code: str, message: str, hint: str) -> None:
        findings.append(Finding(f"bootstrap.{code}", message, hint))

    for name, times in Counter(each.name for each in role.keys).items():
        if times > 1:
            find(
                "duplicate-key",
                _("{times} keys are called {name!r}", times=times, name=name),
                _("each key needs a name of its own"),
            )
        if not NAME.fullmatch(name) or name == PROBE:
            find(
                "bad-key-name",
                _("a key cannot be called {name!r}", name=name),
                _("letters, digits, dot, dash, underscore"),
            )
    served = {each.name for each in role.routes}
    for name, times in Counter(each.name for each in role.routes).items():
        if times > 1:
            find(
                "duplicate-route",
                _("{times} routes answer to {name!r}", times=times, name=name),
                _("each model needs a name of its own"),
            )
    for key in role.keys:
        for endpoint in key.endpoints:
            if endpoint not in (*ENDPOINTS, METRICS):
                find(
                    "unknown-endpoint",
                    _("key {key!r}: {endpoint!r} is not served", key=key.name, endpoint=endpoint),
                    _("served: {endpoints}", endpoints=listed((*ENDPOINTS, METRICS))),
                )
        for model in key.models:
            if not any(fnmatchcase(name, model) for name in served):
                near = nearest(model, served)
                find(
                    "unknown-model",
                    _("key {key!r}: no route answers to {model!r}", key=key.name, model=model),
                    _("did you mean {names}?", names=near[0]) if near else _("add a route"),
                )
        if any(each <= 0 for each in key.limits.values()):
            find(
                "bad-limit",
                _("key {key!r} has a limit that is not above 0", key=key.name),
                _("leave it out for no limit"),
            )
    upstreams = {each.name for each in role.upstreams}
    for upstream in role.upstreams:
        for secret in (upstream.secret, upstream.ca_secret):
            if secret is not None and not SECRET.fullmatch(secret):
                find(
                    "bad-secret-name",
                    _("upstream {upstream!r}: {secret!r} cannot name a secret", upstream=upstream.name, secret=secret),
                    _("small letters, digits, underscore"),
                )
    for route in role.routes:
        for target in (*route.targets, *route.fallback):
            if target.upstream not in upstreams:
                find(
                    "unknown-upstream",
                    _("route {route!r}: there is no upstream {upstream!r}", route=route.name, upstream=target.upstream),
                    _("there are: {names}", names=listed(sorted(upstreams))),
                )
    findings += _unknown_prices(role)
    return findings


def _unknown_prices(role: GatewayRole) -> list[Finding]:
    """A budget in money is kept only where every model that it may be spent on has a price."""
    found = []
    for key in role.keys:
        if not key.counts_money:
            continue
        for route in role.routes:
            if key.models and not any(fnmatchcase(route.name, pattern) for pattern in key.models):
                continue
            unknown = [each.model for each in (*route.targets, *route.fallback) if not _price_is_known(each, key)]
            if unknown:
                found.append(
                    Finding(
                        "gateway.unknown-price",
                        _(
                            "key {key!r} has a budget in USD and may ask {route!r}, and no price is known for "
                            "{unknown}",
                            key=key.name,
                            route=route.name,
                            unknown=listed(dict.fromkeys(unknown)),
                        ),
                        _(
                            "prices: {MODEL: {input: USD, output: USD}} per million tokens beside the upstream's "
                            "models; or name the key's models, or limit its tokens instead"
                        ),
                    )
                )
    return found


ANSWERLESS = frozenset({"/v1/embeddings", "/v1/rerank", "/v1/score", "/v1/models"})
"""Endpoints whose answers have no tokens; those of the tokenizer take no tokens at all."""


def _price_is_known(target: Target, key: GatewayKey) -> bool:
    """Whether all has a price that a key may ask of a target."""
    answers = not key.endpoints or not ANSWERLESS.issuperset(key.endpoints)
    return target.price_in is not None and not (answers and target.price_out is None)


def _authority(upstream: Upstream) -> str:
    """The file with the authority of an upstream's own; a proxy's is where it always was."""
    own = upstream.ca_secret is not None and upstream.kind != "gateway"
    return f"upstream-ca-{upstream.name}.pem" if own else AUTHORITIES


def routes(role: GatewayRole) -> str:
    """Where requests go: upstreams without their keys, and the routes to them."""

    def target(each: Target) -> dict[str, Any]:
        plain = dataclasses.asdict(each)
        return {name: plain[name] for name in plain if plain[name] is not None and (name, plain[name]) != ("weight", 1)}

    document = {
        "upstreams": {
            each.name: {
                "kind": each.kind,
                "base_url": each.through or each.base_url,
                "secret": each.secret,
                "private_ca": each.ca_secret is not None,
                **({} if _authority(each) == AUTHORITIES else {"ca": _authority(each)}),
                **({"replica": True} if each.replica else {}),
                **({"fill": each.fill} if each.fill else {}),
            }
            for each in role.upstreams
        },
        "routes": {
            each.name: {
                "targets": [target(one) for one in each.targets],
                **({"fallback": [target(one) for one in each.fallback]} if each.fallback else {}),
            }
            for each in role.routes
        },
        **({"turns": dict(role.turns)} if role.turns else {}),
        **({"starts": True} if role.starts else {}),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def policy(role: GatewayRole) -> str:
    """Who may do what, and who is told of calls, for the gateway and for the status page. Holds no key."""
    keys: dict[str, Any] = {each.name: _rules(each) for each in role.keys}
    # The node's own key, made there, with which it asks itself whether it answers.
    probe = GatewayKey(name=PROBE, limits={"requests_per_minute": 60, "max_concurrency": 2})
    keys[PROBE] = {**_rules(probe), "source_cidrs": ["127.0.0.0/8"]}
    lists = [{"name": "blocked_words", "words": list(role.blocked_words), "action": "block"}]
    content = dict(role.content.document) if role.content else {}
    if role.blocked_words:
        content["lists"] = [*lists, *content.get("lists", [])]
    document = {"keys": keys, "content": content, "port": role.https_port}
    if role.traces is not None:
        rows = dataclasses.asdict(role.traces)
        document["traces"] = {name: value for name, value in rows.items() if value or name == "share"}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _rules(key: GatewayKey) -> dict[str, Any]:
    """A key's row: only the limits that it has."""
    row = {"models": key.models, "endpoints": key.endpoints, **key.limits}
    row |= {"expires": key.expires, "source_cidrs": key.source_cidrs}
    rules = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in row.items()
        if value not in (None, ())
    }
    return rules | ({"ask_twice": True} if key.ask_twice else {})


SDK_KINDS = frozenset({"aliyun", "tencent"})
"""Moderators that are asked through their cloud's SDK, which only nodes with one of them install."""


def moderator_secrets(role: GatewayRole) -> tuple[str, ...]:
    """The names of the secrets that moderators read."""
    named = [each.get(field) for each in _moderators(role) for field in ("secret_id", "secret")]
    return tuple(dict.fromkeys(filter(None, named)))


def environment(role: GatewayRole) -> str:
    """The Python environment that the gateway runs in: a name in its role.yaml."""
    return "gate-sdks" if any(each["kind"] in SDK_KINDS for each in _moderators(role)) else "gate"


def _moderators(role: GatewayRole) -> list[dict[str, Any]]:
    return list(role.content.document.get("moderators", ())) if role.content else []


def hooks(role: GatewayRole) -> dict[str, str]:
    """Moderators of one's own, as Python, by their path in the policy's folder; the gateway imports them once."""
    return dict(role.content.hooks) if role.content else {}


def word_files(role: GatewayRole) -> dict[str, str]:
    """The word lists' files, by their path in the policy's folder; read again by the gateway when they change."""
    return dict(role.content.files) if role.content else {}


class Gateway(Role):
    """Keys, limits and routes. Without a route there is nothing to run, and Caddy's port tells the status alone."""

    def runs(self, node: NodeRequest) -> bool:
        """Whether it has anything to serve."""
        return bool(_asked(node).routes)

    def check(self, node: NodeRequest) -> list[Finding]:
        """See `mistakes`."""
        return mistakes(_asked(node))

    def listeners(self, node: NodeRequest) -> dict[str, tuple[int, Listener]]:
        """The one port that callers of models need."""
        ((name, listener),) = self.manifest.listeners.items()
        return {name: (_asked(node).https_port, listener)}

    def environments(self, node: NodeRequest) -> tuple[str, ...]:
        """One of its two: with the clouds' SDKs where a moderator needs one."""
        return (environment(_asked(node)),) if self.runs(node) else ()

    def values(self, node: NodeRequest) -> Row:
        """For the unit: its Python environment, and its limit of memory."""
        values = super().values(node)
        limit = memory.at_most_mib(node, values["memory_gib"])
        return {**values, "venv": next(iter(values["venv"].values())).rpartition("/")[2], "memory_mib": limit}

    def files(self, node: NodeRequest) -> list[Row]:
        """Policy, routes, word lists, its own code, hooks, and the unit."""
        if not self.runs(node):
            return []
        role, folder = _asked(node), "/opt/llm/gateway"
        return [
            # Read again by the gateway when they change: a new limit or route costs nobody a request.
            file_row(f"{folder}/policy.json", policy(role)),
            file_row(f"{folder}/routes.json", routes(role)),
            *[file_row(f"{folder}/{name}", words) for name, words in word_files(role).items()],
            *[
                file_row(f"{folder}/{name}", code, str(self.unit))
                for name, code in {**gate_code(), **hooks(role)}.items()
            ],
            *super().files(node),
        ]

    def required_secrets(self, node: NodeRequest) -> list[str]:
        """Its clients' keys, its own for upstreams and moderators, and authorities of upstreams."""
        role = _asked(node)
        names = [key_secret(each.name) for each in role.keys]
        for upstream in role.upstreams:
            names += [each for each in (upstream.secret, upstream.ca_secret) if each]
        return [*names, *(moderator_secrets(role) if role.routes else ())]

    def secret_files(self, node: NodeRequest, *, optional: bool = False) -> list[Row]:
        """What it asks others with, and whom it believes."""
        role = _asked(node)
        if optional or not self.runs(node):
            return []
        names = [*(each.secret for each in role.upstreams if each.secret), *moderator_secrets(role)]
        # A file each, so that no upstream's authority is believed in the name of another one.
        files: dict[str, dict[str, str]] = {AUTHORITIES: {}}
        for each in role.upstreams:
            if each.ca_secret:
                files.setdefault(_authority(each), {})[each.ca_secret] = ""
        return [
            secret_row("upstream.env", "llm-gateway", "env", {name: name.upper() for name in names}),
            # Read again by the gateway when they change, as keys and limits are.
            *(secret_row(name, "llm-gateway", "bundle", each) for name, each in files.items()),
            *([secret_row(turning.GATES, "llm-gateway", "raw", {turning.KEY: ""})] if role.turns else []),
        ]

    def callers(self, node: NodeRequest, *, gateway: bool) -> dict[str, str]:
        """Its clients, by their keys."""
        return {key_secret(each.name): each.name for each in _asked(node).keys}

    def sites(self, node: NodeRequest, status_port: int | None) -> list[str]:
        """Its port, where the paths of `ENDPOINTS` are let through and no other."""
        role = _asked(node)
        posts = [each for each in ENDPOINTS if each != "/v1/models"]
        gate = bool(role.routes)
        return [
            fill("gateway/site.j2", site=site, gate=gate, posts=posts, origins=role.origins)
            for site in sites_of(node, role.https_port)
        ]

    def watched(self, node: NodeRequest) -> Row:
        """The models that are asked for an answer: those that this node itself serves; ``embed``: for vectors."""
        role = _asked(node)
        local = {each.name for each in role.upstreams if each.base_url.startswith("http://127.0.0.1:")}
        # Of a model that other machines have too, the gateway asks this one's where the node itself asks.
        elsewhere = {each.name for each in role.upstreams if each.replica} - local
        asked = {each.name: {target.upstream for target in each.targets} - elsewhere for each in role.routes}
        own = [name for name, upstreams in asked.items() if upstreams and upstreams <= local]
        # A foreign vendor is not asked: it would cost, and its bad day is not this node's.
        if not self.runs(node):
            return {}
        served = node.of(VllmRole)
        models = served.all if served is not None else ()
        tasks = {name: each.task for each in models for name in each.names}
        rows: dict[str, list[str]] = {"models": []}
        for route in role.routes:
            if route.name in own:
                rows.setdefault(_ASKED[tasks.get(route.targets[0].model)], []).append(route.name)
        return rows


_ASKED = {None: "models", EMBEDDING: "embed", RERANKER: "rerank"}
"""What the watch calls the models of a task: it asks them for a completion, a vector, a rank."""


def key_secret(name: str) -> str:
    """The secret that holds a gateway key."""
    return f"gateway_key_{name}"


def _asked(node: NodeRequest) -> GatewayRole:
    return told("gateway", node.of(GatewayRole))


def gate_code() -> dict[str, str]:
    """The gateway's Python package with its data, as it is: relative path to content."""
    found: dict[str, str] = {}

    def walk(folder: Traversable, path: str) -> None:
        for each in folder.iterdir():
            if each.is_dir() and each.name != "__pycache__":
                walk(each, f"{path}/{each.name}")
            elif each.name.endswith((".py", ".json", ".txt")):
                found[f"{path}/{each.name}"] = text(f"gateway/{path}/{each.name}")

    walk(templates() / "gateway" / "llm_gate", "llm_gate")
    return dict(sorted(found.items()))
