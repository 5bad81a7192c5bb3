"""The SDKs' modules, imported class by class while a plan is captured."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pulumi_llm.sparse_sdk import candidates, files_listed

START = """
import sys, warnings
warnings.simplefilter("ignore")
from pulumi_llm.sparse_sdk import sparse
def files(): return {each for each in sys.modules if each.startswith("pulumi_aws.ssm.") and "._" not in each}
with sparse():
    import pulumi_aws as aws
    aws.ssm.Parameter
"""


def in_a_process(code: str) -> str:
    """What the code prints in a process that has imported none of the SDKs."""
    lines = "\n".join(f"    {line}" for line in code.strip().splitlines())
    command = [sys.executable, "-c", f"{START}{lines}\n"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_class_is_imported_from_its_file_without_the_others() -> None:
    code = """
print(aws.ssm.Parameter.__module__, aws.ssm.ParameterArgs.__name__)
print(sorted(files()))
"""
    first, second = in_a_process(code).splitlines()
    assert first == "pulumi_aws.ssm.parameter ParameterArgs"
    assert second == "['pulumi_aws.ssm.parameter']"


@pytest.mark.parametrize(
    "code",
    [
        "print(callable(aws.ssm.get_parameter_output), callable(aws.ssm.get_parameter))",
        # The file's own name is the function's too.
        "from pulumi_aws.ssm.get_parameter import get_parameter_output\nprint(callable(aws.ssm.get_parameter), True)",
        "from pulumi_aws.ssm import *\nprint(Parameter is aws.ssm.Parameter, Document is aws.ssm.Document)",
        "print('Parameter' in dir(aws.ssm), 'get_patch_baseline' in dir(aws.ssm))",
        "print(issubclass(aws.ssm.GetParameterResult, object), aws.ssm.AwaitableGetParameterResult is not None)",
        "print(aws.ssm.AssociationTargetArgs is not None, isinstance(aws.ssm.outputs.__name__, str))",
        "print(not hasattr(aws.ssm, 'NoSuchThing'), hasattr(aws.ssm, 'MaintenanceWindow'))",
    ],
)
def test_every_way_to_a_name_gives_what_the_whole_package_gives(code: str) -> None:
    assert in_a_process(code) == "True True"


def test_a_package_that_does_more_than_take_names_is_left_alone() -> None:
    generated = "# coding=utf-8\nimport typing\nfrom .. import _utilities\nfrom .ami import *\nfrom . import outputs\n"
    assert files_listed(generated) == ("ami",)
    assert files_listed(generated + "sys.modules[__name__].__class__ = Config\n") is None
    assert files_listed("# nothing\n") is None


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("InternetGatewayArgs", "internet_gateway"),
        ("DefaultVpcDhcpOptions", "default_vpc_dhcp_options"),
        ("EcsDisk", "ecs_disk"),
        ("get_images_output", "get_images"),
        ("AwaitableGetImagesResult", "get_images"),
        ("InstanceRootBlockDeviceArgs", "_inputs"),
    ],
)
def test_the_generators_rule_says_where_a_name_is(name: str, file: str) -> None:
    assert file in list(candidates(name))
