"""What a ``role.yaml`` may say: every key, what it means, and what is refused. docs/roles.md is the page about it.

Sizes are GiB, ports TCP. Names are the file names, units and variables that a node has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import Annotated, Any, Literal

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _, listed
from pulumi_llm.roles.kinds import (
    NAME,
    ODD,
    Code,
    FolderPath,
    Gib,
    ImageName,
    Loopback,
    Name,
    NodePath,
    Port,
    Secret,
    Text,
    Title,
    Version,
)
from pulumi_llm.roles.manifest_vectors import Backup, Sizing, Vectorizer, Weakness
from pulumi_llm.roles.reading import Between, Like, called

part = dataclass(frozen=True, kw_only=True)


@part
class Needs:
    """What a role needs of its machine."""

    roles: tuple[Name, ...] = ("node",)
    """Roles that come with it, the ones that are looked at first before."""
    memory_gib: Gib = 0
    """Host memory, by default; whoever asks for the role may give another ``memory_gib``."""
    disk_gib: Gib = 0
    """Room on the data disk, by default; whoever asks for the role may give another ``disk_gib``."""
    disk_percent: Annotated[int, Between(1, 100)] = 100
    """How full the data disk may be for it to write, whatever fills it."""
    gpu: bool = False


@part
class Packages:
    """Ubuntu packages, by the stage that installs them."""

    base: tuple[Text, ...] = ()
    services: tuple[Text, ...] = ()
    source: Text
    source_date: Text


@part
class Wheels:
    """A locked set of wheels: `tools/lock` writes it."""

    digest: Annotated[str, Like(r"[0-9a-f]+", "a digest in hexadecimal digits")]
    count: int
    download_bytes: int
    unpacked_bytes: int
    source: Text
    source_date: Text


@part
class Environment:
    """A Python environment of its own, by name; its wheels are in the lock of that name."""

    version: Text
    requirement: str
    without: dict[str, Text] = field(default_factory=dict)
    """Packages of the requirement that a node does not install, and why."""
    excluded: dict[str, Text] = field(default_factory=dict)  # with what is needed for them alone
    source: Text
    source_date: Text
    wheels: Wheels
    stage: Name = "environments"
    """The stage that installs it."""
    tool: bool = False
    """It installs the other environments, and is none itself."""
    python: Text = ""
    """Its own Python, which uv fetches where the system has another one (""): what uv knows it by, with its digest."""
    platform: Text = ""
    """For which wheels are locked, where its machines run another system than the usual one."""
    like: Text = ""
    """Another environment, whose versions its lock has where it can."""


@part
class Image:
    """A container image, by its full name with registry and tag or digest."""

    image: ImageName
    source: Text
    source_date: Text

    def mistakes(self) -> Iterator[str]:
        """What does not go together."""
        __, __, last = self.image.rpartition("/")
        if last.endswith(":latest") or not (":" in last or "@" in last):
            yield _("{image} has neither a version nor a digest: what a node runs is pinned", image=self.image)


@part
class Install:
    """What is fetched: each thing pinned, with its source and date."""

    packages: Packages | None = None
    environments: dict[Name, Environment] = field(default_factory=dict)
    images: dict[Name, Image] = field(default_factory=dict)


@part
class User:
    """A user with a fixed number: the data disk outlives the machine, and its files must stay the same user's."""

    id: Annotated[int, Between(470, 499)]
    title: Title
    home: Annotated[str, Like(r"/[\w./-]+", "an absolute path")]
    early: bool = False
    """It stands in the user data of every machine; only this package's own roles have such."""


@part
class Folder:
    """A folder of the data disk, by its name under /srv/llm."""

    owner: Name
    early: bool = False
    """The stage ``disk`` makes it, at boot, so that it stands in the user data; others come with the settings."""


@part
class Service:
    """The unit ``llm-<name>.service`` that runs in the end; without a file of its own, the one for compose files."""

    name: Name
    socket: bool = False
    """systemd listens for it (``llm-<name>.socket``), so that callers wait while the service starts anew."""


@part
class Steps:
    """Data that one minor version takes over from the one before, and from no other."""

    first: Version
    """What wrote data beside which no version was noted."""
    code: Text


@part
class Compose:
    """How a container service is run; its compose file is ``compose.yaml.j2`` in the role's folder."""

    project: Name | None = None
    """Docker compose's project; default: ``llm-<role>``."""
    keeps: Name | None = None
    """What it keeps in the role's folder on the data disk, as a noun: the compose file that wrote it is kept beside."""
    minor_by_minor: Steps | None = None
    on_stop: Text = _("what is under way comes to its end first")
    """Why it is stopped by ``docker compose down``, for whoever reads the unit."""


