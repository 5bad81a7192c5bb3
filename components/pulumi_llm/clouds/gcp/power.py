"""Stopping and starting Google Cloud's machines, by the Compute API. It never charges for a machine that stands still.

Its disks and its address are charged for. Both calls are taken at once, and give an operation in which stands how they
ended (compute v1, instances.stop, instances.start and zoneOperations.get, read 2026-11-29).
"""

from __future__ import annotations

import re
from typing import Any

from pulumi_llm._power.base import NO_CREDENTIALS, NO_SDK, Seen, State
from pulumi_llm._refresh.calls import Failure
from pulumi_llm._texts import _
from pulumi_llm.clouds.gcp import account

ACTIONS = {"look": "compute.instances.get", "stop": "compute.instances.stop", "start": "compute.instances.start"}
STATES: dict[str, State] = {
    "PROVISIONING": "starting",
    "STAGING": "starting",
    "RUNNING": "running",
    "REPAIRING": "starting",
    "STOPPING": "stopping",
    "PENDING_STOP": "stopping",
    "TERMINATED": "stopped",
}
"""By `Instance.Status` of google-cloud-compute; a machine that is stopped is TERMINATED there."""
MACHINE = re.compile(r"projects/[^/]+/zones/[^/]+/instances/[^/]+")


def connect(region: str) -> _Region:
    """The machines of a region. Raises Refusal ``power.no-sdk`` or ``power.no-credentials``."""
    return _Region(account.session(NO_SDK, NO_CREDENTIALS))


class _Region:
    def __init__(self, session: Any) -> None:
        self.session = session
        self.orders: dict[str, str] = {}
        """The last operation on each machine, by its relative name."""

    def look(self, machine: str) -> Seen | None:
        if not MACHINE.fullmatch(machine):
            return None
        try:
            found = account.call(self.session, "GET", machine)
        except Failure as failure:
            if failure.code == "notFound":
                return None
            raise
        state = STATES.get(str(found.get("status")), "other")
        return Seen(state=state, unfit=_unfit(found), trouble=self._trouble(machine))

    def stop(self, machine: str) -> None:
        self._order(machine, "stop")

    def start(self, machine: str) -> None:
        self._order(machine, "start")

    def _order(self, machine: str, action: str) -> None:
        name = account.call(self.session, "POST", f"{machine}/{action}").get("name")
        if name:
            self.orders[machine] = f"{machine.rpartition('/instances/')[0]}/operations/{name}"

    def _trouble(self, machine: str) -> str:
        """The cloud's words for an order that it took and did not finish."""
        operation = self.orders.get(machine)
        if operation is None:
            return ""
        found = account.call(self.session, "GET", operation)
        errors = (found.get("error") or {}).get("errors") or []
        return "; ".join(f"{each.get('code')}: {each.get('message', '')}" for each in errors)


def _unfit(found: Any) -> str:
    if any(each.get("type") == "SCRATCH" for each in found.get("disks") or ()):
        return _("it has a local disk ({kind})", kind="SCRATCH")
    return ""
