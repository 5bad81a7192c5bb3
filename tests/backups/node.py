"""A node's root with a vector store and its backups, as the settings have them; systemd alone is stood for."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pulumi_llm._bootstrap import BackupRole, NodeRequest, ServiceRole, settings
from tests.bootstrap.samples import vector_node

CHECKOUT = Path(__file__).parents[2]
TOOLS = Path(os.environ.get("PULUMI_LLM_TOOLS", CHECKOUT / ".tools"))
PART = 50_000


@cache
def age() -> str:
    """age and its key maker; fetched once."""
    subprocess.run([CHECKOUT / "tools/fetch", "age"], check=True, capture_output=True)
    return str(TOOLS / "bin")


@dataclass
class Node:
    """``replaced`` are texts of the node's files, such as ports, and what stands for them in a test."""

    root: Path
    engine: str
    secret: str = "k" * 40
    replaced: Mapping[str, str] = field(default_factory=dict)
    target: Mapping[str, Any] | None = None
    on: NodeRequest | None = None
    """What else the machine has; without it the store is alone on it."""
    document: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        hours = 6 if self.target else None
        asked = BackupRole(engine=self.engine, target=self.target, hours=hours)
        store = ServiceRole(role=self.engine, memory_gib=4)
        self.document = settings((self.on or vector_node(roles=())).having(store, asked))
        for path, text in {
            **{f"/opt/llm/lib/{name}": text for name, text in self.document["code"].items()},
            **{each["path"]: each["content"] for each in self.document["files"]},
        }.items():
            for before, after in self.replaced.items():
                text = text.replace(before, after)
            self.write(path, text)
        self.write("/opt/llm/hints.json", json.dumps(self.document["hints"]))
        for row in self.document["secret_files"]:
            one = len(row["entries"]) == 1 and row["format"] in ("raw", "env")
            if one and not self.path(row["path"]).exists():
                ((name, variable),) = row["entries"].items()
                self.write(row["path"], f"{variable}={self.secret}\n" if variable else f"{self.secret}\n")
        self.path("/run/llm").mkdir(parents=True)
        for name in (*self.document["folders"], self.engine):
            self.path(f"/srv/llm/{name}").mkdir(parents=True, exist_ok=True)
        programs = self.path("/bin")
        programs.mkdir()
        shutil.copy(Path(__file__).with_name("systemctl.py"), programs / "systemctl.py")
        starter = programs / "systemctl"
        starter.write_text(f'#!/bin/sh\nexec {sys.executable} {programs}/systemctl.py "$@"\n')
        starter.chmod(0o755)
        self.units: dict[str, Any] = {
            "llm-backup.service": {
                "oneshot": True,
                "argv": self.program("work"),
                "post": self.program("recover"),
                "env": self.env,
            }
        }
        self.key = self.path("/key")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", self.key], check=True)
        self.write("/srv/llm/secrets/backup.recipient", self.key.with_suffix(".pub").read_text())

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def write(self, name: str, text: str) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    @property
    def env(self) -> dict[str, str]:
        path = f"{self.path('/bin')}:{age()}:{os.environ['PATH']}"
        more = {"LLM_ROOT": str(self.root), "LLM_POLL_SECONDS": "0.1", "LLM_BACKUP_PART_BYTES": str(PART)}
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**own, **more, "PATH": path}

    def program(self, *words: str) -> list[str]:
        return [sys.executable, "-B", str(self.path("/opt/llm/bin/llm-backup")), *words]

    def unit(self, name: str | None = None, **told: Any) -> None:
        """How the store, or another service, is started."""
        self.units[name or f"llm-{self.engine}.service"] = told
        self.write("/bin/units.json", json.dumps(self.units))

    def systemctl(self, action: str, unit: str | None = None) -> None:
        name = unit or f"llm-{self.engine}.service"
        subprocess.run([self.path("/bin/systemctl"), action, name], check=True, env=self.env)

    def ask(self, *words: str, **question: Any) -> dict[str, Any]:
        """What the node's program answers to a question, as over SSH."""
        done = subprocess.run(
            self.program(*words), input=json.dumps(question), capture_output=True, text=True, env=self.env, timeout=180
        )
        assert done.stdout, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer

    def ask_quietly(self, *words: str) -> None:
        """Run what answers nothing, such as what systemd starts."""
        subprocess.run(self.program(*words), check=True, env=self.env, stdin=subprocess.DEVNULL, timeout=60)

    def take(self, manifest: Mapping[str, Any], source: Node | None = None) -> None:
        """Carry the parts of a backup to where a restore looks for them."""
        parts = (source or self).path("/srv/llm/backup/parts")
        for row in manifest["parts"]:
            with (parts / row["name"]).open("rb") as file:
                subprocess.run(self.program("take", row["name"]), stdin=file, check=True, env=self.env, timeout=60)

    def restore(self, manifest: Mapping[str, Any], key: Path | None = None) -> dict[str, Any]:
        return self.ask("restore", manifest=manifest, key=(key or self.key).read_text())

    def kill_work(self, when: Callable[[], bool], *words: str, **question: Any) -> dict[str, Any]:
        """Ask, and kill the work itself, as a machine out of memory does, once ``when`` says so."""
        asked = subprocess.Popen(
            self.program(*words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.env
        )
        assert asked.stdin
        asked.stdin.write(json.dumps(question))
        asked.stdin.close()
        asked.stdin = None
        until = time.monotonic() + 60
        while not when():
            assert time.monotonic() < until, "it was over before it could be killed"
            time.sleep(0.001)
        os.kill(int(self.path("/bin/llm-backup.service.pid").read_text()), signal.SIGKILL)
        answer: dict[str, Any] = json.loads(asked.communicate(timeout=120)[0].splitlines()[-1])
        return answer

    def close(self) -> None:
        for unit in self.units:
            subprocess.run([self.path("/bin/systemctl"), "stop", unit], env=self.env)
