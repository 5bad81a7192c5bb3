"""Where the harness is that boots simulated instances. It is no part of the package: a checkout has it, for the tests.

The harness (`tools/boot/llm_boot`) builds namespaces, mounts and machines as root, and runs from what
`tools/fetch boot` made: none of that belongs on the machine of somebody who installed a wheel.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

HARNESS = "llm_boot"
CHECKOUT = Path(__file__).parents[3] / "tools" / "boot"
"""Where a checkout has it; in an installed package there is no such folder."""


def part(name: str) -> ModuleType:
    """A module of the harness. Raises Refusal ``boot.no-harness`` where there is none."""
    if importlib.util.find_spec(HARNESS) is None:
        if not (CHECKOUT / HARNESS).is_dir():
            raise Refusal(
                [
                    Finding(
                        "boot.no-harness",
                        _("machines are booted by a harness for tests, which is not part of the installed package"),
                        _("run it from a checkout of pulumi-llm, which has it; `sim` without --boot runs anywhere"),
                    )
                ]
            )
        sys.path.append(str(CHECKOUT))
        importlib.invalidate_caches()
    return importlib.import_module(f"{HARNESS}.{name}")
