"""What Azure refuses and fills in when it is simulated. It has no look-ups: the SDK finds no images."""

from . import machine, network  # they register their rules
from .common import RULES

__all__ = ["RULES", "machine", "network"]
