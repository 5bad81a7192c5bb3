"""What Vultr refuses and fills in when it is simulated. Its look-ups are in `lookups`."""

from . import instance, network  # they register their rules
from .common import RULES

__all__ = ["RULES", "instance", "network"]
