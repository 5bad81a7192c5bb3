"""The shipped stacks by their names: those of one machine with a proxy, and the steps beyond one machine."""

from __future__ import annotations

from pathlib import Path

from pulumi_llm._plan.project import find

ROOT = Path(__file__).parents[1]
FLEET = "aws-fleet"
STEPS = ("aws-replicas", "aws-nodes", FLEET)
"""Replicas, one model over several machines, and a fleet on Kubernetes: tests/engine/test_steps.py runs them."""
EVERY = tuple(find(ROOT).stacks())
STACKS = tuple(each for each in EVERY if each not in STEPS)
PLATFORMS = tuple(each for each in EVERY if each != FLEET)
