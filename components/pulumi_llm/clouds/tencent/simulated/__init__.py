"""What Tencent Cloud refuses and fills in when it is simulated. Its look-ups are in `lookups`."""

from . import clusters, functions, instance, names, near, network, roles, snapshots  # they register their rules
from .common import RULES

__all__ = ["RULES", "clusters", "functions", "instance", "names", "near", "network", "roles", "snapshots"]
