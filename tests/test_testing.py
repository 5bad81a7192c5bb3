"""Pulumi's unit tests of programs that use the components, as the page on testing shows them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "testing.md"
PLACES = {"aliyun": "cn-hangzhou", "tencent": "ap-guangzhou", "aws": "ap-northeast-1"}
IMAGES = {"aliyun": "m-bp1234567890abcdefgh", "tencent": "img-0123abcd", "aws": "ami-0123456789abcdef0"}

# As Pulumi's documentation writes it, at https://www.pulumi.com/docs/iac/concepts/testing/unit/ (read 2026-11-28).
PLAIN_MOCKS = """\
import pulumi

class MyMocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        return [args.name + '_id', args.inputs]
    def call(self, args):
        return {}

pulumi.runtime.set_mocks(MyMocks(), preview=False)

import infra

@pulumi.runtime.test
def test_the_machine_is_made():
    return infra.server.instance_id.apply(lambda found: None)
"""


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_infra.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


def write_page(folder: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        name = re.match(r"# (\w+\.py)\n", block)
        assert name
        (folder / name[1]).write_text(block)


def program(cloud: str, more: str = "") -> str:
    args = f'"cloud": "{cloud}", "region": "{PLACES[cloud]}", "gpu": "T4", "model": "01-ai/Yi-6B-Chat", {more}'
    args += '"context_length": 4096, "allowed_cidrs": ["203.0.113.0/24"]'
    return f'import pulumi_llm as llm\nserver = llm.ModelServer("chat", {{{args}}})\n'


def test_the_example_of_the_page_passes_as_it_stands(tmp_path: Path) -> None:
    write_page(tmp_path)
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_the_example_fails_where_the_program_is_changed(tmp_path: Path) -> None:
    write_page(tmp_path)
    infra = tmp_path / "infra.py"
    infra.write_text(infra.read_text().replace('"cn-hangzhou"', '"ap-southeast-1"'))
    assert "18443" in run(tmp_path).stdout


@pytest.mark.parametrize("cloud", PLACES)
def test_the_mocks_of_pulumis_documentation_suffice_where_an_image_is_named(cloud: str, tmp_path: Path) -> None:
    (tmp_path / "infra.py").write_text(program(cloud, f'"image_id": "{IMAGES[cloud]}", '))
    (tmp_path / "test_infra.py").write_text(PLAIN_MOCKS)
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("cloud", PLACES)
def test_our_mocks_find_an_image_and_an_address_on_each_cloud(cloud: str, tmp_path: Path) -> None:
    (tmp_path / "infra.py").write_text(program(cloud))
    (tmp_path / "test_infra.py").write_text(
        f"""\
import pulumi
from pulumi_llm.testing import Mocks
mocks = Mocks(answers={{"aws:ec2/getAmi:getAmi": {{"id": "ami-1"}}}})
pulumi.runtime.set_mocks(mocks, preview=False)
import infra

@pulumi.runtime.test
def test_what_is_known():
    def check(known):
        url, image, key, authority, own = known
        assert url == "https://203.0.113.10:{443 if cloud == "aws" else 18443}/v1"
        assert len(key["default"]) == 43
        assert authority.startswith("-----BEGIN CERTIFICATE-----")
        (machine,) = [each.inputs for each in mocks.resources if "-machine-" in each.name]
        assert str(machine.get("ami") or machine.get("imageId")).startswith(("ami-", "img-", "ubuntu_"))
    server = infra.server
    own = pulumi.runtime.invoke("aws:ec2/getAmi:getAmi", {{}}).value
    assert own == {{"id": "ami-1"}}
    outputs = (server.endpoint, server.instance_id, server.api_keys, server.certificate_authority)
    return pulumi.Output.all(*outputs, own).apply(check)
"""
    )
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_module_of_the_mocks_imports_no_sdk_of_a_cloud() -> None:
    code = "import sys, pulumi_llm.testing; print([n for n in sys.modules if n in ('pulumi_aws', 'pulumi_alicloud')"
    code += " or n.startswith('tencentcloud')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
