"""A role as its folder says it: everything that it puts on a node. A role with code of its own overrides what it must.

Methods take the node, because what a role does may depend on what runs beside it. None has a side effect.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.roles import compose, files
from pulumi_llm.roles.manifest import Wheels
from pulumi_llm.roles.requests import Asked, GatewayRole, NodeRequest, ServiceRole

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from pulumi_llm.roles.manifest import Listener, Manifest, Stage

UNITS = "/etc/systemd/system"
SECRETS = "/srv/llm/secrets"
PYTHON = "3.12"
"""The Python that a role.yaml's wheels are for; `locks/PYTHON` has those of other systems."""
FRONT = "llm-caddy.service"
"""Who asks for a key that a service does not ask for itself."""
PROBE = "node-probe"
"""Whom the node's own key belongs to, with which it asks itself whether it answers."""

EVERY = {
    "crashes": _("the last lines say why"),
    "port-taken": _("another program listens where it would; ss -ltnp"),
    "missing-file": _("it names the file; pulumi up with any change puts files back"),
    "permission-denied": _("it names the file"),
    "disk-full": _("enlarge the disk"),
    "out-of-memory": _("raise its memory_gib, or take an instance type with more memory"),
}
"""What can happen to any service (templates/node/signs.json), and what to do where its role.yaml says nothing."""

Row = dict[str, Any]


def file_row(path: str, content: str, *restart: str, mode: str = "0644", early: bool = False) -> Row:
    """One file of the settings; ``restart``: units that have to notice; ``early``: the stages need it already."""
    return {"path": path, "mode": mode, "owner": "root", "content": content, "restart": [*restart], "early": early}


def secret_row(name: str, owner: str, form: str, entries: Mapping[str, str], *restart: str) -> Row:
    """One file of secrets, by its name under `SECRETS`; ``entries``: secret to what it is called there."""
    path = f"{SECRETS}/{name}"
    return {"path": path, "owner": owner, "format": form, "entries": {**entries}, "restart": [*restart]}


def sites_of(node: NodeRequest, port: int) -> list[dict[str, str]]:
    """What Caddy calls its sites on a port, each with the snippet that has its certificate.

    One answers to whatever name: its certificate is ours. Where an authority signs for the node's name, that name has
    a site of its own.
    """
    sites = [{"address": f":{port}", "certificate": "tls"}]
    if node.authority is not None:
        sites.append({"address": f"{node.domain}:{port}", "certificate": "acme"})
    return sites


def told(role: str, asked: Asked | None) -> Asked:
    """What is asked of a role that cannot be had without being asked.

    Raises:
        Refusal: ``roles.not-asked`` where another role needs it and nobody said how it shall be.
    """
    if asked is None:
        message = _("a role of this node needs the role {role!r}, and nothing says what that shall be like", role=role)
        raise Refusal([Finding("roles.not-asked", message, _("a model server and an overseas proxy have a gateway"))])
    return asked


