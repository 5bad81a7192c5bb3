"""Which roles there are: every folder with a role.yaml behind an entry point of `GROUP`, our own among them.

An entry point leads to a package, or to a function that returns a folder. The folder is a role, by the entry point's
name, if it has a role.yaml; else each folder in it that has one is a role, by its own name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module, resources
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from pulumi_llm import _engine_scalars, _engine_yaml, _kept, _plain_yaml, _yaml
from pulumi_llm._kept import kept
from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding, Refusal, UnknownName
from pulumi_llm.roles.base import Role
from pulumi_llm.roles.kinds import NAME
from pulumi_llm.roles.manifest import Environment, Manifest
from pulumi_llm.roles.reading import read

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

GROUP = "pulumi_llm.roles"


class Door(NamedTuple):
    """An entry point: its name, and ``package`` or ``module:function``."""

    name: str
    value: str

    def load(self) -> Any:
        """What it leads to."""
        module, __, attribute = self.value.partition(":")
        return getattr(import_module(module), attribute) if attribute else import_module(module)


OURS = Door("pulumi-llm", "pulumi_llm.roles.files:templates")
"""Our own entry point, as pyproject.toml has it: a checkout that was never installed has no metadata to find it in."""
FILE = "role.yaml"

DEFAULT_CHAT = "open-webui"
"""The role of a chat page where none is named; a test holds it against the spec."""

FIRST_OF_OTHERS = 480
"""The first user number that a role of another package may have: two with one number would own each other's data."""


def role(name: str) -> Role:
    """A role by its name.

    Raises:
        UnknownName: ``roles.unknown``.
        Refusal: ``roles.bad-role``, ``roles.bad-entry-point``, ``roles.twice``.
    """
    # Others' packages are asked only for what is not ours: finding them takes as long as all the rest.
    ours = _folders(OURS)
    if name in ours:
        return _made(name)
    if name not in _places():
        raise UnknownName(
            "roles.unknown", _("role"), name, [*ours, *_places()], hint=_("docs/roles.md: a role of one's own")
        )
    return _made(name)


@cache
def built_in() -> Mapping[str, Role]:
    """The roles that come with this package."""
    return {name: _made(name) for name in sorted(_folders(OURS))}


def every() -> Mapping[str, Role]:
    """All roles, others' packages' too."""
    return {**built_in(), **{name: _made(name) for name in sorted(_places())}}


def of_argument(argument: str, engine: object = None) -> Role:
    """The role that the components' own argument asks for: the one called ``engine``, or else its default.

    Raises:
        UnknownName: ``roles.unknown``.
    """
    ours = answering(argument)
    if isinstance(engine, str):
        if engine in ours:
            return ours[engine]
        for name in _places():
            if name == engine and _made(name).manifest.argument == argument:
                return _made(name)
        raise UnknownName("roles.unknown", _("role for {argument}", argument=f"`{argument}`"), engine, ours)
    for each in ours.values():
        if each.manifest.default:
            return each
    known = [each.manifest.argument for each in built_in().values() if each.manifest.argument]
    raise UnknownName("roles.unknown", _("role for the argument"), argument, known)


def answering(argument: str) -> Mapping[str, Role]:
    """The built-in roles that a component's own argument can ask for, its default first."""
    found = [(name, each) for name, each in built_in().items() if each.manifest.argument == argument]
    return dict(sorted(found, key=lambda pair: not pair[1].manifest.default))


def titles(inputs: Mapping[str, Any]) -> list[str]:
    """What the services that a component's inputs ask for are called; one that is not installed here by its name.

    ``ARGUMENT_engine`` among them names which of several roles the argument asks for.
    """
    arguments = {each.manifest.argument for each in built_in().values()} - {None}
    asked = [
        _title(str(each), inputs.get(f"{each}_engine")) for each in sorted(map(str, arguments)) if inputs.get(each)
    ]
    asked += [role(each).manifest.title for each in pages(inputs)]
    services = inputs.get("services")
    for name in services if isinstance(services, Mapping) else ():
        try:
            asked.append(role(str(name)).manifest.title)
        except Refusal:
            asked.append(str(name))
    return asked


def pages(inputs: Mapping[str, Any]) -> list[str]:
    """The roles of the pages that a component's inputs ask for; one that is not known here is left out."""
    apps = inputs.get("apps")
    chat = apps.get("chat") if isinstance(apps, Mapping) else None
    if not isinstance(chat, Mapping):
        return []
    engine = str(chat.get("engine", DEFAULT_CHAT))
    return [engine] if engine in built_in() else []


def _title(argument: str, engine: object) -> str:
    try:
        return of_argument(argument, engine).manifest.title
    except Refusal:
        return str(engine)


def environments() -> dict[str, Environment]:
    """Every Python environment of the built-in roles, by name."""
    return {name: each for role in built_in().values() for name, each in role.manifest.install.environments.items()}


def forget() -> None:
    """Look for roles anew, as after a package was installed."""
    for each in (_folders, _places, _made, built_in):
        each.cache_clear()