@part
class Health:
    """Where a service says that it is well: any answer but an error will do; ``tcp://``: it takes a call."""

    url: Annotated[
        str,
        Like(
            r"http://127\.0\.0\.1:\d{1,5}/[\w./?=&-]*|tcp://127\.0\.0\.1:\d{1,5}",
            "an http:// address on 127.0.0.1, or tcp://127.0.0.1 and a port",
        ),
    ]


@part
class Credential:
    """A secret that the node is given, and the file that it is written to."""

    title: Title
    generate: bool = False
    """Pulumi makes one: 40 letters and digits. Otherwise whoever asks for the role gives it."""
    optional: bool = False
    user: Text | None = None
    """Whom the service knows by it."""
    file: FolderPath
    """Under /srv/llm/secrets; readable by ``owner`` alone."""
    owner: Name = "root"
    restarts: bool = True
    """The service starts anew when it changes."""
    variable: Annotated[str, Like(r"[A-Z][A-Z0-9_]*", "a name in capital letters")] | None = None
    """The environment variable that it is in that file; without one the file is the secret."""
    reads_status: Name | None = None
    """Who has it may read the status, under this name, on a node without a gateway."""


@part
class Listener:
    """A port of Caddy's that leads to the service on loopback, or one on which the service ends TLS itself."""

    title: Title
    port: Port
    to: Loopback | None = None
    """Where it leads. One that leads nowhere has the status document alone, on a node without a gateway."""
    protocol: Literal["http", "grpc", "tls"] = "http"
    """``tls``: the service listens, not Caddy, with the node's certificate: its protocol is none of Caddy's."""
    key: Literal["gate", "own", "front", "none"]
    """Who asks for a key: the gateway (its keys, with their limits), the service itself, Caddy, or nobody."""
    secret: Secret | None = None
    """Which of the role's secrets Caddy asks for (``key: front``), as a bearer token. The service never sees it."""
    because: Text | None = None
    """Why nobody asks for a key."""
    paths: Text = "^/"
    """What is let through of the request line's own path and query: a regular expression as Go reads it (RE2)."""
    excluded: Text | None = called("except", ODD)
    """And what of that is not; default: paths that the server behind may read otherwise than they are written."""
    max_body: Annotated[str, Like(r"\d+[KMG]B", "a size such as 8MB")] = "8MB"
    about: Text | None = None
    """A comment in Caddy's configuration."""

    def mistakes(self) -> Iterator[str]:
        """What does not go together."""
        if (self.key == "none") != (self.because is not None):
            yield _("a listener that nobody asks a key of says why (`because`), and no other does")
        if (self.key == "front") != (self.secret is not None):
            yield _("a listener whose key Caddy asks for names the secret (`secret`), and no other does")
        if self.key == "front" and self.protocol != "http":
            yield _("Caddy asks for a key of HTTP alone")
        if self.key == "gate" and self.protocol == "grpc":
            yield _("the gateway checks no keys of gRPC: the service has to ask for one itself (`key: own`)")
        if self.protocol == "tls" and (self.key != "own" or self.to is not None):
            yield _("a service that ends TLS itself (`protocol: tls`) asks for its key itself, and Caddy leads nowhere")
        if self.protocol == "grpc" and self.to is None:
            yield _("a listener of gRPC leads to a port on loopback (`to`)")
        for pattern in (self.paths, self.excluded):
            if pattern is not None and any(each in pattern for each in '"`'):
                yield _(
                    "{pattern!r}: a quote or a backquote would end the pattern in Caddy's configuration",
                    pattern=pattern,
                )


@part
class File:
    """A file of the node, from one of the role's folder; one that ends in ``.j2`` is filled in."""

    path: NodePath
    template: FolderPath
    mode: Annotated[str, Like(r"0[0-7]{3}", "a mode such as 0644")] = "0644"
    restarts: bool = False
    """The service starts anew when it changes."""
    early: bool = False
    """The stages need it."""


@part
class Stage:
    """A part of the boot, a systemd oneshot ``llm-<name>.service``."""

    name: Name
    title: Title
    after: tuple[Name, ...] = ()
    starts: Literal["user-data", "settings"] = "settings"
    """At once, or when the settings come over SSH, a minute later: code and digests do not fit into user data."""
    order: Annotated[int, Between(1, 999)] = 90
    """Where it stands in the status document; systemd goes by ``after``."""


@part
class Output:
    """What a component tells of the service: an address of a listener, or a secret."""

    url: Name | None = None
    authority: Name | None = None
    secret: Secret | None = None
    before: Text | None = None
    after: Text | None = None
    """What stands before and after an authority, as in ``postgresql://user@``…``/database``."""

    def mistakes(self) -> Iterator[str]:
        """What does not go together."""
        if sum(each is not None for each in (self.url, self.authority, self.secret)) != 1:
            yield _("an output is one of url, authority, secret")
        if (self.before or self.after) and not self.authority:
            yield _("`before` and `after` are of an authority")


