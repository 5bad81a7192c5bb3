"""What nobody uses is taken out: a function, class or constant of the program is named somewhere else in it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests import sources

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ("components", "templates", "stacks", "policy", "tools", "bench", "docs/ci")

FOR_TESTS = {"LIMIT", "left_over", "moved_back", "policy_findings", "secrets_document"}
"""What a test asks about the program (one of ours, or a user's own), and the program itself does not."""


PLAIN = {"asynccontextmanager", "cache", "contextmanager", "dataclass", "lru_cache"}
"""Decorators that give a thing to nobody."""


def files(*folders: str, ending: str = "*.py") -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in (ROOT / folder).rglob(ending) if "__pycache__" not in path.parts)


def handed_over(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    words = {word for each in node.decorator_list for word in re.findall(r"\w+", ast.unparse(each).partition("(")[0])}
    return bool(node.decorator_list) and words.isdisjoint(PLAIN)


def defined(tree: ast.Module) -> Iterator[str]:
    """The names that a module gives. What is decorated is handed to somebody by its decorator, but for ``PLAIN``."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and not handed_over(node):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def used(path: Path) -> Iterator[str]:
    """The names that a module reads, in its annotations and texts too, but for `__all__` and what it imports."""
    for node in reads(path):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[\w.:]+", node.value):
            yield from re.findall(r"\w+", node.value)


def reads(path: Path) -> Iterator[ast.AST]:
    named = [node for node in sources.tree(path).body if isinstance(node, ast.Assign)]
    alls = [node for node in named if any(getattr(target, "id", "") == "__all__" for target in node.targets)]
    listed = {id(part) for node in alls for part in ast.walk(node)}
    return (node for node in sources.nodes(path) if id(node) not in listed)


@cache
def asked() -> Counter[str]:
    """How often each name is read in the program."""
    return Counter(name for path in files(*PROGRAM) for name in used(path))


def test_everything_in_a_module_is_used_by_somebody() -> None:
    told = {
        word
        for ending in ("*.toml", "*.sh", "*.j2", "*.service", "*.yaml", "Makefile", "llm-*")
        for path in [*files("templates", "tools", "components", ending=ending), ROOT / "pyproject.toml"]
        for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))
    }
    dead = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in files("components", "templates")
        for name in defined(sources.tree(path))
        if not asked()[name] and name not in told and name not in FOR_TESTS and not name.startswith("__")
    }
    assert dead == set()


def test_what_is_kept_for_tests_is_there_and_used_by_no_program() -> None:
    given = {name for path in files(*PROGRAM) for name in defined(sources.tree(path))}
    assert given >= FOR_TESTS
    assert FOR_TESTS & set(asked()) == set()
