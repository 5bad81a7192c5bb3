"""Which fleet the tests hold against Kubernetes: one function to point at what renders it."""

from __future__ import annotations

from tests.fleet.api import Object
from tests.fleet.objects import small_fleet


def fleet_objects(replicas: int = 2) -> list[Object]:
    """All objects of a fleet with so many engines of one GPU each, in the order in which they are applied.

    They name no namespace, or the one that `Api.apply` is given.
    """
    return small_fleet(replicas)