@part
class Manifest:
    """A whole role.yaml."""

    title: Title
    code: Annotated[str, Like(r"[\w.]+:\w+", "module:Class")] | None = None
    """The class that does what a file cannot say, ``module:Class``; default: none is needed."""
    argument: Name | None = None
    """The components' own argument that asks for it; every role can be asked for under ``services``."""
    default: bool = False
    """Of several roles that one argument asks for: the one that is meant where none is named."""
    starts: Annotated[int, Between(0, 99)] = 50
    """When its service is started among the others': what asks after what it asks."""
    needs: Needs = Needs()
    loopback: tuple[Port, ...] = ()
    """The ports that it takes on loopback."""
    install: Install = Install()
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the role's code is to know."""
    users: dict[Name, User] = field(default_factory=dict)
    folders: dict[Name, Folder] = field(default_factory=dict)
    service: Service | None = None
    compose: Compose | None = None
    files: tuple[File, ...] = ()
    health: Health | None = None
    secrets: dict[Secret, Credential] = field(default_factory=dict)
    listeners: dict[Name, Listener] = field(default_factory=dict)
    stages: tuple[Stage, ...] = ()
    outputs: dict[Secret, Output] = field(default_factory=dict)
    hints: dict[Code, Text] = field(default_factory=dict)
    sizing: Sizing | None = None
    """Of a vector store."""
    vectorizer: Vectorizer | None = None
    """Of a vector store that can ask a model for vectors."""
    backup: Backup | None = None
    """How what it keeps is saved and put back."""
    weak: tuple[Weakness, ...] = ()
    """What is known against it."""

    def mistakes(self) -> Iterator[str]:
        """What does not go together."""
        unknown = [
            each.secret for each in self.listeners.values() if each.secret and not self._is_variable(each.secret)
        ]
        if unknown:
            yield _("{unknown}: there is no secret of that name with a variable", unknown=listed(unknown))
        lost = [f"output {name}" for name, each in self.outputs.items()
                if (each.url or each.authority or each.secret) not in {*self.listeners, *self.secrets}]  # fmt: skip
        if lost:
            yield _("{lost}: there is no listener or secret of that name", lost=listed(lost))
        ports = {int(each.to.rpartition(":")[2]) for each in self.listeners.values() if each.to} - {*self.loopback}
        if ports:
            yield _("loopback leaves out {ports}, where its listeners lead", ports=listed(map(str, sorted(ports))))
        mine = any(each.stage == "environments" and not each.tool for each in self.install.environments.values())
        if mine and "wheels" not in self.needs.roles:
            yield _("install.environments: they are installed by the role wheels, which it needs")
        if self.compose is not None and (self.service is None or "docker" not in self.needs.roles):
            yield _("a compose file is run by a service, and needs the role docker")
        if self.compose is not None and self.compose.minor_by_minor is not None and not self.compose.keeps:
            yield _("compose.minor_by_minor: what it keeps has no name (`keeps`)")
        if self.listeners and not {"caddy", "gateway"} & {*self.needs.roles}:
            yield _("listeners are Caddy's: it needs the role caddy")
        if self.backup is not None and (self.health is None or len(self.folders) != 1):
            yield _("a backup is of a service with one folder, which says that it is well (`health`)")
        if self.default and self.argument is None:
            yield _("`default` is of an argument, and none is named")
        gate = any(each.key == "gate" for each in self.listeners.values()) and self.code is None
        if gate and "gateway" not in self.needs.roles:
            yield _("`key: gate` is the gateway's key: it needs the role gateway")
        if (self.health or self.listeners) and self.service is None:
            yield _("health and listeners are of a service, and none is named")

    def _is_variable(self, secret: str) -> bool:
        return secret in self.secrets and self.secrets[secret].variable is not None

    @property
    def version(self) -> str:
        """Of the first environment or image that it pins; "" where it pins none."""
        for environment in self.install.environments.values():
            return environment.version
        for image in self.install.images.values():
            return image.image.rpartition("/")[2].partition("@")[0].partition(":")[2].removeprefix("v")
        return ""

    @property
    def in_front(self) -> tuple[str, ...]:
        """The secrets that Caddy asks for."""
        return tuple(dict.fromkeys(each.secret for each in self.listeners.values() if each.secret))


__all__ = ["NAME", "Credential", "Environment", "File", "Folder", "Listener", "Manifest", "Stage", "User"]
