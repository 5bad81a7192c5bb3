"""A property's type, evaluated where a plan has a value of it: a machine has sixty properties, and a stack sets ten."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi import Output, _types
from pulumi.runtime import rpc

from pulumi_llm._sparse_types import offered

_NEEDED = (
    "_globals_for_cls",
    "_py_properties",
    "_types_from_annotations",
    "_types_from_py_properties",
    "get_type_hints",
    "is_input_type",
    "resource_types",
    "unwrap_type",
)
_sdk: Any = _types


class PropertyTypes(Mapping[str, Any]):
    """What the SDK's `_types_from_py_properties` returns for a class: Pulumi's names of its properties to their types.

    The SDK asks for one name after the other. An annotation that several properties share, such as a text's, is
    evaluated once.
    """

    def __init__(self, cls: type) -> None:
        self._cls = cls
        self._getters = {name: prop.fget for __, name, prop in _sdk._py_properties(cls)}
        self._found: dict[str, Any] = {}
        self._by_annotation: dict[int, tuple[Any, Any]] = {}

    @functools.cached_property
    def _globals(self) -> Any:
        return _sdk._globals_for_cls(self._cls)

    @functools.cached_property
    def _enums(self) -> Mapping[str, Any]:
        """Enumerations as texts, for inputs: no value is sent another way for them. AWS's list of machines has 900."""
        module = sys.modules.get(f"{self._cls.__module__.rpartition('.')[0]}._enums")
        return dict.fromkeys(offered(module), str) if module is not None and _sdk.is_input_type(self._cls) else {}

    def get(self, key: str, default: Any = None) -> Any:
        """The type of a property, if it is known."""
        if key not in self._found:
            getter = self._getters.get(key)
            self._found[key] = None if getter is None else self._type(getter)
        found = self._found[key]
        return default if found is None else found

    def _type(self, getter: Any) -> Any:
        annotations = getattr(getter, "__annotations__", {})
        written = annotations.get("return") if list(annotations) == ["return"] else None
        # By identity, as equal ones may differ in the order of their parts. It is kept: so its number stays its own.
        if written is not None and id(written) in self._by_annotation:
            return self._by_annotation[id(written)][1]
        # As the SDK evaluates them: `Output` stands in one of its own annotations, and "T" in two.
        names = {**self._enums, "Output": Output, "T": type(None)}
        hint = _sdk.get_type_hints(getter, globalns=self._globals, localns=names).get("return")
        found = None if hint is None else _sdk.unwrap_type(hint)
        if found is Output:  # of anything
            found = None
        if written is not None:
            self._by_annotation[id(written)] = written, found
        return found

    def __getitem__(self, key: str) -> Any:
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._getters if self.get(name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


_properties = functools.cache(PropertyTypes)  # the SDK keeps what it finds of a class for ever, too


@contextlib.contextmanager
def types_when_asked() -> Iterator[None]:
    """Meanwhile the SDK evaluates a property's type when it has a value of it, and takes no note of those without one.

    Where the SDK is made another way one day, nothing is changed.
    """
    if not all(hasattr(_sdk, name) for name in _NEEDED):
        yield
        return
    usual, of_resources, annotated = _sdk._types_from_py_properties, _sdk.resource_types, _sdk._types_from_annotations
    serialize = rpc.serialize_properties

    def resource_types(cls: type) -> Mapping[str, Any]:
        given = annotated(cls)
        return {**given, **_properties(cls)} if given else _properties(cls)

    async def serialize_properties(inputs: Any, *rest: Any, **named: Any) -> Any:
        # None is left out by the SDK too, after it was looked at.
        given = ((key, inputs[key]) for key in inputs)
        return await serialize({key: value for key, value in given if value is not None}, *rest, **named)

    _sdk._types_from_py_properties = _properties
    _sdk.resource_types = resource_types
    rpc.serialize_properties = serialize_properties
    try:
        yield
    finally:
        _sdk._types_from_py_properties, _sdk.resource_types = usual, of_resources
        rpc.serialize_properties = serialize
