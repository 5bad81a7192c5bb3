"""YAML that other people wrote: whatever is wrong with it is a ``yaml.YAMLError``."""

from __future__ import annotations

from typing import Any

import yaml


def load(text: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    """What a text holds.

    Raises:
        yaml.YAMLError: it is not YAML. PyYAML itself says so of a date that there is not, and of an endless number,
            with a ValueError, and of lists in lists in lists with a RecursionError.
    """
    try:
        return yaml.load(text, loader)  # noqa: S506 - a safe loader
    except (ValueError, RecursionError) as wrong:
        raise yaml.YAMLError(str(wrong)) from None
