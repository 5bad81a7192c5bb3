"""Any YAML that the engine takes, composed with PyYAML; what is written plainly needs none: :mod:`_plain_yaml`."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import yaml

from pulumi_llm._engine_scalars import key_text, resolved, shortened

_PREFIX = "tag:yaml.org,2002:"
_LOW, _HIGH = 400_000, 4_000_000


def load(text: str) -> Any:
    """What a text holds. Raises :class:`yaml.YAMLError`."""
    try:
        reading = _Reader(text)
        node = reading.get_node() if reading.check_node() else None
        return None if node is None else _Maker().value(node)
    except (ValueError, RecursionError) as wrong:
        why = "it is nested too deeply" if isinstance(wrong, RecursionError) else str(wrong)
        raise yaml.YAMLError(why) from None


def dump(document: Any) -> str:
    """A document as YAML that the engine reads as the same document."""
    return str(yaml.dump(document, Dumper=_Writer, sort_keys=False, allow_unicode=True))


class _Alias(yaml.Node):
    """An alias in the document, which PyYAML would replace by what it stands for."""

    def __init__(self, node: yaml.Node, start: Any, end: Any) -> None:
        super().__init__("", node, start, end)


class _Reader(yaml.SafeLoader):
    """Composes nodes that say what is written: an alias is one, and a scalar's tag is empty where none is given."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event() if self.check_event(yaml.AliasEvent) else None  # type: ignore[no-untyped-call]
        node = super().compose_node(parent, index)
        return node if event is None or node is None else _Alias(node, event.start_mark, event.end_mark)

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        node = super().compose_scalar_node(anchor)
        node.tag = ("" if event.implicit[0] else "str") if event.tag in (None, "!") else event.tag
        return node


class _Maker:
    """Makes values of nodes, and counts as yaml.v3 does what comes from aliases."""

    def __init__(self) -> None:
        self.made = self.by_alias = 0
        self.open: list[int] = []

    def value(self, node: yaml.Node) -> Any:
        self.made += 1
        self.by_alias += bool(self.open)
        if self.by_alias > 100 and self.made > 1000 and self.by_alias / self.made > _allowed(self.made):
            raise _wrong(node, "document contains excessive aliasing")
        if isinstance(node, _Alias):
            return self._aliased(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(each) for each in node.value]
        return self._mapping(node) if isinstance(node, yaml.MappingNode) else _scalar(node)

    def _aliased(self, alias: _Alias) -> Any:
        if id(alias.value) in self.open:
            raise _wrong(alias, "an anchor's value contains itself")
        self.open.append(id(alias.value))
        found = self.value(alias.value)
        self.open.pop()
        return found

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        seen: set[str] = set()
        found: dict[str, Any] = {}
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                # By what is written: 1 and "1" are one key, 1 and 0x1 are two, the later of which stays.
                if key.value in seen:
                    raise _wrong(key, f"the key {key.value!r} is there twice")
                seen.add(key.value)
                if key.value == "<<":
                    merged.append(value)
                    continue
            name = self.value(key)
            if isinstance(name, (list, dict)):
                raise _wrong(key, "a list or a mapping cannot be a key")
            found[key_text(name)] = self.value(value)
        for each in merged:
            for more in self._to_merge(each):
                found |= {key: value for key, value in more.items() if key not in found}
        return found

    def _to_merge(self, node: yaml.Node) -> list[dict[str, Any]]:
        wanted = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for each in wanted:
            if not isinstance(each.value if isinstance(each, _Alias) else each, yaml.MappingNode):
                raise _wrong(each, "`<<` takes a mapping or a list of mappings")
        return [self.value(each) for each in wanted]


def _allowed(made: int) -> float:
    if made <= _LOW:
        return 0.99
    return 0.10 if made >= _HIGH else 0.99 - 0.89 * (made - _LOW) / (_HIGH - _LOW)


def _scalar(node: yaml.Node) -> Any:
    asked, text = node.tag.removeprefix(_PREFIX), node.value
    if asked == "binary":
        try:
            return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
        except binascii.Error:
            raise _wrong(node, "!!binary value contains invalid base64 data") from None
    if asked not in ("", "bool", "int", "float", "null", "timestamp"):
        return text
    kind, value = resolved(text, asked in ("", "timestamp"))
    if asked == "float" and kind == "int":
        return value
    if asked not in ("", kind):
        raise _wrong(node, f"cannot decode {kind} `{text}` as {asked}")
    return shortened(kind, value)


def _wrong(node: yaml.Node, why: str) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, why, node.start_mark)


class _Writer(yaml.SafeDumper):
    """Puts a text in quotes wherever the engine would take it for something else."""


def _quoted(dumper: _Writer, text: str) -> yaml.Node:
    style = '"' if resolved(text, dates=True)[0] != "str" or text == "<<" else None
    return dumper.represent_scalar(f"{_PREFIX}str", text, style)


_Writer.add_representer(str, _quoted)
