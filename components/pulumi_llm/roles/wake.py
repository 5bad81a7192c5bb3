"""Starting further machines: which ones there are, and how many starts a day."""

from __future__ import annotations

import json

from pulumi_llm.roles.base import UNITS, Role, Row, file_row, told
from pulumi_llm.roles.files import text
from pulumi_llm.roles.requests import NodeRequest, WakeRole

SHARED = ("leave_clouds.py", "leave_signing.py")
"""How a cloud is asked, which the program that stops a machine has too."""


class Wake(Role):
    """The program that starts them, its socket, and its settings."""

    def files(self, node: NodeRequest) -> list[Row]:
        """Its command, its units, and which machines it may start."""
        asked, unit = told("wake", node.of(WakeRole)), str(self.unit)
        settings = {
            "cloud": node.cloud,
            "machines": dict(asked.machines),
            "most": asked.most,
            "sold_out": asked.sold_out,
        }
        socket = unit.replace(".service", ".socket")
        return [
            file_row("/opt/llm/bin/llm-wake", self.text("llm-wake"), unit, mode="0755"),
            file_row("/opt/llm/wake.json", json.dumps(settings, indent=1) + "\n", unit),
            file_row(f"{UNITS}/{socket}", self.text(socket), socket, unit),
            file_row(f"{UNITS}/{unit}", self.filled(f"{unit}.j2", node), unit),
        ]

    def code(self) -> dict[str, str]:
        """Its own module, and those that it shares with the program that stops a machine."""
        return {**super().code(), **{f"llm_node/{name}": text(f"leave/stages/{name}") for name in SHARED}}
