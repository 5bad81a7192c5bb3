"""Packages of Ubuntu's archive with all that they need, as a part of that archive under its own signature.

The lists of packages stay whole and as they were signed, so that the node's own apt verifies them by its own keys; of
the packages only those are there that are asked for, and what they depend on. What is there is by digest what the lists
say, and the lists are what the signed file says.
"""

from __future__ import annotations

import gzip
import lzma
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pulumi_llm._bundle import fetch
from pulumi_llm._bundle.fetch import Lost
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _, listed

POCKETS = ("", "-updates", "-security")
FORMS = (".xz", ".gz")
URGENCY = ("required", "important", "standard", "optional", "extra")


@dataclass(frozen=True, slots=True)
class Package:
    """A row of the lists."""

    name: str
    version: str
    file: str
    sha256: str
    size: int
    needs: tuple[tuple[str, ...], ...]
    """Each one a choice of names."""
    gives: tuple[str, ...]
    urgency: int


@dataclass(frozen=True, slots=True)
class Suite:
    """One pocket of an archive, as a node's list of sources names it."""

    name: str
    components: str


@dataclass(frozen=True, slots=True)
class Collected:
    """What a list brought, or a package: its file in the folder, and where it came from."""

    path: str
    source: str
    sha256: str
    size: int


def lists(
    archive: str, codename: str, components: str, folder: Path
) -> tuple[list[Suite], list[Package], list[Collected]]:
    """The lists of an archive into ``folder``: its suites, the newest of each package, and the files.

    Raises:
        Lost: ``bundle.not-found`` where it has no such suite, and what `fetch.file` raises.
    """
    suites, newest, files = [], dict[str, Package](), []
    for pocket in POCKETS:
        suite = f"{codename}{pocket}"
        place = f"dists/{suite}/InRelease"
        release = fetch.text(f"{archive.rstrip('/')}/{place}")
        with fetch.writing(folder / place):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_bytes(release)
        files.append(Collected(place, f"{archive.rstrip('/')}/{place}", fetch.digest(folder / place), len(release)))
        signed, have = sums(release.decode(errors="replace")), []
        for component in components.split():
            for form in FORMS:
                name = f"{component}/binary-amd64/Packages{form}"
                if name in signed:
                    files.append(_list(archive, f"dists/{suite}", name, signed[name], folder))
                    have.append(component)
                    for each in packages(unpacked(folder / files[-1].path)):
                        if each.name not in newest or compare(newest[each.name].version, each.version) < 0:
                            newest[each.name] = each
                    break
        if have:
            suites.append(Suite(suite, " ".join(have)))
    if not newest:
        raise Lost("bundle.not-found", _("{archive} has no packages of {codename}", archive=archive, codename=codename))
    return suites, list(newest.values()), files


def _list(archive: str, place: str, name: str, row: tuple[str, int], folder: Path) -> Collected:
    sha256, size = row
    below = f"{archive.rstrip('/')}/{place}"
    # By its digest first: a list may change between the signed file and this.
    by_hash = f"{below}/{name.rpartition('/')[0]}/by-hash/SHA256/{sha256}"
    source, __ = fetch.file([by_hash, f"{below}/{name}"], folder / place / name, sha256, size)
    return Collected(f"{place}/{name}", source, sha256, size)


def sums(release: str) -> dict[str, tuple[str, int]]:
    """SHA-256 and bytes of each file that a suite's signed file names."""
    part = release.partition("\nSHA256:")[2]
    rows = re.findall(r"^ ([0-9a-f]{64}) +(\d+) +(\S+)$", re.split(r"\n(?! )", part, maxsplit=1)[0], re.MULTILINE)
    return {name: (sha256, int(size)) for sha256, size, name in rows if ".." not in name}


def unpacked(path: Path) -> str:
    """The text of a list."""
    opener = lzma.open if path.suffix == ".xz" else gzip.open
    with opener(path, "rb") as file:
        return file.read(1 << 30).decode(errors="replace")


