"""The nested types of an SDK's module, defined one by one as they are asked for.

A module such as `pulumi_aws.ec2` has three files that its resources take all names from: `_inputs.py`, `outputs.py` and
`_enums.py`, with hundreds of classes in tens of thousands of lines, of which a stack's resources mention a dozen. While
:func:`pulumi_llm._sparse_sdk.sparse` lasts, such a file is loaded as a module whose classes are made when they are
first named; a resource's file that says `from ._inputs import *` is given those that its own code mentions. Whoever
else asks for all names gets all. A file that is not written as the generator writes it is loaded as it always was.
"""

from __future__ import annotations

import functools
import os
import re
import sys
import typing
from collections.abc import Callable
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, FrameType, ModuleType
from typing import Any

from pulumi_llm._kept import kept
from pulumi_llm._kept import source as source_of

FILES = ("_inputs", "outputs", "_enums")
_FIRST = re.compile(r"\n(?:@|class )")
_OFFERED = re.compile(r"^    '(\w+)',$", re.MULTILINE)
_HEADER = re.compile(
    r"""(\#.*|import\ \w+(\.\w+)?(\ as\ _builtins)?|from\ typing\ import\ [\w, ]+|from\ enum\ import\ Enum
    |from\ \.\.?\ import\ (_utilities|outputs)|from\ \.(_enums|_inputs)\ import\ \*
    |if\ sys\.version_info\ >=\ \(3,\ 11\):|else:|\ +from\ typing(_extensions)?\ import\ [\w, ]+)?""",
    re.VERBOSE,
)
_WORDS = re.compile(r"[A-Za-z_]\w*")
LONGEST = 400
"""Characters of the longest text that is looked through for names: a quoted annotation is shorter, prose is not."""


class TypesLoader(Loader):
    """Makes such a file's module without its classes."""

    def __init__(self, real: SourceFileLoader) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The usual module."""
        return self.real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run what is above the first class; all of it where it is not as the generator writes it."""
        types = _Types(module, self.real)
        if types.head is None:
            self.real.exec_module(module)
            return
        module.__dict__["_types"] = types
        module.__class__ = TypesModule
        exec(types.head, module.__dict__)  # noqa: S102 - the SDK's own lines


class _Types:
    """What such a module can still be asked for.

    What was taken out of a file is kept, so that a megabyte of it is not read for two classes: see `pulumi_llm._kept`.
    """

    def __init__(self, module: ModuleType, real: SourceFileLoader) -> None:
        self.module = module
        self.real = real
        found: tuple[CodeType, tuple[str, ...]] | None = self._kept("head", self._head)
        self.head = found[0] if found else None
        self.offered = frozenset(found[1] if found else ())

    def _kept(self, what: str, make: Callable[[], Any]) -> Any:
        return kept("type of an SDK", (*self._file, what), make, apart=f"sdk-{self.module.__name__.partition('.')[0]}")

    @functools.cached_property
    def _file(self) -> tuple[object, ...]:
        """What stands for the file's content, as for Python's own code of it, and for what is done with it."""
        found = os.stat(self.real.path)  # noqa: PTH116 - a dozen times in each plan
        return (self.real.path, found.st_mtime_ns, found.st_size, source_of(sys.modules[__name__]))

    @functools.cached_property
    def source(self) -> str:
        """The file's text."""
        return self.real.get_data(self.real.path).decode("utf-8")

    def _head(self) -> tuple[CodeType, tuple[str, ...]] | None:
        """What is above the first class: its imports, and the names that it offers."""
        first = _FIRST.search(self.source)
        header = self.source[: first.start()] if first else self.source
        imports, _, rest = header.partition("__all__ = [\n")
        names = _OFFERED.findall(rest)
        # A line for each name, of which there may be thousands, and nothing else besides.
        written = "".join([f"    '{name}',\n" for name in names])
        if first is None or rest.rstrip() != f"{written}]" or not all(map(_HEADER.fullmatch, imports.splitlines())):
            return None
        return compile(imports, self.real.path, "exec"), tuple(names)

    def define(self, name: str) -> bool:
        """Make a class, and with it those that it mentions. False where it is not found as the generator writes it."""
        space = self.module.__dict__
        wanted = [name]
        while wanted:
            each = wanted.pop()
            if each in space:
                continue
            code = self._kept(each, functools.partial(self._statement, each))
            if code is None:
                return False
            exec(code, space)  # noqa: S102 - the SDK's own lines
            if each not in space:
                return False
            words = mentioned(code)
            wanted += words & self.offered - space.keys()
            self._enums(words - space.keys())
        return True

    def _enums(self, words: set[str]) -> None:
        package, _, own = self.module.__name__.rpartition(".")
        enums = sys.modules.get(f"{package}._enums")
        if own != "_enums" and enums is not None:
            self.module.__dict__.update({each: getattr(enums, each) for each in words & offered(enums)})

    def _statement(self, name: str) -> CodeType | None:
        """The class statement, whose body comes out of the file's bytecode: to compile it anew would take longer."""
        written = f"\nclass {name}"
        start = self.source.find(written)
        while start >= 0 and not self.source.startswith(("(", ":"), start + len(written)):  # a name that goes on
            start = self.source.find(written, start + 1)
        if start < 0:
            return None
        line = self.source[start + 1 : self.source.find("\n", start + 1)]
        while self.source.startswith("@", before := self.source.rfind("\n", 0, start) + 1):
            line = self.source[before : start + 1] + line
            start = before - 1
        body = self._bodies.get(name)
        if body is None or not line.endswith(":"):
            return None
        frame = compile(f"{line}\n    pass\n", self.real.path, "exec")
        constants = [body if isinstance(each, CodeType) else each for each in frame.co_consts]
        return frame.replace(co_consts=tuple(constants))

    @functools.cached_property
    def _bodies(self) -> dict[str, CodeType]:
        code = self.real.get_code(self.module.__name__)
        return {each.co_name: each for each in code.co_consts if isinstance(each, CodeType)} if code else {}

    def all(self) -> None:
        """Run the whole file, as if it had been imported in the usual way."""
        module = self.module
        if module.__dict__.pop("_types", None) is not None:
            kept = {name: module.__dict__[name] for name in self.offered & module.__dict__.keys()}
            self.real.exec_module(module)
            module.__dict__.update(kept)  # a class that is in use stays the same one


