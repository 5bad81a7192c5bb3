"""The part of Ubuntu's archive that a bundle has: versions as dpkg compares them, and all that is depended on."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import shutil
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from pulumi_llm._bundle import archive, fetch
from pulumi_llm._bundle.fetch import Lost
from tests.bundle.server import Files, served

VERSIONS = [
    "1.0~rc1", "1.0", "1.0-1", "1.0-1ubuntu1", "1.0-1ubuntu1.1", "1.0-1ubuntu10", "1.0+dfsg-1", "1.0.1", "1.1~", "1.1",
    "1.9", "1.10", "2.39-0ubuntu8.5", "2.39-0ubuntu8.6", "10", "1:0.1", "2:0",
]  # fmt: skip


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not here")
def test_versions_are_compared_as_dpkg_does() -> None:
    for one in VERSIONS:
        for other in VERSIONS:
            asked = "lt" if archive.compare(one, other) < 0 else "eq" if archive.compare(one, other) == 0 else "gt"
            done = subprocess.run(["dpkg", "--compare-versions", one, asked, other], check=False)
            assert done.returncode == 0, f"{one} {asked} {other}"


def test_the_versions_stand_in_order() -> None:
    assert all(archive.compare(one, other) < 0 for one, other in pairwise(VERSIONS))


def row(name: str, version: str = "1", **more: str) -> str:
    told = {"Package": name, "Version": version, "Architecture": "amd64", "Filename": f"pool/{name}_{version}.deb"}
    body = content(name, version)
    told |= {"Size": str(len(body)), "SHA256": hashlib.sha256(body).hexdigest(), "Description": "some\n more text"}
    return "\n".join(f"{key.replace('_', '-')}: {value}" for key, value in {**told, **more}.items())


def content(name: str, version: str) -> bytes:
    return f"{name} {version}".encode() * 100


def known(*rows: str) -> list[archive.Package]:
    return list(archive.packages("\n\n".join(rows) + "\n"))


def names(*wanted: str, of: list[archive.Package]) -> list[str]:
    return [each.name for each in archive.closure(wanted, of)]


def test_what_is_depended_on_comes_too_and_nothing_else() -> None:
    of = known(
        row("caddy", Depends="libc6 (>= 2.39), adduser:any | another, gone-from-the-archive"),
        row("libc6", Pre_Depends="base (= 1)"),
        row("adduser"),
        row("another"),
        row("base", Depends="caddy"),
        row("beside", Depends="caddy"),
        row("recommended"),
    )
    assert names("caddy", of=of) == ["adduser", "base", "caddy", "libc6"]


def test_a_name_that_is_nobodys_own_is_given_by_the_most_usual_package() -> None:
    of = known(
        row("tool", Depends="awk"),
        row("gawk", Provides="awk", Priority="optional"),
        row("mawk", Provides="awk (= 1), other", Priority="required"),
    )
    assert names("tool", of=of) == ["mawk", "tool"]


def test_a_package_that_the_archive_has_not_is_named() -> None:
    with pytest.raises(Lost) as lost:
        archive.closure(["docker.io", "caddy", "gone"], known(row("caddy")))
    assert lost.value.finding.code == "bundle.not-found"
    assert "docker.io, gone" in str(lost.value)


def test_a_row_that_leads_out_of_the_folder_is_none() -> None:
    assert known(row("evil", Filename="../../etc/passwd")) == []


# -- the lists, from a server


def suite(name: str, lists: dict[str, str], form: str = ".xz") -> dict[str, bytes]:
    """A pocket's files, by path."""
    pack = lzma.compress if form == ".xz" else gzip.compress
    made = {f"{each}/binary-amd64/Packages{form}": pack(text.encode()) for each, text in lists.items()}
    sums = "".join(f" {hashlib.sha256(data).hexdigest()} {len(data)} {path}\n" for path, data in made.items())
    release = f"-----BEGIN PGP SIGNED MESSAGE-----\n\nSuite: {name}\nMD5Sum:\n 0 1 x\nSHA256:\n{sums}-----BEGIN PGP\n"
    return {f"/u/dists/{name}/{path}": data for path, data in [*made.items(), ("InRelease", release.encode())]}


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    monkeypatch.setattr(fetch, "PAUSE", 0.0)
    main = {"main": row("caddy", "2.6-1") + "\n\n" + row("libc6")}
    made = Files({**suite("noble", {**main, "universe": row("age")})})
    made.files |= suite("noble-updates", {"main": row("caddy", "2.6-1ubuntu0.1")})
    made.files |= suite("noble-security", {"main": row("caddy", "2.6-1ubuntu0.10")}, ".gz")
    with served(made) as running:
        yield running


def test_the_lists_stay_as_they_were_signed_and_the_newest_of_each_package_is_chosen(
    files: Files, tmp_path: Path
) -> None:
    suites, found, rows = archive.lists(f"{files.address}/u", "noble", "main universe", tmp_path)
    assert {each.name: each.version for each in found} == {"caddy": "2.6-1ubuntu0.10", "libc6": "1", "age": "1"}
    assert [(each.name, each.components) for each in suites] == [
        ("noble", "main universe"), ("noble-updates", "main"), ("noble-security", "main")
    ]  # fmt: skip
    for each in rows:
        assert (tmp_path / each.path).read_bytes() == files.files[f"/u/{each.path}"]
        assert fetch.digest(tmp_path / each.path) == each.sha256


def test_a_list_that_is_not_what_the_signed_file_says_is_refused(files: Files, tmp_path: Path) -> None:
    files.files["/u/dists/noble/main/binary-amd64/Packages.xz"] = lzma.compress(b"Package: evil\n")
    with pytest.raises(Lost) as lost:
        archive.lists(f"{files.address}/u", "noble", "main", tmp_path)
    assert lost.value.finding.code == "bundle.wrong-digest"


def test_an_archive_without_the_release_is_named(files: Files, tmp_path: Path) -> None:
    with pytest.raises(Lost) as lost:
        archive.lists(f"{files.address}/u", "jammy", "main", tmp_path)
    assert lost.value.finding.code == "bundle.not-found"
