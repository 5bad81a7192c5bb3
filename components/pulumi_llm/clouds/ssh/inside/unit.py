"""What the supervisor reads of a systemd unit: its own part of that language, and nothing by guess."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

FOLDER = Path("/etc/systemd/system")
SUFFIXES = (".service", ".socket", ".target")
SECONDS = {"": 1.0, "s": 1.0, "ms": 0.001, "min": 60.0, "h": 3600.0}


class Unit:
    """One unit: each key with all its values, an empty value as systemd means it (what came before is void)."""

    def __init__(self, name: str, values: dict[str, list[str]]) -> None:
        self.name, self.values = name, values

    def all(self, key: str) -> list[str]:
        """Every value of a key."""
        return self.values.get(key, [])

    def one(self, key: str, otherwise: str = "") -> str:
        """The last value of a key."""
        return self.all(key)[-1] if self.all(key) else otherwise

    def names(self, key: str) -> list[str]:
        """The units that a key names, but for those of systemd itself, which nobody waits for here."""
        return [each for each in words(self.all(key)) if each.startswith("llm-")]

    def seconds(self, key: str, otherwise: float) -> float:
        """A time."""
        return seconds(self.one(key), otherwise)

    @property
    def oneshot(self) -> bool:
        """Whether it is done when its program ends."""
        return self.one("Type") == "oneshot"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that it sets; files that are asked for and lacking are a mistake (OSError)."""
        found: dict[str, str] = {}
        for each in words(self.all("Environment")):
            key, _, value = each.partition("=")
            found[key] = value.replace("%%", "%")
        for name in self.all("EnvironmentFile"):
            file = Path(name.lstrip("-"))
            if file.exists() or not name.startswith("-"):
                found.update(variables(file.read_text(encoding="utf-8")))
        return found

    @property
    def commands(self) -> list[tuple[str, list[str]]]:
        """What it runs, one after the other: each with its prefix (+ as root, - may fail) and its words."""
        found = []
        for line in [*self.all("ExecStartPre"), *self.all("ExecStart")]:
            bare = line.lstrip("+-@!:")
            prefix = line[: len(line) - len(bare)]
            found.append((prefix, [each.replace("%%", "%").replace("$$", "$") for each in shlex.split(bare)]))
        return found


def load(name: str, folder: Path = FOLDER) -> Unit | None:
    """A unit with what lies beside it in NAME.d; None: there is none."""
    file = folder / name
    if not name.endswith(SUFFIXES) or not file.is_file():
        return None
    values: dict[str, list[str]] = {}
    for each in [file, *sorted((folder / (name + ".d")).glob("*.conf"))]:
        for key, value in rows(each.read_text(encoding="utf-8")):
            if value:
                values.setdefault(key, []).append(value)
            else:
                values[key] = []
    return Unit(name, values)


def rows(text: str) -> list[tuple[str, str]]:
    """A unit's lines as keys and values; what a backslash continues is one line."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip()
        if line and line[0] not in "#;[" and "=" in line:
            key, _, value = line.partition("=")
            found.append((key.strip(), value.strip()))
    return found


def words(values: list[str]) -> list[str]:
    """The words of all values."""
    return [word for each in values for word in shlex.split(each)]


def variables(text: str) -> dict[str, str]:
    """A file of variables, one a line."""
    found = {}
    for line in text.splitlines():
        line = line.strip()
        if line and not line.startswith(("#", ";")) and "=" in line:
            key, _, value = line.partition("=")
            plain = value.strip()
            quoted = len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "'\""
            found[key.strip()] = plain[1:-1] if quoted else plain
    return found


def seconds(text: str, otherwise: float) -> float:
    """A time as systemd writes it."""
    if text == "infinity":
        return float("inf")
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|)", text)
    return float(found[1]) * SECONDS[found[2]] if found else otherwise


def size(text: str) -> int:
    """A number of bytes as systemd writes it."""
    return int(text.rstrip("KMG")) * {"K": 2**10, "M": 2**20, "G": 2**30}.get(text[-1:], 1)
