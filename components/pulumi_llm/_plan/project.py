"""Find a Pulumi project and read one stack's configuration as the engine reads it, without the engine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pulumi_llm import _engine_yaml, _yaml
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _, either
from pulumi_llm.errors import Finding, Refusal, UnknownName, nearest

ENCRYPTED = "[encrypted]"
"""Stands for a secret that only the engine can decrypt."""
LARGEST = 4 << 20
"""Bytes of a Pulumi.yaml or a stack's file that are read; the largest that we know has some ten thousand."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with a Pulumi.yaml, and what that says."""

    path: Path
    document: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        """Where the Pulumi.yaml is."""
        return self.path.parent

    @property
    def name(self) -> str:
        """The project's name, which is the namespace of its own config keys."""
        return str(self.document["name"])

    @property
    def main(self) -> Path:
        """The program, or the folder that it is in."""
        return self.folder / str(self.document.get("main") or ".")

    @property
    def stack_folder(self) -> Path:
        """Where the stacks' files are."""
        old_spelling = self.document.get("config")
        named = self.document.get("stackConfigDir") or (old_spelling if isinstance(old_spelling, str) else ".")
        return self.folder / str(named)

    @property
    def defaults(self) -> Mapping[str, Any]:
        """What the Pulumi.yaml declares of the configuration, by key."""
        declared = self.document.get("config")
        return declared if isinstance(declared, Mapping) else {}

    @property
    def declared_secrets(self) -> list[str]:
        """The secret keys that are declared and have no default, as full names (``project:key``)."""
        return [
            full_name(self.name, key)
            for key, entry in self.defaults.items()
            if isinstance(entry, Mapping) and entry.get("secret") and not {"default", "value"} & entry.keys()
        ]

    def stacks(self) -> list[str]:
        """The stacks that have a file, which ends as the Pulumi.yaml does."""
        ending = self.path.suffix
        return sorted(
            path.name[len("Pulumi.") : -len(ending)]
            for path in self.stack_folder.glob(f"Pulumi.*{ending}")
            if path.is_file()
        )

    def stack_file(self, stack: str) -> Path:
        """Where the stack's file is, or would be: a stack needs none.

        Raises :class:`UnknownName` (``stack.unknown``) for what cannot be a stack's name.
        """
        if not _NAME.fullmatch(stack):
            hint = _("(letters, digits, `-`, `_` and `.`)")
            raise UnknownName("stack.unknown", _("stack"), stack, self.stacks(), hint=hint)
        return self.stack_folder / f"Pulumi.{stack}{self.path.suffix}"


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
        found = at(folder)
        if found is not None:
            return found
    raise Refusal(
        [
            Finding(
                "project.not-found",
                _("there is no Pulumi.yaml in {start} or above it", start=start),
                _("run this in a Pulumi project"),
            )
        ]
    )


def at(folder: Path) -> Project | None:
    """The project whose Pulumi.yaml is in ``folder`` itself. Raises :class:`Refusal` (``project.unreadable``)."""
    paths = (folder / name for name in ("Pulumi.yaml", "Pulumi.yml"))
    return next((_read(path) for path in paths if path.is_file()), None)


def read_stack(project: Project, stack: str) -> StackConfig:
    """The stack's configuration; where it has no file, what the Pulumi.yaml says of every stack.

    Secrets that are encrypted stay so: see :data:`ENCRYPTED`. Raises :class:`Refusal` (``stack.unreadable``,
    ``project.not-yaml``, ``project.unreadable``).
    """
    raw: dict[str, Any] = {}
    for key, declared in project.defaults.items():
        value = declared.get("value", declared.get("default")) if isinstance(declared, Mapping) else declared
        if value is not None:
            raw[full_name(project.name, key)] = value
    path = project.stack_file(stack)
    config = (read_yaml(path).get("config") if path.is_file() else None) or {}
    if not isinstance(config, Mapping):
        raise Refusal([Finding("stack.unreadable", _("`config:` in {path} is not a mapping", path=path))])
    raw |= {full_name(project.name, key): "" if value is None else value for key, value in config.items()}
    secret = frozenset(key for key, value in raw.items() if _has_secure(value))
    return StackConfig({key: _text(value) for key, value in raw.items()}, secret, raw)


def fileless(project: Project, stack: str) -> Finding:
    """What to say of a stack that has no file, should there be something to be wanted of it."""
    near = nearest(stack, project.stacks())
    meant = (
        _("did you mean {names}?", names=either(near))
        if near
        else _("`pulumi config set -s {stack}` makes the file", stack=stack)
    )
    return Finding(
        "stack.unknown",
        _("there is no file {name} for the stack {stack!r}", name=project.stack_file(stack).name, stack=stack),
        meant,
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a file of Pulumi's (nothing in it is an empty one).

    Raises :class:`Refusal` (``project.not-yaml``, ``project.unreadable``).
    """
    try:
        with path.open("rb") as file:
            read = file.read(LARGEST + 1)
        if len(read) > LARGEST:
            raise Refusal(
                [
                    Finding(
                        "project.unreadable", _("{path} is larger than {largest} MiB", path=path, largest=LARGEST >> 20)
                    )
                ]
            )
        content = _engine_yaml.load(read.decode("utf-8"))
        _engine_yaml.to_text(content)  # a number that is none
    except (OSError, UnicodeDecodeError) as wrong:
        raise Refusal(
            [Finding("project.unreadable", _("{path} cannot be read: {problem}", path=path, problem=wrong))]
        ) from None
    except ValueError as wrong:
        raise Refusal(
            [Finding("project.not-yaml", _("{path} cannot be used: {problem}", path=path, problem=wrong))]
        ) from None
    except _yaml.YAMLError as wrong:
        place = getattr(wrong, "problem_mark", None)
        line = f" (line {place.line + 1})" if place is not None else ""
        unreadable = isinstance(wrong, _yaml.BadCharacter)  # a character that no text has
        problem = getattr(wrong, "problem", None) or (_("it cannot be parsed") if unreadable else str(wrong))
        raise Refusal(
            [
                Finding(
                    "project.not-yaml", _("{path} is not YAML{line}: {problem}", path=path, line=line, problem=problem)
                )
            ]
        ) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise Refusal([Finding("project.not-yaml", _("{path} does not hold a mapping", path=path))])
    return content


def full_name(project: str, key: str) -> str:
    """A config key with its namespace, which is the project's where none is written."""
    return key if ":" in key else f"{project}:{key}"


def _read(path: Path) -> Project:
    content = read_yaml(path)
    name = content.get("name")
    if not isinstance(name, str) or not name:
        raise Refusal([Finding("project.unreadable", _("{path} has no `name:`", path=path))])
    if "runtime" not in content:
        raise Refusal([Finding("project.unreadable", _("{path} has no `runtime:`", path=path), "runtime: python")])
    return Project(path, content)


def _text(value: Any) -> str:
    return _engine_yaml.to_text(_opened(value))


def _opened(value: Any) -> Any:
    if isinstance(value, Mapping):
        return ENCRYPTED if _is_secure(value) else {key: _opened(each) for key, each in value.items()}
    return [_opened(each) for each in value] if isinstance(value, list) else value


def _is_secure(value: Mapping[str, Any]) -> bool:
    return set(value) == {"secure"} and isinstance(value["secure"], str)


def _has_secure(value: Any) -> bool:
    return any(True for __ in _secures(value))


def _secures(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        if _is_secure(value):
            yield value
        for each in value.values():
            yield from _secures(each)
    elif isinstance(value, list):
        for each in value:
            yield from _secures(each)
