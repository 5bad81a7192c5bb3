"""The YAML of Pulumi.yaml and of stack files, read as the engine reads it.

The engine reads with Go's yaml.v3 (``resolve.go`` and ``decode.go`` of v3.0.1), which is YAML 1.2 with some of 1.1:
``yes``, ``on`` and ``22:30`` are texts, ``007`` and ``0o7`` are seven, ``1e3`` is a thousand. Then the engine makes
JSON of what it read (``sdk/go/common/resource/config/object.go`` of pulumi 3.259): a date becomes the text
``2026-01-01 00:00:00 +0000 UTC``, a whole number with a point becomes one without, every key becomes a text. What
neither takes is refused here too: a key twice, a number without end, a value that holds itself, aliases that stand for
more than the document.
"""

from __future__ import annotations

import functools
from typing import Any

from pulumi_llm import _plain_yaml
from pulumi_llm._engine_scalars import to_text

__all__ = ["dump", "load", "to_text"]


def load(text: str) -> Any:
    """What a text holds: None, booleans, integers, floats, texts, lists, and dicts whose keys are texts.

    Raises:
        yaml.YAMLError: the engine would not take it either, or it is nested too deeply for this reader.
    """
    return _copied(_loaded(text))


@functools.lru_cache(maxsize=8)
def _loaded(text: str) -> Any:
    # A comparison reads the same Pulumi.yaml six times.
    try:
        return _plain_yaml.read(text)
    except _plain_yaml.NotPlainError:
        from pulumi_llm import _composed_yaml  # with PyYAML, whose import takes longer than most files do

        return _composed_yaml.load(text)


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value


def dump(document: Any) -> str:
    """A document as YAML that the engine reads as the same document."""
    from pulumi_llm import _composed_yaml

    return _composed_yaml.dump(document)
