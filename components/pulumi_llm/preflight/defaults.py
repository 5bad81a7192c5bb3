"""What is taken where nothing is said."""

from __future__ import annotations

DEFAULT_CONTEXT = 8192
"""Tokens that are served where no context length is given and the model can do more."""
