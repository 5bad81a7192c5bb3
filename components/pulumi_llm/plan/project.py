"""Find a Pulumi project and read one stack's configuration, without the engine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pulumi_llm.errors import Finding, Refusal, UnknownName

ENCRYPTED = "[encrypted]"
"""Stands for a secret that only the engine can decrypt."""


class _Loader(yaml.SafeLoader):
    """Refuses what the engine refuses, or what no text can be made of: a key twice, a value that holds itself."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if (key.tag, key.value) in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} is there twice", key.start_mark
                    )
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with a Pulumi.yaml."""

    folder: Path
    name: str
    main: Path
    stack_folder: Path
    defaults: Mapping[str, Any]

    def stacks(self) -> list[str]:
        """The stacks that have a file."""
        return sorted(
            path.name[len("Pulumi.") : -len(".yaml")]
            for path in self.stack_folder.glob("Pulumi.*.yaml")
            if path.is_file()
        )

    def stack_file(self, stack: str) -> Path:
        """The stack's file. Raises :class:`UnknownName` (``stack.unknown``) where there is none."""
        path = self.stack_folder / f"Pulumi.{stack}.yaml"
        if not path.is_file():
            raise UnknownName(
                "stack.unknown", "stack", stack, self.stacks(), hint=f"(files are in {self.stack_folder})"
            )
        return path


@dataclass(frozen=True, slots=True)
class StackConfig:
    """A stack's configuration: every value as the text that a program receives, and which keys are secret."""

    values: Mapping[str, str]
    secret_keys: frozenset[str]
    raw: Mapping[str, Any]


def find(start: Path) -> Project:
    """The project that ``start`` is in. Raises :class:`Refusal` (``project.not-found``, ``project.unreadable``)."""
    start = start.resolve()
    for folder in (start, *start.parents):
        for name in ("Pulumi.yaml", "Pulumi.yml"):
            if (folder / name).is_file():
                return _read(folder, folder / name)
    raise Refusal(
        [
            Finding(
                "project.not-found",
                f"there is no Pulumi.yaml in {start} or above it",
                "run this in a Pulumi project",
            )
        ]
    )


def read_stack(project: Project, stack: str) -> StackConfig:
    """The stack's configuration. Secrets that are encrypted stay so: see :data:`ENCRYPTED`."""
    content = _yaml(project.stack_file(stack))
    raw: dict[str, Any] = {}
    for key, declared in project.defaults.items():
        value = declared.get("value", declared.get("default")) if isinstance(declared, Mapping) else declared
        if value is not None:
            raw[_namespaced(project, key)] = value
    config = content.get("config") or {}
    if not isinstance(config, Mapping):
        raise Refusal([Finding("stack.unreadable", f"`config:` in {project.stack_file(stack)} is not a mapping")])
    raw |= {_namespaced(project, str(key)): value for key, value in config.items()}
    secret = frozenset(key for key, value in raw.items() if _has_secure(value))
    return StackConfig({key: _text(value) for key, value in raw.items()}, secret, raw)


def _read(folder: Path, path: Path) -> Project:
    content = _yaml(path)
    name = content.get("name")
    if not isinstance(name, str) or not name:
        raise Refusal([Finding("project.unreadable", f"{path} has no `name:`")])
    main = folder / str(content.get("main") or ".")
    config_folder = content.get("stackConfigDir") or "."
    declared = content.get("config")
    return Project(
        folder=folder,
        name=name,
        main=main,
        stack_folder=folder / str(config_folder),
        defaults=declared if isinstance(declared, Mapping) else {},
    )


def _yaml(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe loader
        json.dumps(content, default=str, skipkeys=True)  # a value that holds itself, or one nested without end
    except (OSError, UnicodeDecodeError) as wrong:
        raise Refusal([Finding("project.unreadable", f"{path} cannot be read: {wrong}")]) from None
    except RecursionError:
        raise Refusal([Finding("project.not-yaml", f"{path} is not YAML: it is nested too deeply")]) from None
    except ValueError as wrong:
        raise Refusal([Finding("project.not-yaml", f"{path} cannot be used: {wrong}")]) from None
    except yaml.YAMLError as wrong:
        place = getattr(wrong, "problem_mark", None)
        line = f" (line {place.line + 1})" if place is not None else ""
        problem = getattr(wrong, "problem", None) or "it cannot be parsed"
        raise Refusal([Finding("project.not-yaml", f"{path} is not YAML{line}: {problem}")]) from None
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise Refusal([Finding("project.not-yaml", f"{path} does not hold a mapping")])
    return content


def _namespaced(project: Project, key: str) -> str:
    return key if ":" in key else f"{project.name}:{key}"


def _text(value: Any) -> str:
    if isinstance(value, Mapping) and set(value) == {"secure"}:
        return ENCRYPTED
    if isinstance(value, str):
        return value
    return json.dumps(_opened(value), ensure_ascii=False)


def _opened(value: Any) -> Any:
    if isinstance(value, Mapping):
        return ENCRYPTED if set(value) == {"secure"} else {str(key): _opened(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_opened(each) for each in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def _has_secure(value: Any) -> bool:
    return any(True for _ in _secures(value))


def _secures(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        if set(value) == {"secure"}:
            yield value
        for each in value.values():
            yield from _secures(each)
    elif isinstance(value, list):
        for each in value:
            yield from _secures(each)
