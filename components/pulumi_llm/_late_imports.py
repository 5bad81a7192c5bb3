"""Parts of the Pulumi SDK that `import pulumi` brings and a plan does not use, imported when they are first named.

The automation API starts engines, dynamic providers pickle classes, and the instrumentation traces calls to an engine:
with what they import, they are a third of the SDK's import. They come as Python's own lazy modules, which are run by
the first question for anything in them. So do some modules of others that the SDK's import brings. Where an engine that
traces started this process, the instrumentation comes at once.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
import re
import sys
import typing
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from threading import RLock
from types import ModuleType, SimpleNamespace
from typing import Any

from pulumi_llm import _dataclasses, _entry_points

INSTRUMENTATION = "pulumi.runtime._instrumentation"
MODULES = frozenset({"pulumi.automation", "pulumi.dynamic", INSTRUMENTATION})
OF_OTHERS = frozenset({"asyncio.sslproto", "google.protobuf.internal.python_message", "grpc.aio", "ssl"})
"""What Pulumi imports and does not use here: encryption, servers, messages in Python where protobuf has them in C."""
_PLAIN = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
OF_DATACLASSES = re.compile(r"annotated_types|pydantic\.(_internal\._)?\w+|parver\._version")
"""Modules whose dataclasses are made as ours are: forty of them, each compiled six times, and hardly used."""


def _version_of(distribution: str) -> str:
    found = _entry_points.version_named(distribution) if distribution.startswith("pulumi") else None
    return found or _real("importlib.metadata").version(distribution)


def _entry_points_of(**wanted: Any) -> Any:
    return _real("importlib.metadata").entry_points(**wanted)


class _Version:
    """`parver.Version` as the SDKs ask it: a plain release is taken apart here, any other by that itself."""

    def __new__(cls, *parts: Any, **named: Any) -> Any:
        return _real("parver").Version(*parts, **named)

    @staticmethod
    def parse(text: str, **named: Any) -> Any:
        """The version that ``text`` says."""
        if match := _PLAIN.fullmatch(text):
            return SimpleNamespace(release=tuple(map(int, match.groups())), pre_tag=None, dev=None, local=None)
        return _real("parver").Version.parse(text, **named)


class _Maker:
    """A class or function of a module that comes late, for its own package, which calls it and asks what it made."""

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __call__(self, *parts: Any, **named: Any) -> Any:
        return getattr(_real(self.module), self.name)(*parts, **named)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, getattr(_real(self.module), self.name))


def _makers(module: str, *names: str) -> Mapping[str, _Maker]:
    return {name: _Maker(module, name) for name in names}


ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "importlib.metadata": {"entry_points": _entry_points_of, "version": _version_of},
    "jinja2.compiler": _makers("jinja2.compiler", "CodeGenerator", "generate"),
    "jinja2.lexer": _makers("jinja2.lexer", "Lexer", "TokenStream", "get_lexer"),
    "jinja2.parser": _makers("jinja2.parser", "Parser"),
    "parver": {"Version": _Version},
}
"""What others take from modules that come late: each SDK its own version, which the name of a folder says, and pydantic
a function that it does not call. The first module brings the standard library's e-mail. Jinja's compiler has nothing to
do where the code of the templates is there already."""


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        late = fullname in MODULES or fullname in OF_OTHERS or fullname in ANSWERS
        if not late and not OF_DATACLASSES.fullmatch(fullname):
            return None
        if fullname == INSTRUMENTATION and "TRACEPARENT" in os.environ:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            if not late:
                spec.loader = _WithOurDataclasses(spec.loader)
            elif fullname in MODULES:
                spec.loader = LazyLoader(spec.loader)
            else:
                spec.loader = _LateLoader(spec.loader)
        return spec


class _WithOurDataclasses(Loader):
    """Runs a module as ever, but for the decorator that it finds in `dataclasses`."""

    def __init__(self, real: Loader) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The usual module."""
        return self.real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run it; the decorator is the standard library's again afterwards."""
        usual = dataclasses.dataclass
        dataclasses.dataclass = _dataclasses.dataclass
        try:
            self.real.exec_module(module)
        finally:
            dataclasses.dataclass = usual


class _LateLoader(Loader):
    """As `LazyLoader`, whose modules are run by the second `import` of them already: it asks for their spec."""

    def __init__(self, real: Loader) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The usual module."""
        return self.real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module empty for now."""
        module.__dict__["_late"] = self.real
        module.__class__ = _Late


class _Late(ModuleType):
    """A module that was asked for nothing yet."""

    def __getattr__(self, name: str) -> Any:
        if name[:2] != "__" or name == "__all__":
            answer = ANSWERS.get(self.__name__, {}).get(name)
            own = sys._getframe(1).f_globals.get("__name__", "").partition(".")[0] == self.__name__.partition(".")[0]
            if answer is not None and (own or not isinstance(answer, _Maker)):
                return answer
            self._run()
            if name in self.__dict__:
                return self.__dict__[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name[:2] != "__":
            self._run()  # else what is put in another's place would be overwritten later
        ModuleType.__setattr__(self, name, value)  # by then it is a plain one

    def __dir__(self) -> list[str]:
        self._run()
        return sorted(self.__dict__)

    def _run(self) -> None:
        with _RUNNING:  # another thread that asks meanwhile waits
            real: Loader | None = self.__dict__.pop("_late", None)
            if real is None:
                return
            try:
                real.exec_module(self)
            except BaseException:
                self.__dict__["_late"] = real
                raise
            self.__class__ = ModuleType  # type: ignore[assignment]


_RUNNING = RLock()


def _real(name: str) -> ModuleType:
    """The module, which is run if it was not yet."""
    module = importlib.import_module(name)
    if isinstance(module, _Late):
        module._run()
    return module


def install() -> None:
    """Have them come late in this process, if they have not come yet."""
    # pydantic asks every installed package whether it brings a plugin; that is known already, as we asked for clouds.
    if not _entry_points.entries("pydantic"):
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    if "pulumi" not in sys.modules and not any(isinstance(each, _Finder) for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
        # pydantic's and the SDKs' classes have the same few hundred annotations over and over, each of them compiled.
        typing.__dict__.setdefault("compile", lru_cache(maxsize=4096)(compile))
