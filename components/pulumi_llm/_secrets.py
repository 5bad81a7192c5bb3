"""Secrets among a component's arguments: which they are, and those that a gateway's moderators need."""

import re
from collections.abc import Mapping
from typing import Any

import pulumi

from pulumi_llm._bootstrap import GatewayRole, NodeRequest
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.roles.gateway import moderator_secrets
from pulumi_llm.spec import CARRIED_KEYS, KUBECONFIG, MODERATOR_SECRETS, OWN_KEYS, SECRETS

ARGUMENTS = frozenset({*(each.argument for each in SECRETS), OWN_KEYS, CARRIED_KEYS, KUBECONFIG.argument, "proxy_key"})
"""The arguments that are secrets. The proxy's key is one that a component makes, and no config key holds it."""

LOOKS_LIKE_ONE = re.compile(r"(api_?keys?|moderation_?(key|id)|hub_?token)$", re.IGNORECASE)
"""Where such a name is misspelt, or another language's spelling, its value is a secret all the same."""


def is_secret(argument: str) -> bool:
    """Whether an argument of this name is a secret, and therefore not recorded among a component's inputs."""
    return argument in ARGUMENTS or LOOKS_LIKE_ONE.search(argument) is not None


def moderator_keys(node: NodeRequest, args: Mapping[str, Any]) -> dict[str, pulumi.Output[str]]:
    """The secrets of the moderators of a node's gateway, by the names that the node knows.

    Raises:
        Refusal: ``secret.missing`` for each that is not given.
    """
    gateway = node.of(GatewayRole)
    names = moderator_secrets(gateway) if gateway else ()
    wanted = [MODERATOR_SECRETS[name] for name in names if name in MODERATOR_SECRETS]
    missing = [
        Finding(
            "secret.missing",
            _("a content moderator needs {config_key}, which is not given", config_key=each.config_key),
            _(
                "`pulumi config set --secret {config_key}`, or the argument {argument}",
                config_key=each.config_key,
                argument=each.argument,
            ),
        )
        for each in wanted
        if args.get(each.argument) is None
    ]
    if missing:
        raise Refusal(missing)
    return {each.name: pulumi.Output.secret(args[each.argument]) for each in wanted}
