"""Secrets among a component's arguments: which they are, and those that a gateway's moderators need."""

from collections.abc import Mapping
from typing import Any

import pulumi

from pulumi_llm.bootstrap import GatewayRole
from pulumi_llm.bootstrap.gateway import moderator_secrets
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.spec import MODERATOR_SECRETS
from pulumi_llm.texts import _

MODERATOR_ARGUMENTS = frozenset(each.argument for each in MODERATOR_SECRETS.values())


def is_secret(argument: str) -> bool:
    """Whether an argument of this name is a secret, and therefore not recorded among a component's inputs."""
    return argument in MODERATOR_ARGUMENTS or argument.endswith("_api_key") or argument in ("proxy_key", "hub_token")


def moderator_keys(gateway: GatewayRole, args: Mapping[str, Any]) -> dict[str, pulumi.Output[str]]:
    """The secrets of this gateway's moderators, by the names that the node knows.

    Raises:
        Refusal: ``secret.missing`` for each that is not given.
    """
    wanted = [MODERATOR_SECRETS[name] for name in moderator_secrets(gateway) if name in MODERATOR_SECRETS]
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
