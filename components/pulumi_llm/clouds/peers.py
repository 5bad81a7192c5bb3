"""A firewall that several machines of a server share, by which they reach each other and nobody else reaches them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pulumi

from pulumi_llm.clouds.base import Scope

TEXT = "machines of this group alone: one model's engines"
"""Why the ports are open."""


class Peers(Protocol):
    """What a cloud can of `Capability.NODES`."""

    def peers(
        self,
        name: str,
        vpc_id: pulumi.Input[str],
        ports: tuple[int, int],
        tags: Mapping[str, str],
        scope: Scope,
    ) -> pulumi.Output[str]:
        """A firewall whose members reach each other at these ports (TCP, from and to), by private addresses.

        It opens nothing to anybody else, and closes nothing that a member's own firewall opens. Gives its id.
        """
        ...
