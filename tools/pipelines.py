"""Which classes of vLLM can be cut into stages for several machines (pipeline parallelism), read off its source.

vLLM's own rule is `supports_pp` (model_executor/models/interfaces.py): a class has `SupportsPP` among its bases, or
what that asks for, and its `forward` takes `intermediate_tensors`. Only files are read, as `tools/architectures.py`
does: 100 of the 391 classes cannot be imported without a GPU or torchvision. Of the other 291 of release 0.32.0 vLLM's
own function says the same (run on its CPU build on 2026-11-29), but for DeepSeek V4's, which has a stub there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

BASE, TAKES, MAKES = "SupportsPP", "intermediate_tensors", "make_empty_intermediate_tensors"


class Source:
    """The modules of an unpacked vLLM, each parsed once."""

    def __init__(self, packages: Path) -> None:
        self.packages = packages
        self.module = cache(self._module)
        self.shadows: dict[tuple[str, str], type] = {}

    def _module(self, name: str) -> tuple[dict[str, ast.AST], dict[str, tuple[str, str]], list[str]]:
        """The classes of a module and other names in it; the names that it imports, and whence; modules of ``*``."""
        path = self.packages / name.replace(".", "/")
        file = path / "__init__.py" if path.is_dir() else path.parent / f"{path.name}.py"
        package = name if path.is_dir() else name.rpartition(".")[0]
        named: dict[str, ast.AST] = {}
        imported: dict[str, tuple[str, str]] = {}
        whole: list[str] = []
        if not file.exists():
            return named, imported, whole
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                named.setdefault(node.name, node)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                named.setdefault(node.targets[0].id, node.value)
            elif isinstance(node, ast.ImportFrom):
                above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
                source = ".".join([*above, *([node.module] if node.module else [])])
                for each in node.names:
                    if each.name == "*":
                        whole.append(source)
                    else:
                        imported.setdefault(each.asname or each.name, (source, each.name))
        return named, imported, whole

    def find(self, module: str, name: str) -> tuple[str, ast.ClassDef] | None:
        """A class by its name in a module, and the module that has it."""
        named, imported, whole = self.module(module)
        node = named.get(name)
        if isinstance(node, ast.ClassDef):
            return module, node
        if isinstance(node, ast.Name) and node.id != name:
            return self.find(module, node.id)
        if isinstance(node, ast.Call):  # a class that a function makes of another one
            told = [each.id for each in ast.walk(node) if isinstance(each, ast.Name)]
            return next((found for each in told if (found := self.find(module, each)) and each != name), None)
        if name in imported and imported[name][0].startswith("vllm"):
            return self.find(*imported[name])
        return next((found for each in whole if each.startswith("vllm") and (found := self.find(each, name))), None)

    def shadow(self, module: str, name: str) -> type | None:
        """An empty class with the bases of one of vLLM's, and what `supports_pp` asks of it; None: not in the source.

        Python itself puts the bases in order, by which the `forward` that counts is found.
        """
        found = self.find(module, name)
        if found is None:
            return None
        key = (found[0], found[1].name)
        if key not in self.shadows:
            self.shadows[key] = self._shadow(*found)
        return self.shadows[key]

    def _shadow(self, module: str, node: ast.ClassDef) -> type:
        bases: list[type] = []
        for base in node.bases:
            inner = base.value if isinstance(base, ast.Subscript) else base
            if isinstance(inner, ast.Call):
                names = [each.id for each in ast.walk(inner) if isinstance(each, ast.Name)]
            else:
                names = [inner.id if isinstance(inner, ast.Name) else getattr(inner, "attr", "")]
            bases += [made for each in names if (made := self.shadow(module, each)) and made not in bases]
        return type(node.name, tuple(bases) or (object,), dict(_members(node)))


def _members(node: ast.ClassDef) -> Iterator[tuple[str, bool]]:
    """Which of the three members a class has itself; of `forward`, whether it takes what a stage hands on."""
    for member in node.body:
        if isinstance(member, ast.FunctionDef):
            if member.name == "forward":
                arguments = member.args
                names = {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
                yield "forward", TAKES in names or arguments.kwarg is not None
            elif member.name == MAKES:
                yield MAKES, True
        elif isinstance(member, ast.Assign | ast.AnnAssign) and member.value is not None:
            for target in member.targets if isinstance(member, ast.Assign) else [member.target]:
                if isinstance(target, ast.Name) and target.id in ("forward", MAKES, "supports_pp"):
                    yield target.id, True


def has_stages(source: Source, module: str, name: str) -> bool | None:
    """Whether vLLM cuts the class into stages; None where the source does not have it."""
    shadow = source.shadow(module, name)
    if shadow is None:
        return None
    told = [getattr(shadow, each, False) for each in ("supports_pp", MAKES, "forward")]
    marked = any(each.__name__ == BASE for each in shadow.__mro__) or all(told[:2])
    return marked and bool(told[2])


def without_stages(packages: Path, classes: dict[str, tuple[str, str]]) -> list[str]:
    """The names, in a config.json's ``architectures``, whose classes cannot be cut. ``classes``: module and class."""
    source, found = Source(packages), []
    for name, (module, cls) in sorted(classes.items()):
        whole = module if module.startswith("vllm.") else f"vllm.model_executor.models.{module}"
        if has_stages(source, whole, cls) is False:
            found.append(name)
    return found