class TypesModule(ModuleType):
    """One of :data:`FILES`, with those of its classes that were asked for."""

    def __getattr__(self, name: str) -> Any:
        types: _Types | None = self.__dict__.get("_types")
        if types is not None and name == "__all__":
            frame = sys._getframe(1)
            if imports_all_of(frame, self):
                return []
            if _takes_what_it_mentions(frame, self.__name__):
                return sorted(_taken(frame, self) & types.offered)
            types.all()
        elif types is not None and not name.startswith("__") and not (name in types.offered and types.define(name)):
            types.all()
        if name in self.__dict__:
            return self.__dict__[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        types: _Types | None = self.__dict__.get("_types")
        if types is not None:
            types.all()
        return sorted(self.__dict__)


def offered(module: ModuleType) -> frozenset[str]:
    """The names that such a module has, made or not."""
    types: _Types | None = module.__dict__.get("_types")
    return types.offered if types is not None else frozenset(getattr(module, "__all__", ()))


def imports_all_of(frame: FrameType, file: ModuleType) -> bool:
    """Whether the frame is that of an SDK's own package while it comes to ``file``, whose names it has come later."""
    space = frame.f_globals
    own = space.get("__name__") == file.__name__.rpartition(".")[0]
    return own and "_put_off" in space and frame.f_code.co_name == "<module>"


def _takes_what_it_mentions(frame: FrameType, types_module: str) -> bool:
    """Whether the frame is that of a generated file beside the types, importing all of their names."""
    space = frame.f_globals
    package = types_module.rpartition(".")[0]
    return (
        frame.f_code.co_name == "<module>"
        and str(space.get("__name__")).rpartition(".")[0] == package
        and "__path__" not in space
    )


def _taken(frame: FrameType, file: TypesModule) -> set[str]:
    """The names that a generated file is given of the types beside it.

    Most it mentions in quoted annotations alone. They come when one is evaluated, or when somebody asks the file.
    """
    if not _evaluation_waits():
        return mentioned(frame.f_code)
    space = frame.f_globals
    later = space.setdefault("__getattr__", _Later(space))
    if not isinstance(later, _Later):
        return mentioned(frame.f_code)
    later.files.append(file)
    return mentioned(frame.f_code, texts=False)


class _Later:
    """A generated file's `__getattr__`: the types that its annotations mention."""

    def __init__(self, space: dict[str, Any]) -> None:
        self.space = space
        self.files: list[TypesModule] = []

    def __call__(self, name: str) -> Any:
        if not name.startswith("__"):
            for file in self.files:
                if name in offered(file):
                    self.space[name] = getattr(file, name)
                    return self.space[name]
        raise AttributeError(f"module {self.space.get('__name__')!r} has no attribute {name!r}")


def _evaluated(code: Any, names: dict[str, Any] | None, local: Any) -> Any:
    """`eval` as `typing` calls it for an annotation, which knows what the file would be given for a name."""
    while True:
        try:
            return eval(code, names, local)  # noqa: S307 - it stands in for typing's own
        except NameError as missing:
            later = names.get("__getattr__") if names else None
            if names is None or not isinstance(later, _Later) or missing.name in names or missing.name is None:
                raise
            try:
                names[missing.name] = later(missing.name)
            except AttributeError:
                raise missing from None


@functools.cache
def _evaluation_waits() -> bool:
    """Have `typing` evaluate with what comes later; False where another module does that, as in Python 3.14."""
    if typing.ForwardRef.__module__ != "typing":
        return False
    typing.__dict__["eval"] = _evaluated
    return True


def mentioned(code: CodeType, *, texts: bool = True) -> set[str]:
    """All words that a program's code could mean a name by: its names, and what stands in its short ``texts``."""
    found: set[str] = set()
    written: set[str] = set()
    waiting = [code]
    while waiting:
        each = waiting.pop()
        found.update(each.co_names)
        for constant in each.co_consts:
            if isinstance(constant, str):
                if texts and len(constant) <= LONGEST and "\n" not in constant:
                    written.add(constant)
            elif isinstance(constant, CodeType):
                waiting.append(constant)
    found.update(_WORDS.findall("\n".join(written)))
    return found