class Role:
    """A role whose role.yaml says all: a container with its compose file, or Python wheels with a unit."""

    def __init__(self, name: str, manifest: Manifest, folder: Traversable, *, ours: bool) -> None:
        self.name, self.manifest, self.folder, self.ours = name, manifest, folder, ours
        self._texts: dict[str, str] = {}

    # Its folder.

    def has(self, name: str) -> bool:
        """Whether there is such a file in its folder."""
        return self.folder.joinpath(*name.split("/")).is_file()

    def text(self, name: str) -> str:
        """A file of its folder, as it is."""
        if name not in self._texts:
            self._texts[name] = self.folder.joinpath(*name.split("/")).read_text(encoding="utf-8")
        return self._texts[name]

    def filled(self, name: str, node: NodeRequest) -> str:
        """A file of its folder; one whose name ends in ``.j2`` with the values filled in.

        Raises:
            Refusal: ``roles.bad-template`` where there is none, or it cannot be filled in.
        """
        from jinja2 import TemplateError  # only who fills a node's files in needs it: not the fit check

        try:
            text = self.text(name)
            return files.filled(text, self.values(node)) if name.endswith(".j2") else text
        except (OSError, UnicodeDecodeError, TemplateError) as wrong:
            message = _(
                "the role {name!r}: {name_2} cannot be used: {problem}", name=self.name, name_2=name, problem=wrong
            )
            hint = _("docs/roles.md tells which values a template is given")
            raise Refusal([Finding("roles.bad-template", message, hint, where=node.name)]) from None

    def lock(self, environment: str, python: str = PYTHON) -> str:
        """The locked wheels of one of its environments, for a Python that `wheels` has some for."""
        python = self._python(environment, python)
        own = f"locks/{environment}.txt" if python == PYTHON else f"locks/{python}/{environment}.txt"
        return self.text(own) if self.has(own) else files.text(own)

    def wheels(self, environment: str, python: str = PYTHON) -> Wheels | None:
        """What the lock of one of its environments comes to; None: there is none for that Python."""
        python = self._python(environment, python)
        if python == PYTHON:
            return self.manifest.install.environments[environment].wheels
        pins, lock = f"locks/{python}/pins.json", f"locks/{python}/{environment}.txt"
        if self.has(f"locks/{environment}.txt"):  # its folder has its own
            told = json.loads(self.text(pins)) if self.has(lock) and self.has(pins) else {}
        else:
            told = files.data(pins)
        return Wheels(**told[environment]) if environment in told else None

    def _python(self, environment: str, python: str) -> str:
        """The Python whose lock an environment has on a system with that one: some bring a Python of their own."""
        own = self.manifest.install.environments[environment].python
        return ".".join(own.split(".")[:2]) if own else python

    # What is asked of it.

    def runs(self, node: NodeRequest) -> bool:
        """Whether its stages and its service are on this node."""
        return True

    @property
    def unit(self) -> str | None:
        """Its service's unit."""
        return f"llm-{self.manifest.service.name}.service" if self.manifest.service else None

    def units(self, node: NodeRequest) -> tuple[str, ...]:
        """What systemd starts for it, in order: its socket first, where systemd listens for it."""
        return self._own_units

    def ahead(self, node: NodeRequest) -> tuple[str, ...]:
        """Those of its units that a new node starts before all is installed: they wait for their own stages."""
        return ()

    def before(self, node: NodeRequest) -> tuple[str, ...]:
        """Modules of its own that the node asks before it changes anything (``before``, see apply.py)."""
        return ()

    @property
    def _own_units(self) -> tuple[str, ...]:
        """Those that its folder or its compose file makes."""
        if self.unit is None or self.manifest.service is None:
            return ()
        return (self.unit.replace(".service", ".socket"), self.unit) if self.manifest.service.socket else (self.unit,)

    def health(self, node: NodeRequest) -> dict[str, str]:
        """Where each of its services says that it is well, by the name that the node's codes have for it."""
        if self.unit is None or self.manifest.health is None:
            return {}
        return {self.unit.removeprefix("llm-").removesuffix(".service"): self.manifest.health.url}

    def memory_gib(self, node: NodeRequest) -> int:
        """Host memory that it takes."""
        asked = node.asked(self.name)
        given = asked.memory_gib if isinstance(asked, ServiceRole) else None
        return self.manifest.needs.memory_gib if given is None else given

    def disk_gib(self, node: NodeRequest) -> int:
        """Room that it takes on the data disk."""
        asked = node.asked(self.name)
        given = asked.disk_gib if isinstance(asked, ServiceRole) else None
        return self.manifest.needs.disk_gib if given is None else given

    def listeners(self, node: NodeRequest) -> dict[str, tuple[int, Listener]]:
        """The ports that lead to it, Caddy's and its own, with what may pass, by name."""
        asked = node.asked(self.name)
        ports = asked.ports if isinstance(asked, ServiceRole) else {}
        # The gateway tells the status where there is one.
        told = node.of(GatewayRole) is not None
        return {
            name: (ports.get(name, each.port), each)
            for name, each in self.manifest.listeners.items()
            if each.to is not None or each.protocol == "tls" or not told
        }

    def check(self, node: NodeRequest) -> list[Finding]:
        """What would keep it from starting on this node; of a role without code, what its files are refused for."""
        if self.manifest.code is not None:
            return []
        try:
            self.files(node)
        except Refusal as refusal:
            return list(refusal.findings)
        return []

    # What it puts on the node.

    def stages(self, node: NodeRequest) -> tuple[Stage, ...]:
        """The parts of the boot that it needs."""
        return self.manifest.stages if self.runs(node) else ()

    def document(self, node: NodeRequest) -> Row:
        """What its stages read in /opt/llm/node.json, which is part of the user data: as little as can be."""
        return {}

    def supply(self, node: NodeRequest) -> Row:
        """What its stages read in /opt/llm/supply.json beside packages, images and environments."""
        return {}

    def environments(self, node: NodeRequest) -> tuple[str, ...]:
        """The Python environments that it has on this node: names in its role.yaml, each with a lock."""
        return tuple(name for name, each in self.manifest.install.environments.items() if not each.tool)

    def values(self, node: NodeRequest) -> Row:
        """What its templates are filled in with."""
        install = self.manifest.install
        return {
            "name": self.name,
            "title": self.manifest.title,
            "memory_gib": self.memory_gib(node),
            "disk_gib": self.disk_gib(node),
            "image": {name: each.image for name, each in install.images.items()},
            "venv": {
                name: f"/opt/llm/venv/{name}-{install.environments[name].version}" for name in self.environments(node)
            },
            "port": {name: port for name, (port, __) in self.listeners(node).items()},
            "secrets": SECRETS,
            "data": f"/srv/llm/{self.name}",
            "users": {name: each.id for name, each in self.manifest.users.items()},
            "node": node,
        }

    def files(self, node: NodeRequest) -> list[Row]:
        """The files of the settings: those that its role.yaml names, its compose file, its unit."""
        if not self.runs(node):
            return []
        restart = (self.unit,) if self.unit else ()
        rows = [
            file_row(
                each.path,
                self.filled(each.template, node),
                *(restart if each.restarts else ()),
                mode=each.mode,
                early=each.early,
            )
            for each in self.manifest.files
        ]
        if self.manifest.compose is not None:
            rows.append(file_row(compose.path(self.name), self._compose(node), *restart))
        # systemd opens no socket for a service that runs, so a new one is for a service that starts anew.
        return rows + [file_row(f"{UNITS}/{each}", self._unit(each, node), *self._own_units[place:])
                       for place, each in enumerate(self._own_units)]  # fmt: skip

    def _compose(self, node: NodeRequest) -> str:
        text = self.filled("compose.yaml.j2", node)
        images = [each.image for each in self.manifest.install.images.values()]
        if mistakes := compose.mistakes(self.name, text, images):
            raise Refusal([each.placed(node.name) for each in mistakes])
        return text

    def _unit(self, unit: str, node: NodeRequest) -> str:
        for name in (f"{unit}.j2", unit):
            if self.has(name):
                return self.filled(name, node)
        how = self.manifest.compose
        if how is None or unit != self.unit:
            message = _(
                "the role {name!r} has a service, and neither {unit} nor a compose file in its folder",
                name=self.name,
                unit=unit,
            )
            raise Refusal(
                [Finding("roles.bad-role", message, _("{unit}.j2, or `compose`", unit=unit), where=node.name)]
            )
        values = {"title": self.manifest.title, "name": self.name, "keeps": how.keeps, "on_stop": how.on_stop}
        return files.fill("docker/service.j2", **values, project=how.project or f"llm-{self.name}")

    def containers(self, node: NodeRequest) -> list[str]:
        """What docker calls its containers."""
        if self.manifest.compose is None:
            return []
        project = self.manifest.compose.project or f"llm-{self.name}"
        return [f"{project}-{each}-1" for each in compose.services(self._compose(node))]

    def takes_over(self) -> list[Row]:
        """What the stage ``images`` compares before it fetches: the version that wrote data, and the one to come."""
        how = self.manifest.compose
        if how is None or how.minor_by_minor is None:
            return []
        data, first = f"/srv/llm/{self.name}", [int(each) for each in how.minor_by_minor.first.split(".")]
        step = {"code": how.minor_by_minor.code, "title": self.manifest.title, "keeps": how.keeps, "first": first}
        return [{**step, "image": self.manifest.install.images[self.name].image, "data": data, "wrote": f"{data}.yaml"}]

    def code(self) -> dict[str, str]:
        """Modules of its own for the node, such as a stage's: path under the node's library to source."""
        folder = self.folder / "stages"
        names = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
        return {f"llm_node/{name}": self.text(f"stages/{name}") for name in names if name.endswith(".py")}

    def code_on(self, node: NodeRequest) -> dict[str, str]:
        """Those modules that this node gets: all of them."""
        return self.code()

    def twin(self, node: NodeRequest) -> NodeRequest | None:
        """The same node with its service as another unit, which may start while this one runs; None: it has none."""
        return None

    def turns(self, node: NodeRequest) -> Row | None:
        """Of a role with a twin: its unit and how the node asks it; see templates/node/llm_node/beside.py."""
        return None

    # Secrets and keys.

    def required_secrets(self, node: NodeRequest) -> list[str]:
        """Secrets that the node must be given."""
        return [name for name, each in self.manifest.secrets.items() if not each.optional]

    def optional_secrets(self, node: NodeRequest) -> list[str]:
        """Secrets that the node may be given."""
        return [name for name, each in self.manifest.secrets.items() if each.optional]

    def secret_files(self, node: NodeRequest, *, optional: bool = False) -> list[Row]:
        """The files that its secrets are written to; those of optional ones apart."""
        rows: dict[str, Row] = {}
        for name, each in self.manifest.secrets.items():
            if each.optional is not optional:
                continue
            form = "env" if each.variable else "raw"
            unit = FRONT if name in self.manifest.in_front else self.unit
            restart = (unit,) if unit and each.restarts else ()
            row = rows.setdefault(each.file, secret_row(each.file, each.owner, form, {}, *restart))
            row["entries"][name] = each.variable or ""
        return list(rows.values())

    def generated(self, node: NodeRequest) -> tuple[str, ...]:
        """Secrets that the node makes for itself, and keeps."""
        return ()

    def callers(self, node: NodeRequest, *, gateway: bool) -> dict[str, str]:
        """Secrets by which a caller of the node is known, and the caller's name. ``gateway``: there is one."""
        named = {name: each.reads_status for name, each in self.manifest.secrets.items() if each.reads_status}
        return {} if gateway else {name: str(user) for name, user in named.items()}

    # While it runs.

    def hints(self) -> dict[str, str]:
        """What to do about its codes; of a service, about those that every service can have."""
        service = self.manifest.service.name if self.manifest.service else None
        own = {f"{service}.{kind}": f"sudo /opt/llm/bin/llm-node logs {service}: {why}" for kind, why in EVERY.items()}
        return {**(own if service else {}), **self.manifest.hints}

    def sites(self, node: NodeRequest, status_port: int | None) -> list[str]:
        """Its parts of Caddy's configuration. The status document is told on ``status_port``."""
        return [
            files.fill(
                "caddy/site.j2",
                name=name,
                site=site,
                each=each,
                variable=self.manifest.secrets[each.secret].variable if each.secret else None,
                status=port == status_port,
            )
            for name, (port, each) in self.listeners(node).items()
            if each.protocol != "tls"
            for site in sites_of(node, port)
        ]

    def rests(self, node: NodeRequest) -> dict[str, str]:
        """Units whose upstream of the gateway gets nothing new before they are restarted, with its name."""
        return {}

    def watched(self, node: NodeRequest) -> Row:
        """What the watch asks of it beside its health; see templates/node/llm_node/watch.py."""
        return {}


__all__ = ["PROBE", "SECRETS", "UNITS", "Role", "Row", "file_row", "secret_row", "sites_of"]
