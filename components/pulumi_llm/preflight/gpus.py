"""Which GPUs the release of vLLM has no kernels for, whatever they are asked to run."""

from __future__ import annotations

from functools import cache

from pulumi_llm import catalog
from pulumi_llm.catalog.rows import Gpu
from pulumi_llm.preflight.engine import Engine


def too_old(gpu: Gpu, release: Engine) -> bool:
    """Whether the release has no kernels for a GPU, whatever it is asked to run."""
    return not gpu.tpu and gpu.capability < release.min_capability


def lacks_arm_kernels(gpu: Gpu, release: Engine) -> bool:
    """Whether a GPU comes with ARM processors alone, and the wheels for these have no kernels for it."""
    return gpu.capability < release.arm_min_capability and _only_on_arm(gpu.name)


@cache
def _only_on_arm(gpu: str) -> bool:
    known = catalog.load()
    # Cloud by cloud: for most GPUs the first one's files answer.
    arches = (row.arch for cloud in known.clouds for row in known.instances_of(cloud).values() if row.gpu == gpu)
    first = next(arches, None)
    return first == "arm64" and all(each == "arm64" for each in arches)
