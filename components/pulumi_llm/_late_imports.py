"""Parts of the Pulumi SDK that `import pulumi` brings and a plan does not use, imported when they are first named.

The automation API starts engines, dynamic providers pickle classes, and the instrumentation traces calls to an engine:
with what they import, they are a third of the SDK's import. They come as Python's own lazy modules, which are run by
the first question for anything in them. Where an engine that traces started this process, the instrumentation comes at
once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

INSTRUMENTATION = "pulumi.runtime._instrumentation"
MODULES = frozenset({"pulumi.automation", "pulumi.dynamic", INSTRUMENTATION})


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in MODULES or (fullname == INSTRUMENTATION and "TRACEPARENT" in os.environ):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


def install() -> None:
    """Have them come late in this process, if they have not come yet."""
    if "pulumi" not in sys.modules and not any(isinstance(each, _Finder) for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