@cache
def _folders(entry: Door) -> Mapping[str, Traversable]:
    """The folders of the roles behind an entry point, by name."""
    try:
        loaded = entry.load()
        folder = resources.files(loaded) if isinstance(loaded, ModuleType) else loaded()
        if (folder / FILE).is_file():
            return {entry.name: folder}
        return {each.name: each for each in folder.iterdir() if (each / FILE).is_file()}
    except Refusal:
        raise
    except Exception as wrong:
        message = _(
            "the entry point {entry} = {value} of {group} cannot be used: {problem!r}",
            entry=entry.name,
            value=entry.value,
            group=GROUP,
            problem=wrong,
        )
        hint = _("it leads to a package with a {file}, or to a function that returns such a folder", file=FILE)
        raise Refusal([Finding("roles.bad-entry-point", message, hint)]) from wrong


@cache
def _places() -> Mapping[str, Traversable]:
    """The folders of the roles that other packages bring."""
    found: dict[str, Traversable] = {}
    from importlib import metadata  # it takes its time, and what is ours is found without

    for entry in (Door(each.name, each.value) for each in metadata.entry_points(group=GROUP)):
        if entry.value == OURS.value:
            continue
        for name, folder in _folders(entry).items():
            if name in found or name in _folders(OURS):
                message = _(
                    "{entry} = {value} brings the role {name!r}, which there is already",
                    entry=entry.name,
                    value=entry.value,
                    name=name,
                )
                raise Refusal([Finding("roles.twice", message, _("give it another name, or uninstall one of the two"))])
            found[name] = folder
    return found


@cache
def _made(name: str) -> Role:
    ours = _folders(OURS).get(name)
    folder = _places()[name] if ours is None else ours
    findings = list(_wrong_name(name))
    manifest: Manifest | None = None
    try:
        raw = _read((folder / FILE).read_text(encoding="utf-8"))
        manifest = read(Manifest, raw, lambda place, message: findings.append(_bad(name, place or FILE, message)))
    except (OSError, UnicodeDecodeError, _yaml.YAMLError) as wrong:
        findings.append(_bad(name, FILE, str(wrong)))
    if manifest is not None and ours is None:
        findings += _only_ours(name, manifest)
    if findings or manifest is None:
        raise Refusal(findings)
    kind: Any = Role
    if manifest.code is not None:
        module, __, attribute = manifest.code.partition(":")
        try:
            kind = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as wrong:
            raise Refusal(
                [_bad(name, "code", _("{code} cannot be imported: {problem}", code=manifest.code, problem=wrong))]
            ) from wrong
    made: Role = kind(name, manifest, folder, ours=ours is not None)
    return made


def _read(text: str) -> Any:
    readers = (_engine_yaml, _engine_scalars, _plain_yaml, _yaml)
    return kept("role", (*map(_kept.source, readers), text), lambda: _engine_yaml.load(text))


def _wrong_name(name: str) -> Iterator[Finding]:
    if not NAME.fullmatch(name):
        yield _bad(name, _("its name"), _("1 to 31 small letters, digits and dashes, a letter first"))


def _only_ours(name: str, manifest: Manifest) -> Iterator[Finding]:
    """What the user data of every machine would grow by, or a service could take from another."""
    early = [*(f"users.{key}" for key, each in manifest.users.items() if each.early)]
    early += [f"folders.{key}" for key, each in manifest.folders.items() if each.early]
    early += [f"stages.{each.name}" for each in manifest.stages if each.starts == "user-data"]
    for place in early:
        yield _bad(name, place, _("the user data is this package's alone: what others bring comes with the settings"))
    for user, row_of_user in manifest.users.items():
        if row_of_user.id < FIRST_OF_OTHERS:
            yield _bad(
                name, f"users.{user}.id", _("numbers below {first} are this package's own", first=FIRST_OF_OTHERS)
            )
    for key in manifest.folders:
        if key.partition(".")[0] != name:
            yield _bad(name, f"folders.{key}", _("a role's folders are {name} and {name}.*", name=name))
    allowed = (f"/opt/llm/{name}/", f"/etc/{name}/", f"/etc/systemd/system/llm-{name}")
    for each in manifest.files:
        if not each.path.startswith(allowed):
            yield _bad(name, "files", _("{path} is not under {allowed}", path=each.path, allowed=listed(allowed)))
    if manifest.service is not None and manifest.service.name != name:
        yield _bad(name, "service", _("the service of another's role is called as the role is: {name}", name=name))
    own = name.replace("-", "_")
    for secret, row in manifest.secrets.items():
        if not secret.startswith(own) or not row.file.startswith((f"{name}.", f"{name}-")):
            yield _bad(
                name,
                f"secrets.{secret}",
                _("its secrets are called {own}…, and their files {name}.… or {name}-…", own=own, name=name),
            )
    for code in manifest.hints:
        if code.partition(".")[0] != name:
            yield _bad(name, f"hints.{code}", _("its codes begin with {name}.", name=name))


def _bad(name: str, place: str, message: str) -> Finding:
    return Finding(
        "roles.bad-role",
        _("the role {name!r}: {place}: {message}", name=name, place=place, message=message),
        _("docs/roles.md tells every key"),
    )


__all__ = [
    "FILE",
    "GROUP",
    "OURS",
    "answering",
    "built_in",
    "environments",
    "every",
    "forget",
    "of_argument",
    "pages",
    "role",
    "titles",
]
