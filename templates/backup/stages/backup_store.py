"""The vector store of this node: who it is, how it is stopped and started, and what its role's own means are.

Other services that keep what cannot be made anew, such as the chat page, stand beside it: their files go along.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from llm_node import status
from llm_node.system import Failure, at, must

CONFIG, FOLDER = "/opt/llm/backup/backup.json", "/srv/llm/backup"
UNDER_WAY = f"{FOLDER}/under-way.json"
POLL = float(os.environ.get("LLM_POLL_SECONDS", "2"))
PATIENCE = 1800.0  # seconds until a store that was started answers


BESIDE = ".beside"
"""In an archive and in a copy: a folder for each service beside the store, by its role's name."""


class Service:
    """A service of this node, and the folder that it keeps things in. Paths are where they lie under a test's root."""

    def __init__(self, said: dict[str, Any]) -> None:
        self.said = said
        self.title, self.unit, self.owner = said["title"], said["unit"], said["owner"]
        self.data = at(said["data"])

    def stop(self) -> None:
        """Stop it, by its unit."""
        must("backup.engine-failed", "systemctl", "stop", self.unit)

    def start(self) -> None:
        """Start it, and wait until it is well."""
        must("backup.engine-failed", "systemctl", "start", self.unit)
        watch, until = import_module("llm_node.watch"), time.monotonic() + PATIENCE
        while True:
            try:
                watch.answer("backup.engine-failed", self.said["health"])
                return
            except Failure:
                if time.monotonic() > until:
                    raise
            time.sleep(POLL)

    def own(self, folder: Path) -> None:
        """Give all in a folder to the store's user."""
        from llm_node.system import own

        for each in (folder, *folder.rglob("*")):
            if not each.is_symlink():
                own(each, self.owner)


class Beside(Service):
    """One whose files go along with the store's."""

    def __init__(self, said: dict[str, Any]) -> None:
        super().__init__(said)
        self.name, self.version = said["name"], said["version"]

    def copy(self, into: Path) -> None:
        """Its files, while it is stopped."""
        self.stop()
        try:
            # Without what is neither file nor folder: a socket, as a program leaves one, is nothing to keep.
            shutil.copytree(self.data, into, symlinks=True, ignore=odd)
        finally:
            self.start()


class Store(Service):
    """What /opt/llm/backup/backup.json says of it."""

    def __init__(self) -> None:
        said: dict[str, Any] = status.read(at(CONFIG))
        if not said:
            raise Failure("backup.no-target", "this node has no backups: vectors.backup is not in its settings")
        super().__init__(said)
        self.engine, self.folder = said["engine"], at(FOLDER)
        self.means: Any = import_module("llm_node.backup_of") if said["module"] else None
        self.beside = [Beside(each) for each in said.get("beside", [])]

    def secret(self, name: str) -> str:
        """One of the store's own, as it lies on the node."""
        row = self.said["secrets"][name]
        text = at(row["file"]).read_text().strip()
        if not row["variable"]:
            return text
        return next(line.partition("=")[2] for line in text.splitlines() if line.startswith(row["variable"] + "="))

    def version(self) -> str:
        """As the store itself says; where its role has no such means, as its role pins it."""
        return str(self.means.version(self)) if hasattr(self.means, "version") else str(self.said["version"])

    def count(self) -> int | None:
        """How many objects, rows or vectors it has; None: its role has no means to tell."""
        return int(self.means.count(self)) if hasattr(self.means, "count") else None

    @property
    def by_files(self) -> bool:
        """Whether its files are copied while it is stopped: its role has no means of its own."""
        return not hasattr(self.means, "dump")


def odd(folder: str, names: list[str]) -> list[str]:
    """Of a folder's names, those of sockets, pipes and devices."""
    modes = {name: os.lstat(os.path.join(folder, name)).st_mode for name in names}  # noqa: PTH118
    return [n for n, mode in modes.items() if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))]


def call(url: str, headers: dict[str, str], body: Any = None, method: str | None = None) -> Any:
    """What the store answers on loopback, as JSON; a Failure with its own words where it refuses."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data=data, headers={"Content-Type": "application/json", **headers}, method=method)  # noqa: S310
    try:
        with urlopen(request, timeout=600) as reply:  # noqa: S310 - loopback only
            return json.loads(reply.read() or b"null")
    except HTTPError as error:
        said = " ".join(error.read(600).decode(errors="replace").split())
        raise Failure("backup.engine-failed", f"{request.get_method()} {url} answered {error.code}: {said}") from None
    except (OSError, ValueError) as error:
        raise Failure("backup.engine-failed", f"{request.get_method()} {url}: {error}") from None
