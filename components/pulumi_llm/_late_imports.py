"""Parts of the Pulumi SDK that `import pulumi` brings and a plan does not use, imported when they are first named.

The automation API starts engines, dynamic providers pickle classes, and the instrumentation traces calls to an engine:
with what they import, they are a third of the SDK's import. They come as Python's own lazy modules, which are run by
the first question for anything in them. So do some modules of others that the SDK's import brings. Where an engine that
traces started this process, the instrumentation comes at once.
"""

from __future__ import annotations

import os
import sys
import typing
from collections.abc import Sequence
from functools import lru_cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from threading import RLock
from types import ModuleType
from typing import Any

from pulumi_llm import _entry_points

INSTRUMENTATION = "pulumi.runtime._instrumentation"
MODULES = frozenset({"pulumi.automation", "pulumi.dynamic", INSTRUMENTATION})
OF_OTHERS = frozenset({"asyncio.sslproto", "google.protobuf.internal.python_message", "grpc.aio", "ssl"})
"""What Pulumi imports and does not use here: encryption, servers, messages in Python where protobuf has them in C."""


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in MODULES | OF_OTHERS or (fullname == INSTRUMENTATION and "TRACEPARENT" in os.environ):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader) if fullname in MODULES else _LateLoader(spec.loader)
        return spec


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


def install() -> None:
    """Have them come late in this process, if they have not come yet."""
    # pydantic asks every installed package whether it brings a plugin; that is known already, as we asked for clouds.
    if not _entry_points.entries("pydantic"):
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    if "pulumi" not in sys.modules and not any(isinstance(each, _Finder) for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
        # pydantic's and the SDKs' classes have the same few hundred annotations over and over, each of them compiled.
        typing.__dict__.setdefault("compile", lru_cache(maxsize=4096)(compile))