def packages(text: str) -> Iterator[Package]:
    """The rows of a list."""
    for part in text.split("\n\n"):
        rows = dict(re.findall(r"^([A-Z][\w-]*): ?(.*)$", part, re.MULTILINE))
        if not {"Package", "Version", "Filename", "SHA256", "Size"} <= rows.keys() or ".." in rows["Filename"]:
            continue
        needs = f"{rows.get('Pre-Depends', '')},{rows.get('Depends', '')}"
        yield Package(
            name=rows["Package"],
            version=rows["Version"],
            file=rows["Filename"].removeprefix("./"),
            sha256=rows["SHA256"],
            size=int(rows["Size"]),
            needs=tuple(tuple(_name(one) for one in each.split("|")) for each in needs.split(",") if each.strip()),
            gives=tuple(_name(each) for each in rows.get("Provides", "").split(",") if each.strip()),
            urgency=URGENCY.index(rows["Priority"]) if rows.get("Priority") in URGENCY else len(URGENCY),
        )


def _name(text: str) -> str:
    return re.split(r"[\s(\[<:]", text.strip(), maxsplit=1)[0]


def closure(wanted: Sequence[str], known: Sequence[Package]) -> list[Package]:
    """These packages and all that they depend on, by the first of each choice that there is.

    What a package depends on and the archive has not is left to the machine: apt says so where it lacks it.

    Raises:
        Lost: ``bundle.not-found`` where one that is wanted is not there.
    """
    by_name = {each.name: each for each in known}
    givers: dict[str, Package] = {}
    for each in sorted(known, key=lambda one: (one.urgency, one.name)):
        for name in each.gives:
            givers.setdefault(name, each)
    if gone := [each for each in wanted if each not in by_name]:
        what = _("the archive has no package {names}", names=listed(gone))
        raise Lost("bundle.not-found", what, _("the packages of a node are those of Ubuntu 24.04"))
    found: dict[str, Package] = {}
    waiting = [by_name[each] for each in wanted]
    while waiting:
        package = waiting.pop()
        if package.name in found:
            continue
        found[package.name] = package
        waiting += [chosen for each in package.needs if (chosen := _first(each, by_name, givers)) is not None]
    return sorted(found.values(), key=lambda each: each.name)


def _first(choice: Sequence[str], by_name: Mapping[str, Package], givers: Mapping[str, Package]) -> Package | None:
    return next((by_name.get(name) or givers[name] for name in choice if name in by_name or name in givers), None)


# -- versions, as dpkg compares them (deb-version(7))


def compare(one: str, other: str) -> int:
    """Negative where ``one`` is the older version."""
    first, second = _parts(one), _parts(other)
    if first[0] != second[0]:
        return first[0] - second[0]
    return _order(first[1], second[1]) or _order(first[2], second[2])


def _parts(version: str) -> tuple[int, str, str]:
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, dash, revision = rest.rpartition("-")
    return int(epoch) if epoch.isdigit() else 0, upstream if dash else rest, revision if dash else ""


def _order(one: str, other: str) -> int:
    while one or other:
        texts = [re.match(r"\D*", each) for each in (one, other)]
        first, second = (each[0] if each else "" for each in texts)
        if first != second:
            for left, right in zip([*map(_weight, first), 0], [*map(_weight, second), 0], strict=False):
                if left != right:
                    return left - right
        one, other = one[len(first) :], other[len(second) :]
        numbers = [re.match(r"\d*", each) for each in (one, other)]
        low, high = (each[0] if each else "" for each in numbers)
        if int(low or 0) != int(high or 0):
            return int(low or 0) - int(high or 0)
        one, other = one[len(low) :], other[len(high) :]
    return 0


def _weight(letter: str) -> int:
    return -1 if letter == "~" else ord(letter) if letter.isalpha() else ord(letter) + 256
