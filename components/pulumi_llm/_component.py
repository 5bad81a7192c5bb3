"""What the components share: refusing without a traceback, flat arguments, providers, and names."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import pulumi

from pulumi_llm import clouds
from pulumi_llm.clouds.base import Cloud, Scope
from pulumi_llm.errors import Finding, Refusal, nearest

PACKAGE = "llm"


class ComponentRefusal(Refusal, pulumi.RunError):
    """A refusal that ends the program with its message alone: the engine prints no traceback for a RunError."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(findings)

    def __str__(self) -> str:
        count = len(self.findings)
        head = "this cannot work" if count == 1 else f"this cannot work, for {count} reasons"
        return "\n".join([f"{head}:", *(str(finding) for finding in self.findings)])


@contextlib.contextmanager
def refusing(where: str) -> Iterator[None]:
    """Turn a refusal inside into one that the engine shows as a message, with ``where`` before each finding."""
    try:
        yield
    except ComponentRefusal:
        raise
    except Refusal as refusal:
        raise ComponentRefusal(tuple(each.placed(where) for each in refusal.findings)) from None


def gather(*parts: Callable[[], Any]) -> list[Any]:
    """What each part gives. Raises :class:`Refusal` with the findings of all of them, not of the first that fails."""
    results: list[Any] = []
    findings: list[Finding] = []
    for part in parts:
        try:
            results.append(part())
        except Refusal as refusal:
            findings += refusal.findings
    if findings:
        raise Refusal(dict.fromkeys(findings))
    return results


def refuse(code: str, message: str, hint: str = "", where: str = "") -> NoReturn:
    """Refuse with one finding."""
    raise Refusal([Finding(code, message, hint, where=where)])


def known_keys(args: Mapping[str, Any], typed_dict: type) -> None:
    """Raise :class:`Refusal` where ``args`` holds keys that the component does not know, or lacks required ones."""
    annotations = {key for base in typed_dict.__mro__ for key in getattr(base, "__annotations__", {})}
    findings = []
    for key in args:
        if key not in annotations:
            near = nearest(str(key), annotations)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(sorted(annotations))}"
            findings.append(Finding("spec.unknown-key", f"there is no argument {key!r}", hint))
    required: frozenset[str] = getattr(typed_dict, "__required_keys__", frozenset())
    findings += [
        Finding("spec.missing-key", f"the argument {key!r} is required")
        for key in sorted(required)
        if args.get(key) is None
    ]
    if findings:
        raise Refusal(findings)


def all_or_none(args: Mapping[str, Any], *names: str) -> bool:
    """Whether the arguments are given; refuse where only some of them are."""
    given = [name for name in names if args.get(name) is not None]
    if given and len(given) < len(names):
        lacking = ", ".join(name for name in names if name not in given)
        refuse(
            "spec.missing-key",
            f"{', '.join(given)} is given, but {lacking} is not",
            "give all of them, or none",
        )
    return bool(given)


def protection(args: Mapping[str, Any]) -> bool:
    """Whether ``protect`` is asked for. Raises :class:`Refusal` (``spec.wrong-type``) where it is no truth value."""
    value = args.get("protect")
    if value is not None and not isinstance(value, bool):
        refuse("spec.wrong-type", f"{value!r} is not true or false", "true, or false", where="protect")
    return bool(value)


def pick(args: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Those of ``names`` that are given, as a mapping."""
    return {name: args[name] for name in names if args.get(name) is not None}


def scope_of(component: pulumi.ComponentResource, name: str, cloud: Cloud, region: str) -> Scope:
    """The scope for a component's children: the provider that the user handed in, else one for the region."""
    given = component.get_provider(f"{cloud.package}:index:any")
    provider = given or regional_provider(name, cloud, region, component)
    return Scope(parent=component, provider=provider, region=region)


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


def plain_only(args: Mapping[str, Any], names: Mapping[str, Any]) -> None:
    """Refuse Outputs where a value is needed before anything is made (the machine type depends on it)."""
    findings = [
        Finding(
            "spec.output-not-plain",
            f"the argument {key!r} is an Output, and its value is needed to plan",
            "a plain value, such as one from pulumi.Config",
        )
        for key in names
        if isinstance(args.get(key), pulumi.Output)
    ]
    if findings:
        raise Refusal(findings)


def publish(component: pulumi.ComponentResource, outputs: Mapping[str, Any]) -> None:
    """Set the outputs as attributes of the component, and register them under the names that other languages use."""
    for name, value in outputs.items():
        setattr(component, name, value)
    component.register_outputs({camel(name): value for name, value in outputs.items()})


def camel(name: str) -> str:
    """``hourly_price`` as ``hourlyPrice``."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
