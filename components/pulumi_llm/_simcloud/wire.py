"""The engine's protocol modules, and property structs to and from plain dicts.

``pulumi.runtime.proto`` is loaded without running ``pulumi/__init__``: six plugins start for every preview, and the
SDK's import would cost each of them half a second and 40 MB that it does not need. The real package takes its place
as soon as somebody imports it (:func:`restore`).
"""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

from pulumi_llm._provider_facts.values import Props

_PARTS = ("pulumi", "pulumi.runtime", "pulumi.runtime.proto")
_stand_ins: list[str] = []


def _stand_in() -> None:
    spec = importlib.util.find_spec("pulumi")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the pulumi package is not installed", name="pulumi")
    root = Path(spec.origin).parent
    for name in _PARTS:
        module = types.ModuleType(name)
        module.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = module
        _stand_ins.append(name)


def restore() -> None:
    """Take the stand-ins away, so that the next ``import pulumi`` runs the real package."""
    while _stand_ins:
        sys.modules.pop(_stand_ins.pop(), None)


if "pulumi" not in sys.modules:
    _stand_in()

from google.protobuf import empty_pb2, struct_pb2  # noqa: E402
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc  # noqa: E402

__all__ = [
    "empty_pb2",
    "from_struct",
    "plugin_pb2",
    "provider_pb2",
    "provider_pb2_grpc",
    "restore",
    "struct_pb2",
    "to_struct",
]


def from_struct(struct: Any) -> Props:
    """A property struct as a dict; whole numbers become ints."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def _from_value(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return from_struct(value.struct_value)
    if kind == "list_value":
        return [_from_value(each) for each in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    return None if kind in (None, "null_value") else getattr(value, kind)


def to_struct(values: Props) -> Any:
    """A dict as a property struct."""
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct
