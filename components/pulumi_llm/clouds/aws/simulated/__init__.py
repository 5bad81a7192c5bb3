"""What AWS refuses and fills in when it is simulated. Its look-ups are in `lookups`."""

from . import attached, clusters, instance, near, network, snapshots, starts  # they register their rules
from .common import RULES

__all__ = ["RULES", "attached", "clusters", "instance", "near", "network", "snapshots", "starts"]
