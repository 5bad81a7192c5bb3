"""Import of the clouds' SDKs class by class, for our own program: most of a plan's time was their import.

A module of an SDK such as `pulumi_aws.ec2` is a package that imports one file for each of its resources, 180 of them,
where a stack uses ten. While :func:`sparse` lasts, such a package comes without them: a name that is asked for is
imported from its own file, found by the generator's rule (`InternetGatewayArgs` is in `internet_gateway`). A name that
the rule does not find, or a question for all names, makes the package import everything, as it always did. So it is
with the SDK's own top package, with the types that resources share (:mod:`pulumi_llm._sparse_types`), and with the list
of its classes (:mod:`pulumi_llm._sparse_classes`). A package that is not written as the generator writes them is left
alone.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from types import ModuleType
from typing import Any

from pulumi_llm import _sparse_classes, clouds
from pulumi_llm import _sparse_types as sparse_types

_FILE = re.compile(r"from \.(\w+) import \*")
_REST = re.compile(
    r"(#.*|import builtins as _builtins|import typing|from \.\. import _utilities|from \. import outputs)?"
)
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
OF_NO_CLOUD = ("pulumi_command", "pulumi_random", "pulumi_tls")
"""SDKs that every stack's resources are made with too."""
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
        self.sdks = frozenset((*(each.sdk for each in clouds.folders().values()), *OF_NO_CLOUD))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parent, _, name = fullname.rpartition(".")
        sdks = self.sdks
        if parent in sdks and path and name in _packages(next(iter(path))):
            return _package_spec(fullname, os.path.join(next(iter(path)), name))  # noqa: PTH118 - hundreds of times
        types = name in sparse_types.FILES and parent.partition(".")[0] in sdks
        top = fullname in sdks
        put_off = parent in sdks and not name.startswith("_") and "_put_off" in vars(sys.modules[parent])
        if not (types or top or put_off):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            if types:
                spec.loader = sparse_types.TypesLoader(spec.loader)
            else:
                spec.loader = _TopLoader(spec.loader) if top else _LateLoader(spec.loader)
        return spec


@functools.cache
def _packages(folder: str) -> frozenset[str]:
    """The packages in the folder of an SDK."""
    with os.scandir(folder) as entries:
        return frozenset(each.name for each in entries if each.is_dir() and not each.name.startswith("_"))


def _package_spec(fullname: str, folder: str) -> ModuleSpec | None:
    # Hundreds of packages are asked for, and few of them used: so this looks at no file.
    file = os.path.join(folder, "__init__.py")  # noqa: PTH118
    loader = _SparseLoader(SourceFileLoader(fullname, file))
    return spec_from_file_location(fullname, file, loader=loader, submodule_search_locations=[folder])


