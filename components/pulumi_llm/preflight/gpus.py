"""Which GPUs the release of vLLM has no kernels for, whatever they are asked to run."""

from __future__ import annotations

from functools import cache

from pulumi_llm import catalog
from pulumi_llm.catalog.rows import Gpu
from pulumi_llm.preflight.engine import Engine


def too_old(gpu: Gpu, release: Engine) -> bool:
    """Whether the release has no kernels for a GPU, whatever it is asked to run."""
    return gpu.capability < release.min_capability


def lacks_arm_kernels(gpu: Gpu, release: Engine) -> bool:
    """Whether a GPU comes with ARM processors alone, and the wheels for these have no kernels for it."""
    return gpu.capability < release.arm_min_capability and _only_on_arm(gpu.name)


@cache
def _only_on_arm(gpu: str) -> bool:
    arches = {row.arch for row in catalog.load().instances if row.gpu == gpu}
    return arches == {"arm64"}
