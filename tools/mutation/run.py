"""Changes the modules that matter, one mistake at a time, and says which mistakes their tests do not notice.

Works in a copy of the checkout, never in the checkout. The sample is the same each time (see modules.toml).
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cosmic_ray.mutating import mutate_code
from cosmic_ray.testing import run_tests
from cosmic_ray.work_item import TestOutcome
from mutants import HERE, Mutant, sample
from operators import OWN

ROOT = HERE.parents[1]
PYTHON = ROOT / ".venv" / "bin" / "python"
OPTIONS = "-x -q -n0 -p no:cacheprovider -m 'not engine and not boot and not artefact'"


@dataclass
class Module:
    """One module, its tests, and what came of it."""

    path: str
    tests: tuple[str, ...]
    killed: int = 0
    places: int = 0
    survivors: list[Mutant] = field(default_factory=list)


def main() -> int:
    """0: the goal is met; 1: it is not; 2: the tests fail without any mutant, or notice nothing at all."""
    data = tomllib.loads((HERE / "modules.toml").read_text(encoding="utf-8"))
    asked = _asked(data)
    modules = [each for each in _modules(data) if fnmatch.fnmatch(each.path, asked.module)]
    if not modules:
        sys.exit(f"mutate: no module of tools/mutation/modules.toml is like {asked.module!r}")
    _check_operators()
    os.nice(10)
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        copy = Path(folder) / "checkout"
        _copy(copy)
        os.chdir(copy)
        # Before what is installed: the environment's own link leads to the checkout.
        os.environ["PYTHONPATH"] = f"{copy / 'components'}:{copy / 'templates' / 'gateway'}"
        os.environ["PATH"] = f"{PYTHON.parent}:{os.environ['PATH']}"
        os.environ["CI"] = "1"  # the same examples of each property each time
        took: dict[tuple[str, ...], float] = {}
        for module in modules:
            if module.tests not in took:
                took[module.tests] = _sound(module)
            _try(module, data, asked, 3 * took[module.tests] + 20)
    return _report(modules, data["goal"])


def _asked(data: dict[str, Any]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mutate", description=__doc__)
    parser.add_argument("--module", default="*", help="a pattern of modules, such as '*/store.py' (default: all)")
    parser.add_argument(
        "--per-module", type=int, default=data["per_module"], help="mutants of each (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=data["seed"], help="another sample (default: %(default)s)")
    return parser.parse_args()


def _check_operators() -> None:
    """Ours do what their examples say."""
    for name, operator in OWN.items():
        for each in operator.examples():
            if mutate_code(each.pre_mutation_code, operator(), each.occurrence) != each.post_mutation_code:
                sys.exit(f"mutate: {name} does not make {each.post_mutation_code!r} of {each.pre_mutation_code!r}")


def _modules(data: dict[str, Any]) -> Iterator[Module]:
    for group in data["group"]:
        for pattern in group["modules"]:
            for path in sorted(ROOT.glob(pattern)):
                if path.stat().st_size > 400:  # not an __init__.py that holds a docstring
                    yield Module(path.relative_to(ROOT).as_posix(), tuple(group["tests"]))


def _copy(to: Path) -> None:
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def _command(module: Module) -> str:
    return f"{shlex.quote(str(PYTHON))} -m pytest {OPTIONS} {shlex.join(module.tests)}"


def _sound(module: Module) -> float:
    """Seconds that the tests take; they must pass."""
    start = time.monotonic()
    outcome, output = run_tests(_command(module), 900)
    if outcome is not TestOutcome.SURVIVED:
        sys.exit(f"{output[-4000:]}\nmutate: {' '.join(module.tests)}: these fail without any mutant")
    return time.monotonic() - start


def _try(module: Module, data: dict[str, Any], asked: argparse.Namespace, patience: float) -> None:
    path, start = Path(module.path), time.monotonic()
    source = path.read_text(encoding="utf-8")
    mutants, module.places = sample(module.path, source, data["operators"], asked.seed, asked.per_module)
    # A module that cannot be imported must be noticed: else the tests run against another copy of it.
    if mutants and not _noticed(module, path, "raise ImportError\n", patience):
        sys.exit(f"mutate: {' '.join(module.tests)} do not import {module.path}")
    for mutant in mutants:
        if _noticed(module, path, mutant.code, patience):
            module.killed += 1
        else:
            module.survivors.append(mutant)
    _write(path, source)
    took = time.monotonic() - start
    share = f"{module.killed:>3} of {len(mutants):>3}"
    print(f"{module.path:<55}{share} noticed, of {module.places:>4} possible, in {took:>4.0f} s", flush=True)
    for mutant in module.survivors:
        print(
            f"\nnot noticed: {mutant.module}:{mutant.line}, in {mutant.within} ({mutant.operator})\n{mutant.diff}\n",
            flush=True,
        )


_stamp = [int(time.time())]


def _write(path: Path, code: str) -> None:
    path.write_text(code, encoding="utf-8")
    # Python takes compiled code for current by whole seconds and size: each mutant has a second of its own.
    _stamp[0] += 2
    os.utime(path, (_stamp[0], _stamp[0]))


def _noticed(module: Module, path: Path, code: str, patience: float) -> bool:
    _write(path, code)
    outcome, _ = run_tests(_command(module), patience)
    return outcome is not TestOutcome.SURVIVED


def _report(modules: list[Module], goal: int) -> int:
    killed, survived = (sum(each) for each in zip(*((m.killed, len(m.survivors)) for m in modules), strict=True))
    share = 100 * killed / max(1, killed + survived)
    print(f"\nmutate: {killed} of {killed + survived} mutants are noticed, {share:.1f} % (goal: {goal} %)")
    return share < goal


if __name__ == "__main__":
    sys.exit(main())
