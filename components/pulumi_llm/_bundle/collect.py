"""A bundle, collected: each kind of thing by its own protocol, with all that could not be had told in the end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pulumi_llm._bundle import archive, fetch, images, manifest, weights, wheels
from pulumi_llm._bundle.fetch import Full, Lost
from pulumi_llm._bundle.manifest import Row
from pulumi_llm._bundle.wanted import COMPONENTS, Environment, Wanted
from pulumi_llm._texts import Text, _
from pulumi_llm.errors import Finding

AT_ONCE = 4
Say = Callable[[Text | str], None]


class Bundle:
    """One run of the collector into a folder."""

    def __init__(self, wanted: Wanted, folder: Path, token: str = "", say: Say = lambda text: None) -> None:
        self.wanted, self.folder, self.token, self.say = wanted, folder, token, say
        self.rows: dict[str, Row] = {}
        self.missing: list[Finding] = []
        self.suites: list[dict[str, str]] = []
        self.images: dict[str, str] = {}
        self.before = manifest.sources(folder)

    def collect(self) -> list[Finding]:
        """Fetch what is not there yet, and write the manifest; gives what could not be had.

        Raises:
            Full: the folder cannot be written, or has no room. What was fetched stays, and is not fetched again.
        """
        with fetch.writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._packages()
            for each in self.wanted.environments:
                self._wheels(each)
            for name in self.wanted.images:
                self._image(name)
            for want in self.wanted.models:
                self._model(want)
        except Full as full:
            self.missing.append(full.finding)
            with contextlib.suppress(Full):
                self.write()
            raise
        self.write()
        return self.missing

    def write(self) -> None:
        """The manifest of what is there."""
        manifest.write(self.folder, self.wanted.names, self.rows.values(), self.suites, self.images, self.missing)

    @property
    def bytes(self) -> int:
        """What the files take."""
        return sum(each.bytes for each in self.rows.values())

    def _add(
        self, kind: str, name: str, version: str, source: str, path: str, sha256: str, size: int, **more: Any
    ) -> None:
        told = source or self.before.get(path, "")
        self.rows[path] = Row(
            kind=kind, name=name, version=version, source=told, path=path, sha256=sha256, bytes=size, **more
        )

    def _packages(self) -> None:
        wanted, folder = self.wanted, self.folder / "apt"
        lost = Lost("bundle.not-found", _("no archive of packages is named"))
        for address in wanted.sources.apt:
            self.say(_("packages: the lists of {address}", address=address))
            try:
                suites, known, files = archive.lists(address, wanted.codename, COMPONENTS, folder)
                chosen = archive.closure(wanted.packages, known)
            except Full:
                raise
            except Lost as failure:
                lost = failure
                continue
            for each in files:
                self._add("packages", "lists", wanted.codename, each.source, f"apt/{each.path}", each.sha256, each.size)
            self.suites = [{"suite": each.name, "components": each.components} for each in suites]
            self.say(_("packages: {count}, {mib} MiB", count=len(chosen), mib=_mib(sum(each.size for each in chosen))))
            jobs = [(each, [f"{one.rstrip('/')}/{each.file}" for one in _first(address, wanted.sources.apt)])
                    for each in chosen]  # fmt: skip
            self._each(jobs, lambda job: self._package(*job))
            return
        self.missing.append(lost.finding)

    def _package(self, package: archive.Package, urls: list[str]) -> None:
        source, size = fetch.file(urls, self.folder / "apt" / package.file, package.sha256, package.size)
        path = f"apt/{package.file}"
        self._add("packages", package.name, package.version, source, path, package.sha256, size)

    def _wheels(self, environment: Environment) -> None:
        self.say(_("wheels of {name}: {count}", name=environment.name, count=environment.packages))
        self._each(wheels.pins(environment.lock), lambda pin: self._wheel(*pin))

    def _wheel(self, name: str, version: str, digests: frozenset[str]) -> None:
        path, source = self._kept(name, digests) or wheels.wheel(
            name, version, digests, self.wanted.sources.pypi, self.folder / "wheels"
        )
        size = path.stat().st_size
        self._add("wheels", name, version, source, f"wheels/{path.name}", fetch.digest(path), size)

    def _kept(self, name: str, digests: frozenset[str]) -> tuple[Path, str] | None:
        """A wheel that an earlier run brought: no index is asked again."""
        start = name.replace("-", "_").lower()
        for each in (self.folder / "wheels").glob("*.whl"):
            if each.name.partition("-")[0].replace(".", "_").lower() == start and fetch.digest(each) in digests:
                return each, ""
        return None

    def _image(self, name: str) -> None:
        self.say(_("image {name}", name=name))
        try:
            digest, parts = images.image(name, self.wanted.sources.registries, self.folder / "images")
        except Full:
            raise
        except Lost as failure:
            self.missing.append(failure.finding)
            return
        self.images[name] = digest
        for source, sha256, size in parts:
            plain = sha256.partition(":")[2]
            path = f"images/blobs/sha256/{plain}"
            self._add("images", name.rpartition(":")[0], name.rpartition(":")[2], source, path, plain, size)

    def _model(self, want: Any) -> None:
        name, last = str(want.get("huggingface") or want.get("modelscope")), -10

        def told(percent: int) -> None:
            nonlocal last
            if percent >= last + 5:
                last = percent
                self.say(_("weights of {name}: {percent} %", name=name, percent=percent))

        told(0)
        try:
            folder, hub, files = weights.model(want, self.wanted.sources.hubs, self.folder, self.token, told)
        except Full:
            raise
        except Lost as failure:
            self.missing.append(failure.finding)
            return
        for file, (size, sha256) in files.items():
            version, path = want.get("revision") or "newest", f"models/{folder}/{file}"
            self._add("weights", name, version, hub, path, sha256, size, patterns=want.get("kinds"))

    def _each(self, jobs: list[Any], work: Callable[[Any], None]) -> None:
        """All of them, some at once; what is lost is noted, and what cannot be written ends it."""

        def one(job: Any) -> Finding | None:
            try:
                work(job)
            except Full:
                raise
            except Lost as failure:
                return failure.finding
            return None

        with ThreadPoolExecutor(AT_ONCE) as pool:
            waiting = [pool.submit(one, each) for each in jobs]
            try:
                self.missing += [found for each in waiting if (found := each.result()) is not None]
            except BaseException:
                for each in waiting:
                    each.cancel()
                raise


def spare(folder: Path, rows: dict[str, Row]) -> Iterator[Path]:
    """Files of the folder that are none of the bundle's any more; what is noted beside a model stays."""
    known = {folder / path for path in rows} | {folder / manifest.FILE}
    for below in ("apt", "wheels", "images", "models"):
        for at, __, names in os.walk(folder / below):
            yield from (each for each in (Path(at) / name for name in names)
                        if each not in known and each.name != "complete.json")  # fmt: skip


def _first(one: str, others: tuple[str, ...]) -> tuple[str, ...]:
    return (one, *(each for each in others if each != one))


def _mib(size: int) -> int:
    return -(-size // 2**20)
