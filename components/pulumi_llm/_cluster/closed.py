"""Objects of a closed schema: what no class has a field for cannot be written, and so not misspelt."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]
"""An object, or a part of one, as Kubernetes or a chart reads it."""


def plain(value: Any) -> Any:
    """Dataclasses as mappings by the names that their reader knows; what is None is left out.

    A field is called as it is there, but for those whose name Python cannot spell: their metadata has it.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = (
            (each.metadata.get("name", each.name), getattr(value, each.name)) for each in dataclasses.fields(value)
        )
        return {name: plain(found) for name, found in named if found is not None}
    if isinstance(value, Mapping):
        return {str(key): plain(found) for key, found in value.items()}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return value
