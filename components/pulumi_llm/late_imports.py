"""Parts of the Pulumi SDK that `import pulumi` brings and a plan does not use, imported when they are first named.

The automation API starts engines, and dynamic providers pickle classes: with what both import, they are a fifth of the
SDK's import. They come as Python's own lazy modules, which are run by the first question for anything in them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

MODULES = frozenset({"pulumi.automation", "pulumi.dynamic"})


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in MODULES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


def install() -> None:
    """Have them come late in this process, if they have not come yet."""
    if "pulumi" not in sys.modules and not any(isinstance(each, _Finder) for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
