"""YAML that other people wrote: whatever is wrong with it is a :data:`YAMLError`, and none of it runs without end.

There are two readers, as two programs read what we look at, and differ (`yes`, `0644`, `22:30`): ``_engine_yaml`` reads
as Pulumi does, and whatever a person writes for us; :func:`load` reads as PyYAML does, which is how cloud-init reads
user data. Only these two modules know the parser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_llm._texts import _

if TYPE_CHECKING:
    import yaml

    YAMLError = yaml.YAMLError
    BadCharacter = yaml.reader.ReaderError
    """A :data:`YAMLError` for a character that no text has."""

MOST_NODES = 1_000_000
"""Values that a text may hold, those that an alias repeats counted each time. User data has some hundred."""


def __getattr__(name: str) -> Any:
    # PyYAML comes when something is read with it, or goes wrong: most of what we read is read without.
    if name not in ("YAMLError", "BadCharacter"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import yaml

    return yaml.YAMLError if name == "YAMLError" else yaml.reader.ReaderError


def load(text: str, loader: type[yaml.SafeLoader] | None = None) -> Any:
    """What a text holds.

    Raises:
        yaml.YAMLError: it is not YAML, or more than :data:`MOST_NODES` values. PyYAML itself says so of a date that
            there is not, and of an endless number, with a ValueError, and of lists in lists in lists with a
            RecursionError.
    """
    import yaml

    reading = None
    try:
        reading = (loader or yaml.SafeLoader)(text)
        node = reading.get_single_node()
        if node is None:
            return None
        _bounded(node, {})
        return reading.construct_document(node)
    except (ValueError, RecursionError) as wrong:
        raise yaml.YAMLError(str(wrong)) from None
    finally:
        if reading is not None:
            reading.dispose()


def dump(document: Any, width: int = 120) -> str:
    """A document as text, its keys in order, to be looked at: `_engine_yaml.dump` writes for the engine."""
    import yaml

    return str(yaml.safe_dump(document, sort_keys=True, width=width))


def _bounded(node: yaml.Node, sizes: dict[int, int]) -> int:
    """How many values a node holds once every alias is written out, without writing them out."""
    import yaml

    known = sizes.get(id(node))
    if known is not None:
        return known
    sizes[id(node)] = 1  # one that holds itself: PyYAML makes a value that does too
    children = [each for pair in node.value for each in pair] if isinstance(node, yaml.MappingNode) else ()
    if isinstance(node, yaml.SequenceNode):
        children = node.value
    size = 1 + sum(_bounded(each, sizes) for each in children)
    if size > MOST_NODES:
        raise yaml.YAMLError(_("its aliases stand for more values than anything here needs"))
    sizes[id(node)] = size
    return size
