"""`python -m bench`: every benchmark, each against its goal."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import bench


def main() -> int:
    wanted = set(sys.argv[1:])
    for each in sorted(pkgutil.iter_modules(bench.__path__), key=lambda module: module.name):
        if each.name.startswith("_") or (wanted and each.name not in wanted):
            continue
        print(f"== {each.name}", flush=True)
        importlib.import_module(f"bench.{each.name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
