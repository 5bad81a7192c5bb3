"""The keys of a gateway's upstreams among a component's arguments: a vendor's in its own, all others in one mapping."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pulumi

from pulumi_llm._arguments import is_late
from pulumi_llm._refusal import ending
from pulumi_llm._texts import _, all_of
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.spec import OWN_KEYS, UpstreamSpec, needs_key, upstream_key


def upstream_keys(upstreams: Mapping[str, UpstreamSpec], args: Mapping[str, Any]) -> dict[str, pulumi.Output[str]]:
    """The upstreams' keys by their names, from a component's arguments.

    Where the mapping with those of the user's own names comes late, what is missing in it is known only then.

    Raises:
        Refusal: ``secret.missing`` with all that are not given.
    """
    keys: dict[str, pulumi.Output[str]] = {}
    missing = []
    for name in sorted(name for name, each in upstreams.items() if needs_key(each)):
        secret = upstream_key(name)
        value = args.get(secret.argument)
        if secret.argument == OWN_KEYS:
            if is_late(value):
                keys[name] = pulumi.Output.secret(pulumi.Output.from_input(value).apply(partial(_one_of, name)))
                continue
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is None:
            missing.append(name)
        else:
            keys[name] = pulumi.Output.secret(value)
    if missing:
        raise Refusal([_missing(missing)])
    return keys


def _one_of(name: str, keys: Mapping[str, str]) -> str:
    if name not in keys:
        raise ending([_missing([name])])
    return keys[name]


def _missing(names: list[str]) -> Finding:
    return Finding(
        "secret.missing",
        _("the upstream {missing} needs an API key, and none is given", missing=all_of(names)),
        all_of(
            _(
                "`pulumi config set --secret {config_key}`, or the argument {argument}",
                config_key=each.config_key,
                argument=each.argument if each.argument != OWN_KEYS else f"{OWN_KEYS}: {{{name}: …}}",
            )
            for name, each in ((name, upstream_key(name)) for name in names)
        ),
    )
