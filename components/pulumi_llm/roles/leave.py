"""Stopping by itself: when, in which hours, and what on the node keeps it running."""

from __future__ import annotations

import json

from pulumi_llm.roles import order
from pulumi_llm.roles.base import UNITS, Role, Row, file_row, told
from pulumi_llm.roles.requests import LeaveRole, NodeRequest

SSH = 22


class Leave(Role):
    """The program that stops the machine, and its settings."""

    def files(self, node: NodeRequest) -> list[Row]:
        """Its command, its unit, and when it shall act."""
        unit = str(self.unit)
        return [
            file_row("/opt/llm/bin/llm-leave", self.text("llm-leave"), unit, mode="0755"),
            file_row("/opt/llm/leave.json", json.dumps(self._settings(node), indent=1) + "\n", unit),
            file_row(f"{UNITS}/{unit}", self.filled(f"{unit}.j2", node), unit),
        ]

    def _settings(self, node: NodeRequest) -> Row:
        asked = told("leave", node.of(LeaveRole))
        # The gateway counts its own calls; of other services it is known who is connected, and so of a log-in.
        ports = {
            port for role in order.listed(node) if role.name != "gateway" for port, __ in role.listeners(node).values()
        }
        settings: Row = {"cloud": node.cloud, "spot": asked.spot, "ports": sorted({*ports, SSH})}
        if asked.idle_minutes is not None:
            settings["idle_minutes"] = asked.idle_minutes
        if asked.windows:
            settings["hours"] = {"zone": asked.zone, "windows": [list(each) for each in asked.windows]}
        return settings
