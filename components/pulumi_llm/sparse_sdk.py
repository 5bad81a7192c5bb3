"""Import of the clouds' SDKs class by class, for our own program: most of a plan's time was their import.

A module of an SDK such as `pulumi_aws.ec2` is a package that imports one file for each of its resources, 180 of them,
where a stack uses ten. While :func:`sparse` lasts, such a package comes without them: a name that is asked for is
imported from its own file, found by the generator's rule (`InternetGatewayArgs` is in `internet_gateway`). A name that
the rule does not find, or a question for all names, makes the package import everything, as it always did. Nothing is
replaced or patched, and a package that is not written as the generator writes them is left alone.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from pulumi_llm import clouds

_FILE = re.compile(r"from \.(\w+) import \*")
_REST = re.compile(
    r"(#.*|import builtins as _builtins|import typing|from \.\. import _utilities|from \. import outputs)?"
)
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ENDINGS = ("Args", "ArgsDict", "Result", "AwaitableResult", "_output")


@contextlib.contextmanager
def sparse() -> Iterator[None]:
    """Import the SDKs' modules class by class; those that are imported stay so."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def files_listed(source: str) -> tuple[str, ...] | None:
    """The files that a package's `__init__.py` takes all names from; None where it does anything else besides."""
    found = []
    for line in source.splitlines():
        if match := _FILE.fullmatch(line):
            found.append(match[1])
        elif not _REST.fullmatch(line):
            return None
    return tuple(found) or None


def candidates(name: str) -> Iterator[str]:
    """The files in which the generator may have put a name, the likeliest first."""
    for ending in ("", *_ENDINGS):
        if name.endswith(ending):
            stem = name.removesuffix(ending).removeprefix("_").removeprefix("Awaitable")
            yield _WORD.sub("_", stem).lower()
    if name.endswith(("Args", "ArgsDict")):
        yield "_inputs"
    yield "_enums"


class _Finder(MetaPathFinder):
    def __init__(self) -> None:
        self.sdks = frozenset(each.sdk for each in clouds.folders().values())

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parent, _, name = fullname.rpartition(".")
        if parent not in self.sdks or name.startswith("_"):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or not spec.submodule_search_locations or not isinstance(spec.loader, SourceFileLoader):
            return spec
        listed = files_listed(Path(spec.loader.path).read_text(encoding="utf-8"))
        if listed is not None:
            spec.loader = _SparseLoader(spec.loader, frozenset(listed))
        return spec


class _SparseLoader(Loader):
    """Makes the package without its files."""

    def __init__(self, real: SourceFileLoader, files: frozenset[str]) -> None:
        self.real = real
        self.files = files

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The usual module."""
        return self.real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module empty for now."""
        module.__dict__["_sparse"] = self
        # Here, as Pulumi's own lazy modules become plain ones right before.
        module.__class__ = _SparseModule


class _SparseModule(ModuleType):
    """A package of an SDK, with the names of those of its files that were asked for."""

    def __getattr__(self, name: str) -> Any:
        loader: _SparseLoader | None = self.__dict__.get("_sparse")
        if loader is not None and (name == "__all__" or not name.startswith("__")):
            if name == "outputs":
                return importlib.import_module(f"{self.__name__}.{name}")
            for file in candidates(name):
                if file in loader.files:
                    importlib.import_module(f"{self.__name__}.{file}")
                    if name in self.__dict__:
                        return self.__dict__[name]
            self._bring_all()
            if name in self.__dict__:
                return self.__dict__[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        loader: _SparseLoader | None = self.__dict__.get("_sparse")
        # The import of a file sets the file itself here, which the package's own `import *` covers with its names.
        if loader is not None and name in loader.files and isinstance(value, ModuleType):
            listed = getattr(value, "__all__", [each for each in vars(value) if not each.startswith("_")])
            self.__dict__.update({each: getattr(value, each) for each in listed})

    def __dir__(self) -> list[str]:
        self._bring_all()
        return sorted(self.__dict__)

    def _bring_all(self) -> None:
        loader: _SparseLoader | None = self.__dict__.pop("_sparse", None)
        if loader is not None:
            loader.real.exec_module(self)