class _Loader(Loader):
    def __init__(self, real: SourceFileLoader) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The usual module."""
        return self.real.create_module(spec)


class _SparseLoader(_Loader):
    """Makes the package without its files."""

    files: tuple[str, ...] = ()

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module empty for now."""
        listed = files_listed(self.real.get_data(self.real.path).decode("utf-8"))
        if listed is None:
            self.real.exec_module(module)
            return
        self.files = listed
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
                    module = importlib.import_module(f"{self.__name__}.{file}")
                    if name in self.__dict__:
                        return self.__dict__[name]
                    if name in sparse_types.offered(module):
                        return getattr(module, name)
            self._bring_all()
            if name in self.__dict__:
                return self.__dict__[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        loader: _SparseLoader | None = self.__dict__.get("_sparse")
        # The import of a file sets the file itself here, which the package's own `import *` covers with its names.
        if loader is not None and name in loader.files and isinstance(value, ModuleType):
            if isinstance(value, sparse_types.TypesModule):
                return
            listed = getattr(value, "__all__", [each for each in vars(value) if not each.startswith("_")])
            self.__dict__.update({each: getattr(value, each) for each in listed})

    def __dir__(self) -> list[str]:
        self._bring_all()
        return sorted(self.__dict__)

    def _bring_all(self) -> None:
        loader: _SparseLoader | None = self.__dict__.pop("_sparse", None)
        if loader is not None:
            loader.real.exec_module(self)


class _TopLoader(_Loader):
    """Runs the SDK's own package, which takes all names of some files too, and has those files come later."""

    def exec_module(self, module: ModuleType) -> None:
        """Run it; its files are put off until one of their names is asked for."""
        module.__dict__["_put_off"] = {}
        module.__dict__["_begun"] = False
        module.__class__ = _Top
        utilities: Any = None
        with contextlib.suppress(ModuleNotFoundError):  # one that the generator did not write has none
            utilities = importlib.import_module(f"{module.__name__}._utilities")
        bring, register = getattr(utilities, "lazy_import", None), getattr(utilities, "register", None)
        if bring is None or register is None:  # not as the generator writes it
            self.real.exec_module(module)
        else:
            utilities.lazy_import = _Package
            utilities.register = functools.partial(_sparse_classes.later, register)
            try:
                self.real.exec_module(module)
            finally:
                utilities.lazy_import, utilities.register = bring, register
            space = module.__dict__
            packages = {name: each for name, each in space.items() if isinstance(each, _Package)}
            space["_packages"] = {name: functools.partial(bring, each.name) for name, each in packages.items()}
            for name in packages:
                del space[name]
        module.__dict__["_begun"] = True


class _Package:
    """Stands for a package of the SDK while the SDK's own is run: hundreds of modules that nobody asks for."""

    def __init__(self, name: str) -> None:
        self.name = name


class _Top(ModuleType):
    """An SDK's own package. ``_put_off`` has the files that it took nothing from yet, by name."""

    def __getattr__(self, name: str) -> Any:
        late: dict[str, ModuleType] = self.__dict__.get("_put_off", {})
        packages: dict[str, Callable[[], ModuleType]] = self.__dict__.get("_packages", {})
        if name in packages:
            self.__dict__[name] = packages[name]()
            return self.__dict__[name]
        if name == "__all__":
            self._bring_all()
        elif self.__dict__.get("_begun") and not name.startswith("__"):
            for file in candidates(name):
                if file in late:
                    found = _names(late[file])
                    if name in found:
                        self.__dict__[name] = getattr(late[file], name)
                        return self.__dict__[name]
            if name in late:  # the file itself
                return late[name]
            self._bring_all()
            if name in self.__dict__:
                return self.__dict__[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, _Late | sparse_types.TypesModule) and "_put_off" in self.__dict__:
            self._put_off[name] = value
        else:
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        self._bring_all()
        return sorted(self.__dict__)

    def _bring_all(self) -> None:
        for name, bring in self.__dict__.get("_packages", {}).items():
            if name not in self.__dict__:
                self.__dict__[name] = bring()
        late: dict[str, ModuleType] = self.__dict__.get("_put_off", {})
        self.__dict__["_put_off"] = {}
        for file, module in late.items():
            self.__dict__.setdefault(file, module)
        for module in late.values():
            if module.__name__.endswith(".outputs"):
                continue
            self.__dict__.update({each: getattr(module, each) for each in _names(module)})


def _names(module: ModuleType) -> frozenset[str]:
    """What `import *` would take from a file."""
    if isinstance(module, sparse_types.TypesModule):
        return sparse_types.offered(module)
    return frozenset(getattr(module, "__all__", ()))


class _LateLoader(_Loader):
    """Makes a file of the SDK's own package, and runs it when it is first asked for something."""

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module empty for now."""
        module.__dict__["_late"] = self.real
        module.__class__ = _Late


class _Late(ModuleType):
    """A file of an SDK's own package, which was asked for nothing yet."""

    def __getattr__(self, name: str) -> Any:
        real: SourceFileLoader | None = self.__dict__.get("_late")
        if name == "__all__" and sparse_types.imports_all_of(sys._getframe(1), self):
            return []
        if real is not None and (name == "__all__" or not name.startswith("__")):
            del self.__dict__["_late"]
            real.exec_module(self)
            if name in self.__dict__:
                return self.__dict__[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
