"""What the components share: refusing without a traceback, providers, and names."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, cast
from weakref import WeakKeyDictionary

import pulumi

from pulumi_llm import catalog, clouds
from pulumi_llm._arguments import is_late
from pulumi_llm._findings import refuse
from pulumi_llm._refusal import ComponentRefusal, HostedRefusal, ending
from pulumi_llm._secrets import is_secret
from pulumi_llm._texts import _
from pulumi_llm.clouds.base import Cloud, Scope
from pulumi_llm.errors import Finding, Refusal

PACKAGE = "llm"


@contextlib.contextmanager
def refusing(where: str) -> Iterator[None]:
    """Turn a refusal inside into one that the engine shows as a message, with ``where`` before each finding."""
    try:
        yield
    except (ComponentRefusal, HostedRefusal):
        raise
    except Refusal as refusal:
        raise ending(each.placed(where) for each in refusal.findings) from None


def recorded(args: object, *left_out: str) -> dict[str, Any]:
    """The arguments that the state records, so that previews show what was asked: no secrets, nor ``left_out``.

    Arguments that are no mapping are refused later, with the other mistakes.
    """
    if not isinstance(args, Mapping):
        return {}
    return {key: value for key, value in args.items() if not is_secret(str(key)) and key not in left_out}


def known(args: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the arguments that are given, and whose values are known by now."""
    return {name: value for name, value in args.items() if value is not None and not is_late(value)}


def scope_of(component: pulumi.ComponentResource, name: str, cloud: Cloud, region: str) -> Scope:
    """The scope for a component's children: the provider that the user handed in, else one for the region."""
    given = component.get_provider(f"{cloud.package}:index:any")
    if given is None:
        return Scope(parent=component, provider=regional_provider(name, cloud, region, component), region=region)
    if not clouds.every()[cloud.name].provider_has_region:
        return Scope(parent=component, provider=given, region=region)
    return Scope(parent=component, provider=given, region=region, checked=_of_the_region(given, region, name))


def _of_the_region(provider: pulumi.ProviderResource, region: str, where: str) -> pulumi.Output[None]:
    """Nothing, as soon as it is known that the provider is of the region; a refusal where it is of another.

    Its resources would be asked of a region that knows neither the zone nor the image. Where the provider's region is
    not known yet (a preview), or is left to the environment, there is nothing to hold against it. A component and the
    network below it are handed the same provider: it is asked once, so the message names the one that the user wrote.
    """
    held = _HELD.setdefault(provider, {})
    if region in held:
        return held[region]

    async def no_resources() -> set[pulumi.Resource]:
        return set()

    async def yes(answer: bool) -> bool:
        return answer

    async def hold() -> None:
        found = await _region_of(provider)
        if found and found != region:
            raise ending(
                [
                    Finding(
                        "cloud.other-region",
                        _(
                            "the provider passed in is for {found}, but the region asked for is {region}",
                            found=found,
                            region=region,
                        ),
                        _("a provider for {region}, or region: {found}", region=region, found=found),
                        where=where,
                    )
                ]
            )

    held[region] = pulumi.Output(no_resources(), hold(), yes(True), yes(False))
    return held[region]


_HELD: WeakKeyDictionary[pulumi.ProviderResource, dict[str, pulumi.Output[None]]] = WeakKeyDictionary()
"""For each provider, its check by the region that was asked for."""


async def _region_of(provider: pulumi.ProviderResource) -> str | None:
    """The region of a provider; None where it is not known yet, or not said."""
    told = getattr(provider, "region", None)
    if isinstance(told, pulumi.Output):
        return cast("str | None", await told.future())
    # In the host of another language's program a provider is no more than a reference. The engine knows the rest.
    asked = {"urn": await provider.urn.future()}
    with contextlib.suppress(Exception):  # an engine that does not tell it leaves it unknown
        answer = await pulumi.runtime.invoke_async("pulumi:pulumi:getResource", asked)
        return cast("str | None", answer["state"].get("region"))
    return None


def check_name(name: str, *on: str, below: str = "") -> None:
    """Refuse a component's name that one of the clouds would not take for what is named after it.

    ``below``: the longest ending that its own components put behind it.
    """
    for cloud in on:
        facts = catalog.load().cloud(cloud)
        rule = facts.name_rules.get("component")
        if rule is not None and not rule.accepts(name + below):
            refuse(
                "spec.bad-name",
                _(
                    "resources are named after the component, and {title} does not accept {name!r}",
                    title=facts.title,
                    name=name,
                ),
                _(
                    "letters, digits and dashes, at most {max_length} of them, and not sg- first",
                    max_length=rule.max_length - len(below),
                ),
            )


def regional_provider(
    name: str, cloud: Cloud, region: str, component: pulumi.ComponentResource
) -> pulumi.ProviderResource:
    """A provider whose name holds its region.

    Another region is then another provider. Were it the same one changed in place, it would look in the new region for
    what is to be deleted in the old one, find nothing, and leave it running.
    """
    return cloud.provider(f"{name}-{cloud.name}-{region}", region, component)


def adapter(cloud: str) -> Cloud:
    """The adapter of a cloud; its SDK is imported here, and not before."""
    return clouds.get(cloud)


def publish(component: pulumi.ComponentResource, outputs: Mapping[str, Any]) -> None:
    """Set the outputs as attributes of the component, and register them under the names that other languages use."""
    for name, value in outputs.items():
        setattr(component, name, value)
    component.register_outputs({camel(name): value for name, value in outputs.items()})


def camel(name: str) -> str:
    """``hourly_price`` as ``hourlyPrice``."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
