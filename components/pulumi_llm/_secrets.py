"""Secrets among a component's arguments: which they are, and those that a gateway's moderators need."""

from collections.abc import Mapping
from typing import Any

import pulumi

from pulumi_llm.bootstrap import GatewayRole, NodeRequest
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.roles.gateway import moderator_secrets
from pulumi_llm.spec import MODERATOR_SECRETS

MODERATOR_ARGUMENTS = frozenset(each.argument for each in MODERATOR_SECRETS.values())


def is_secret(argument: str) -> bool:
    """Whether an argument of this name is a secret, and therefore not recorded among a component's inputs."""
    return argument in MODERATOR_ARGUMENTS or argument.endswith("_api_key") or argument in ("proxy_key", "hub_token")


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
            f"a content moderator needs {each.config_key}, and it is not given",
            f"`pulumi config set --secret {each.config_key}`, or the argument {each.argument}",
        )
        for each in wanted
        if args.get(each.argument) is None
    ]
    if missing:
        raise Refusal(missing)
    return {each.name: pulumi.Output.secret(args[each.argument]) for each in wanted}
