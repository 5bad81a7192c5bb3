"""What the engine's protocol carries as protobuf structs, as Python data and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from google.protobuf import struct_pb2


def plain(message: struct_pb2.Struct) -> dict[str, Any]:
    """A protobuf struct as Python data; whole numbers come out as ints.

    Its keys are in alphabetical order, as the engine shows them: protobuf's own order differs from process to process.
    """
    fields = message.fields
    return {key: _value(fields[key]) for key in sorted(fields)}


def trigger(request: Any) -> str:
    """The request's replacement trigger as text; empty where there is none."""
    if not request.HasField("replacement_trigger"):
        return ""
    value = _value(request.replacement_trigger)
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return plain(value.struct_value)
    if kind == "list_value":
        return [_value(each) for each in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind in (None, "null_value"):
        return None
    return getattr(value, kind)


def struct(data: Mapping[str, Any]) -> struct_pb2.Struct:
    """Python data as a protobuf struct."""
    message = struct_pb2.Struct()
    message.update(data)
    return message
