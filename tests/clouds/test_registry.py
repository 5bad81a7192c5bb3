"""Getting an adapter by name."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

from pulumi_llm import _entry_points, clouds
from pulumi_llm._entry_points import Entry
from pulumi_llm.errors import Refusal, UnknownName


def test_an_unknown_cloud_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="did you mean aliyun"):
        clouds.get("alyun")


@pytest.mark.parametrize(
    ("name", "sdk", "advice"),
    [
        ("aws", "pulumi_aws", r"pip install 'pulumi-aws<8,>=7\.5'"),
        ("gcp", "pulumi_gcp", r"pip install 'pulumi-gcp<11,>=10\.2'"),
        ("digitalocean", "pulumi_digitalocean", r"pip install 'pulumi-digitalocean<5,>=4\.84'"),
        ("volcengine", "pulumi_volcengine", r"pip install 'pulumi-volcengine<0\.1,>=0\.0\.47'"),
        ("azure", "pulumi_azure_native", r"pip install 'pulumi-azure-native<4,>=3\.29'"),
        ("vultr", "ediri_vultr", r"pip install 'ediri-vultr<3,>=2\.27'"),
    ],
)
def test_a_cloud_without_its_sdk_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, name: str, sdk: str, advice: str
) -> None:
    monkeypatch.setitem(sys.modules, sdk, None)
    monkeypatch.delitem(sys.modules, f"pulumi_llm.clouds.{name}.adapter", raising=False)
    with pytest.raises(Refusal, match=advice) as refused:
        clouds.get(name)
    assert [each.code for each in refused.value.findings] == ["cloud.sdk-missing"]


@pytest.mark.parametrize("name", ["pulumi_llm.clouds.support", "pulumi_llm"])
def test_a_module_of_ours_that_is_not_there_is_not_taken_for_an_sdk(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def missing(_: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=name):
        clouds.get("aws")


@pytest.mark.parametrize(
    ("name", "sdk"),
    [(each.name, each.sdk) for each in clouds.folders().values() if find_spec(each.sdk) is not None],
)
def test_only_the_sdk_of_the_cloud_that_is_asked_for_is_imported(name: str, sdk: str) -> None:
    program = (
        "import sys; from pulumi_llm import clouds; clouds.get(sys.argv[1]);"
        "print(*sorted({each.sdk for each in clouds.folders().values()} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, name], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == [sdk]


ROOT = Path(__file__).parents[2]


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Entry]]:
    """What installed packages enter, in place of what they do; the registry is read anew, before and after."""
    entered: list[Entry] = []
    monkeypatch.setattr(_entry_points, "entries", lambda group: entered if group == clouds.GROUP else [])
    clouds.forget()
    yield entered
    clouds.forget()


def test_every_folder_of_ours_has_an_entry_point_and_every_entry_point_a_folder() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ours = {each.parent.name for each in (ROOT / "components/pulumi_llm/clouds").glob("*/__init__.py")}
    assert project["entry-points"][clouds.GROUP] == {name: f"pulumi_llm.clouds.{name}:CLOUD" for name in ours}


def test_our_clouds_are_there_in_a_checkout_whose_entry_points_nobody_installed(
    entries: list[Entry],
) -> None:
    assert clouds.names() == ("aliyun", "aws", "azure", "digitalocean", "gcp", "tencent", "volcengine", "vultr")


def test_a_cloud_that_two_doors_lead_to_is_there_once(entries: list[Entry]) -> None:
    entries.append(Entry("aws", "pulumi_llm.clouds.aws:CLOUD", "pulumi-llm"))
    assert clouds.names() == ("aliyun", "aws", "azure", "digitalocean", "gcp", "tencent", "volcengine", "vultr")


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("mars", "no_such_package.mars:CLOUD", "No module named 'no_such_package'"),
        ("mars", "pulumi_llm.errors:CLOUD", "has no attribute 'CLOUD'"),
        ("mars", "pulumi_llm.errors:Finding", "not the CloudFolder of 'mars'"),
        ("mars", "pulumi_llm.clouds.aws:CLOUD", "not the CloudFolder of 'mars'"),
    ],
)
def test_an_entry_point_that_leads_to_no_cloud_is_refused_with_its_package(
    entries: list[Entry], name: str, value: str, why: str
) -> None:
    entries.append(Entry(name, value, "mars-for-llm"))
    with pytest.raises(Refusal) as refused:
        clouds.names()
    (finding,) = refused.value.findings
    assert finding.code == "cloud.bad-entry-point"
    assert why in finding.message
    assert "mars-for-llm" in finding.message


def test_folders_are_found_without_pulumi_and_without_any_sdk() -> None:
    program = (
        "import sys; from pulumi_llm import clouds; clouds.folders();"
        "print(*sorted({'pulumi', *(each.sdk for each in clouds.folders().values())} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []


def test_entry_points_are_those_that_python_itself_reads() -> None:
    groups = {each.group for each in metadata.entry_points()}
    assert len(groups) > 3
    for group in groups:
        read = {(each.name, each.value) for each in _entry_points.entries(group)}
        assert read == {(each.name, each.value) for each in metadata.entry_points(group=group)}


def test_an_installed_version_is_the_one_that_python_itself_reads() -> None:
    for each in metadata.distributions():
        name = each.metadata["Name"]
        assert _entry_points.version(name) == metadata.version(name)
    assert _entry_points.version("no-such-distribution") is None


def test_the_headers_of_an_installed_distribution_are_those_that_python_itself_reads() -> None:
    for each in metadata.distributions():
        name = each.metadata["Name"]
        for header in ("Project-URL", "Requires-Dist", "Summary"):
            assert _entry_points.headers(name, header) == (metadata.metadata(name).get_all(header) or []), name
    assert _entry_points.headers("no-such-distribution", "Project-URL") == []
