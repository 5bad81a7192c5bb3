"""What a resource takes and gives, by reflection over the installed cloud SDKs.

A schema is plain data, so it can be cached on disk (``$PULUMI_LLM_CACHE_DIR``, else the user's cache directory): the
second process that needs a type reads a small JSON file instead of importing an SDK of tens of megabytes.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import inspect
import json
import os
import tempfile
import textwrap
import threading
import typing
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pulumi_llm import _entry_points

from . import packages, sdk_of

FORMAT = 1  # of the cached files

_importing = threading.Lock()

before_import: list[Callable[[], None]] = []
"""Called before an SDK is imported."""

Schema = dict[str, Any]
"""``inputs`` (name -> type), ``required``, ``outputs``, ``secrets``. A type is a word (``string``, ``int``, ``number``,
``bool``, ``any``, ``asset``) or ``{"list": T}``, ``{"map": T}``, ``{"object": {name: T}, "required": [...]}``."""


class MissingSdk(Exception):  # noqa: N818 - says what is missing
    """The SDK of a package is not installed. The message says how to install it."""


def describe(token: str) -> Schema | None:
    """The schema of a resource type (``aws:ec2/vpc:Vpc``), ``None`` where the SDK has no such type.

    ``pulumi:providers:<package>`` is the package's provider. Raises :class:`MissingSdk`.
    """
    found: Schema | None = _cached(token)
    return found


@functools.cache
def _cached(token: str) -> Schema | None:
    package = package_of(token)
    file = _cache_file(package, token)
    with contextlib.suppress(OSError, ValueError):
        found: Schema | None = json.loads(file.read_text(encoding="utf-8"))
        return found
    with _importing, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of other types in the same module
        made = reflect(token)
    with contextlib.suppress(OSError):  # a cache that cannot be written only costs time
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf-8") as out:
            json.dump(made, out)
        Path(out.name).replace(file)
    return made


def package_of(token: str) -> str:
    """The Pulumi package of a type token."""
    first, _, rest = token.partition(":")
    return rest.rsplit(":", 1)[-1] if first == "pulumi" else first


def sdk_version(package: str) -> str:
    """The version of the installed SDK of ``package``. Raises :class:`MissingSdk`."""
    sdk = sdk_of(package)
    if sdk is None:
        raise MissingSdk(f"there is no simulated package {package!r}; there are {', '.join(packages())}")
    distribution = sdk[1]
    found = _version(distribution)
    if found is None:
        raise MissingSdk(
            f"the simulated {package} cloud reads its resource types from {distribution}, which is not installed; "
            f"try: pip install {distribution}"
        )
    return found


@functools.cache
def _version(distribution: str) -> str | None:
    return _entry_points.version(distribution)  # asked for with each type


def cache_directory() -> Path:
    """Where schemas are kept: ``$PULUMI_LLM_CACHE_DIR``, else ``pulumi-llm`` in the user's cache directory."""
    if chosen := os.environ.get("PULUMI_LLM_CACHE_DIR"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pulumi-llm"


def _cache_file(package: str, token: str) -> Path:
    name = token.replace("/", ".").replace(":", "_") + ".json"
    return cache_directory() / "schemas" / f"{package}-{sdk_version(package)}-{FORMAT}" / name


@functools.cache
def tokens(package: str) -> dict[str, tuple[str, str]]:
    """Every resource type of a package's SDK: token -> (module, class), from the SDK's own registration table."""
    sdk_version(package)
    for each in before_import:
        each()
    sdk = sdk_of(package)
    assert sdk is not None  # noqa: S101 - sdk_version refuses such a package
    root = importlib.import_module(sdk[0])
    source = inspect.getsource(root)
    table = source[source.index("resource_modules=") :].split('"""')[1]
    found = {token: (module["fqn"], cls) for module in json.loads(table) for token, cls in module["classes"].items()}
    found[f"pulumi:providers:{package}"] = (root.__name__, "Provider")
    return found


def reflect(token: str) -> Schema | None:
    """The schema of ``token`` straight from the SDK, without the cache. Raises :class:`MissingSdk`."""
    for each in before_import:
        each()
    from pulumi import _types

    place = tokens(package_of(token)).get(token)
    if place is None:
        return None
    module = importlib.import_module(place[0])
    resource = getattr(module, place[1])
    # Where a nested type is called as the resource is, the generator calls the resource's own arguments otherwise.
    arguments = getattr(module, f"{place[1]}InitArgs", None) or getattr(module, f"{place[1]}Args")
    outputs = _types.resource_py_to_pulumi_names(resource)
    tree = ast.parse(textwrap.dedent(inspect.getsource(resource._internal_init)))
    secrets: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "additional_secret_outputs":
            secrets += ast.literal_eval(node.value)
    described = _object(arguments, ())
    return {
        "inputs": described["object"],
        "required": described["required"],
        "outputs": sorted(outputs.values()),
        "secrets": sorted(secrets),
    }


def _object(cls: type, seen: tuple[type, ...]) -> dict[str, Any]:
    from pulumi import _types

    names = _types.input_type_py_to_pulumi_names(cls)
    parameters = inspect.signature(vars(cls)["__init__"]).parameters.values()
    return {
        "object": {name: _type(kind, (*seen, cls)) for name, kind in _types.input_type_types(cls).items()},
        "required": [
            names.get(each.name, each.name)
            for each in parameters
            if each.name not in ("__self__", "self") and each.default is inspect.Parameter.empty
        ],
    }


def _type(kind: Any, seen: tuple[type, ...]) -> Any:
    import enum

    import pulumi

    simple = {str: "string", int: "int", float: "number", bool: "bool"}
    if kind in simple:
        return simple[kind]
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Union:
        kept = [each for each in args if each is not type(None) and not _wrapper(each)]
        assets = {pulumi.Asset, pulumi.Archive}
        if kept and all(each in assets for each in kept):
            return "asset"
        plain = [each for each in kept if not (inspect.isclass(each) and issubclass(each, enum.Enum))]
        if int in plain and str in plain:  # a port by its number or its name, as Kubernetes has it
            return "any"
        return _type((plain or kept)[0], seen) if kept else "any"
    if origin is not None and inspect.isclass(origin):
        if issubclass(origin, typing.Mapping):
            return {"map": _type(args[1], seen)}
        if issubclass(origin, typing.Sequence):
            return {"list": _type(args[0], seen)}
    if inspect.isclass(kind):
        if issubclass(kind, pulumi.Asset | pulumi.Archive):
            return "asset"
        if issubclass(kind, enum.Enum):
            first = next(iter(kind)).value
            return simple.get(type(first), "any")
        if getattr(kind, "_pulumi_type", None) or hasattr(kind, "_pulumi_input_type") or _is_input(kind):
            return "any" if kind in seen else _object(kind, seen)
    return "any"


def _is_input(kind: type) -> bool:
    from pulumi import _types

    return bool(_types.is_input_type(kind))


def _wrapper(kind: Any) -> bool:
    """Whether a member of a union is only the Awaitable or the Output of the real type."""
    import collections.abc

    import pulumi

    origin = typing.get_origin(kind) or kind
    return origin in (collections.abc.Awaitable, pulumi.Output)
