"""The role of a machine, by which it may stop itself or start others, and do nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_llm._dataclasses import dataclass

if TYPE_CHECKING:
    import pulumi


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRole:
    """A role that a machine may take on. What it may do is said once the machines are there."""

    id: pulumi.Output[str]
    """What a policy is attached to."""
    name: pulumi.Output[str]
    at_launch: pulumi.Output[str] | None = None
    """What a machine is given as its role; None: it is attached to the machine that is there."""
