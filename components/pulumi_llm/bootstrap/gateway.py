"""The gateway's files: Caddy's allow-list, LiteLLM's routes, the policy that its hooks enforce."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from pulumi_llm.bootstrap.files import fill
from pulumi_llm.bootstrap.roles import ENDPOINTS
from pulumi_llm.errors import Finding, Refusal, nearest

if TYPE_CHECKING:
    from pulumi_llm.bootstrap.roles import GatewayRole, Route

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
SECRET = re.compile(r"[a-z][a-z0-9_]{0,62}")
PROBE = "node-probe"


def check(role: GatewayRole) -> None:
    """Everything that would make a gateway refuse to start, or serve what nobody asked for.

    Raises:
        Refusal: with all findings, codes ``bootstrap.bad-…`` and ``bootstrap.duplicate-…``.
    """
    findings: list[Finding] = []

    def find(code: str, message: str, hint: str) -> None:
        findings.append(Finding(f"bootstrap.{code}", message, hint))

    ports = [each for each in (role.https_port, role.vectors_https_port, role.vectors_grpc_port) if each is not None]
    for port, times in Counter(ports).items():
        if times > 1 or not 1 <= port <= 65535 or port in (22, 4000, 4100, 8000, 8080, 50051):
            find(
                "bad-port", f"the gateway cannot listen on {port}", "give each listener a free port, such as 443, 18443"
            )
    for name, times in Counter(each.name for each in role.keys).items():
        if times > 1:
            find("duplicate-key", f"{times} keys are called {name!r}", "each key needs a name of its own")
        if not NAME.fullmatch(name) or name == PROBE:
            find("bad-key-name", f"a key cannot be called {name!r}", "letters, digits, dot, dash, underscore")
    served = {each.model_name for each in role.routes}
    for name, times in Counter(each.model_name for each in role.routes).items():
        if times > 1:
            find("duplicate-route", f"{times} routes answer to {name!r}", "each model needs a name of its own")
    for key in role.keys:
        for endpoint in key.endpoints:
            if endpoint not in ENDPOINTS:
                find(
                    "unknown-endpoint",
                    f"key {key.name!r}: {endpoint!r} is not served",
                    f"served: {', '.join(ENDPOINTS)}",
                )
        for model in key.models:
            if model not in served:
                near = nearest(model, served)
                find(
                    "unknown-model",
                    f"key {key.name!r}: no route answers to {model!r}",
                    f"did you mean {near[0]}?" if near else "add a route",
                )
        limits = (key.requests_per_minute, key.tokens_per_minute, key.max_concurrency, key.daily_budget_usd)
        if any(each is not None and each <= 0 for each in limits):
            find("bad-limit", f"key {key.name!r} has a limit that is not above 0", "leave it out for no limit")
    for route in role.routes:
        for secret in (route.secret, route.ca_secret):
            if secret is not None and not SECRET.fullmatch(secret):
                find(
                    "bad-secret-name",
                    f"route {route.model_name!r}: {secret!r} cannot name a secret",
                    "small letters, digits, underscore",
                )
    if findings:
        raise Refusal(findings)


def caddyfile(role: GatewayRole) -> str:
    """Caddy's configuration."""
    return fill(
        "gateway/Caddyfile.j2",
        https_port=role.https_port,
        vectors_https_port=role.vectors_https_port,
        vectors_grpc_port=role.vectors_grpc_port,
        litellm=bool(role.routes),
        posts=[each for each in ENDPOINTS if each != "/v1/models"],
    )


def litellm_config(role: GatewayRole) -> str:
    """LiteLLM's configuration, as JSON, which is YAML too and needs no escaping rules of its own."""
    document = {
        "model_list": [{"model_name": each.model_name, "litellm_params": _parameters(each)} for each in role.routes],
        "litellm_settings": {
            "callbacks": ["llm_gateway.guard"],
            # Without this flag here and custom_auth_run_common_checks there, a key's models are silently ignored.
            "enable_post_custom_auth_checks": True,
            "turn_off_message_logging": True,
            "telemetry": False,
            "request_timeout": 600,
        },
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        "general_settings": {
            "custom_auth": "llm_gateway.user_api_key_auth",
            "custom_auth_run_common_checks": True,
            "disable_spend_logs": True,
        },
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _parameters(route: Route) -> dict[str, Any]:
    key = f"os.environ/{route.secret.upper()}" if route.secret else "none"
    return {"model": route.litellm_model, "api_key": key} | ({"api_base": route.api_base} if route.api_base else {})


def policy(role: GatewayRole) -> str:
    """Who may do what, for the hooks in llm_gateway.py and for the status page. Holds no key."""
    keys: dict[str, Any] = {
        each.name: {
            "models": list(each.models),
            "endpoints": list(each.endpoints or ENDPOINTS),
            "requests_per_minute": each.requests_per_minute,
            "tokens_per_minute": each.tokens_per_minute,
            "max_concurrency": each.max_concurrency,
            "daily_budget_usd": each.daily_budget_usd,
        }
        for each in role.keys
    }
    # The node's own key, made there, with which it asks itself whether it answers.
    keys[PROBE] = {
        "models": [],
        "endpoints": ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models"],
        "requests_per_minute": 60,
        "tokens_per_minute": None,
        "max_concurrency": 2,
        "daily_budget_usd": None,
    }
    return json.dumps({"keys": keys, "blocked_words": list(role.blocked_words)}, indent=1, ensure_ascii=False) + "\n"
