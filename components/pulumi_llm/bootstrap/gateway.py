"""The gateway's files: Caddy's allow-list, the routes to upstreams, the policy by key."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from fnmatch import fnmatchcase
from typing import Any

from pulumi_llm.bootstrap.files import fill
from pulumi_llm.bootstrap.roles import ENDPOINTS, GatewayKey, GatewayRole, Target
from pulumi_llm.errors import Finding, Refusal, nearest
from pulumi_llm.texts import _, listed

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
SECRET = re.compile(r"[a-z][a-z0-9_]{0,62}")
PROBE = "node-probe"
LIMITS = (
    "requests_per_minute",
    "tokens_per_minute",
    "max_concurrency",
    "daily_budget_usd",
    "monthly_budget_usd",
    "daily_tokens",
    "monthly_tokens",
)


def check(role: GatewayRole) -> None:
    """Everything that would make a gateway refuse to start, or serve what nobody asked for.

    Raises:
        Refusal: with all findings, codes ``bootstrap.bad-…`` and ``bootstrap.duplicate-…``.
    """
    findings: list[Finding] = []

    def find(code: str, message: str, hint: str) -> None:
        findings.append(Finding(f"bootstrap.{code}", message, hint))

    ports = [each for each in (role.https_port, role.vectors_https_port, role.vectors_grpc_port) if each is not None]
    if role.https_port is None and (role.routes or role.vectors_https_port is None):
        ports.append(0)  # nobody could ask it anything
    for port, times in Counter(ports).items():
        if times > 1 or not 1 <= port <= 65535 or port in (22, 4000, 4001, 4100, 8000, 8080, 50051):
            find(
                "bad-port",
                _("the gateway cannot listen on {port}", port=port),
                _("give each listener a free port, such as 443, 18443"),
            )
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
            if endpoint not in ENDPOINTS:
                find(
                    "unknown-endpoint",
                    _("key {key!r}: {endpoint!r} is not served", key=key.name, endpoint=endpoint),
                    _("served: {endpoints}", endpoints=listed(ENDPOINTS)),
                )
        for model in key.models:
            if not any(fnmatchcase(name, model) for name in served):
                near = nearest(model, served)
                find(
                    "unknown-model",
                    _("key {key!r}: no route answers to {model!r}", key=key.name, model=model),
                    _("did you mean {names}?", names=near[0]) if near else _("add a route"),
                )
        limits = [getattr(key, name) for name in LIMITS]
        if any(each is not None and each <= 0 for each in limits):
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
    if findings:
        raise Refusal(findings)


def caddyfile(role: GatewayRole) -> str:
    """Caddy's configuration."""
    return fill(
        "gateway/Caddyfile.j2",
        https_port=role.https_port,
        vectors_https_port=role.vectors_https_port,
        vectors_grpc_port=role.vectors_grpc_port,
        gate=bool(role.routes),
        posts=[each for each in ENDPOINTS if each != "/v1/models"],
    )


def _unknown_prices(role: GatewayRole) -> list[Finding]:
    """A budget in money is kept only where every model that it may be spent on has a price."""
    found = []
    for key in role.keys:
        if not key.counts_money:
            continue
        for route in role.routes:
            if key.models and not any(fnmatchcase(route.name, pattern) for pattern in key.models):
                continue
            unknown = [each.model for each in (*route.targets, *route.fallback) if each.price_in is None]
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


def routes(role: GatewayRole) -> str:
    """Where requests go: upstreams without their keys, and the routes to them."""

    def target(each: Target) -> dict[str, Any]:
        plain = dataclasses.asdict(each)
        return {name: plain[name] for name in plain if plain[name] is not None and (name, plain[name]) != ("weight", 1)}

    document = {
        "upstreams": {
            each.name: {
                "kind": each.kind,
                "base_url": each.base_url,
                "secret": each.secret,
                "private_ca": each.ca_secret is not None,
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
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def policy(role: GatewayRole) -> str:
    """Who may do what, for the gateway and for the status page. Holds no key."""
    keys: dict[str, Any] = {each.name: _rules(each) for each in role.keys}
    # The node's own key, made there, with which it asks itself whether it answers.
    probe = GatewayKey(name=PROBE, requests_per_minute=60, max_concurrency=2)
    keys[PROBE] = {**_rules(probe), "source_cidrs": ["127.0.0.0/8"]}
    lists = [{"name": "blocked_words", "words": list(role.blocked_words), "action": "block"}]
    content = dict(role.content.document) if role.content else {}
    if role.blocked_words:
        content["lists"] = [*lists, *content.get("lists", [])]
    return json.dumps({"keys": keys, "content": content}, indent=1, ensure_ascii=False) + "\n"


def _rules(key: GatewayKey) -> dict[str, Any]:
    """A key's row: only the limits that it has."""
    plain = dataclasses.asdict(key)
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in plain.items()
        if name != "name" and value not in (None, ())
    }


SDK_KINDS = frozenset({"aliyun", "tencent"})
"""Moderators that are asked through their cloud's SDK, which only nodes with one of them install."""


def moderator_secrets(role: GatewayRole) -> tuple[str, ...]:
    """The names of the secrets that moderators read."""
    named = [each.get(field) for each in _moderators(role) for field in ("secret_id", "secret")]
    return tuple(dict.fromkeys(filter(None, named)))


def environment(role: GatewayRole) -> str:
    """The Python environment that the gateway runs in: a name in versions.json."""
    return "gate-sdks" if any(each["kind"] in SDK_KINDS for each in _moderators(role)) else "gate"


def _moderators(role: GatewayRole) -> list[dict[str, Any]]:
    return list(role.content.document.get("moderators", ())) if role.content else []


def hooks(role: GatewayRole) -> dict[str, str]:
    """Moderators of one's own, as Python, by their path in the policy's folder; the gateway imports them once."""
    return dict(role.content.hooks) if role.content else {}


def word_files(role: GatewayRole) -> dict[str, str]:
    """The word lists' files, by their path in the policy's folder; read again by the gateway when they change."""
    return dict(role.content.files) if role.content else {}
