"""Getting an adapter by name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pulumi_llm import clouds
from pulumi_llm.errors import Refusal, UnknownName


def test_an_unknown_cloud_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="did you mean aliyun"):
        clouds.get("alyun")


def test_a_cloud_without_its_sdk_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pulumi_aws", None)
    monkeypatch.delitem(sys.modules, "pulumi_llm.clouds.aws", raising=False)
    with pytest.raises(Refusal, match=r"pip install 'pulumi-aws<8,>=7\.5'"):
        clouds.get("aws")


@pytest.mark.parametrize("name", ["pulumi_llm.clouds.support", "pulumi_llm"])
def test_a_module_of_ours_that_is_not_there_is_not_taken_for_an_sdk(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def missing(_: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=name):
        clouds.get("aws")


@pytest.mark.parametrize(
    ("name", "sdk"),
    [("aliyun", "pulumi_alicloud"), ("aws", "pulumi_aws"), ("tencent", "tencentcloud_iac_pulumi")],
)
def test_only_the_sdk_of_the_cloud_that_is_asked_for_is_imported(name: str, sdk: str) -> None:
    program = (
        "import sys; from pulumi_llm import clouds; clouds.get(sys.argv[1]);"
        "print(*sorted({'pulumi_alicloud', 'pulumi_aws', 'tencentcloud_iac_pulumi'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, name], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == [sdk]
