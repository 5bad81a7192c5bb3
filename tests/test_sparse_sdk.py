"""The SDKs' modules, imported class by class while a plan is captured."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pulumi_llm._sparse_sdk import OF_NO_CLOUD, candidates, files_listed

START = """
import sys, warnings
warnings.simplefilter("ignore")
from pulumi_llm._sparse_sdk import sparse
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


DESCRIBED = """
import importlib, json, warnings
warnings.simplefilter("ignore")
from pulumi import _types
def described(name, names=None):
    module = importlib.import_module(name)
    found = {}
    for each in sorted(names(module) if names else module.__all__):
        made = getattr(module, each)
        found[each] = [made.__module__, made.__doc__, [base.__name__ for base in made.__mro__], sorted(vars(made))]
        if name.endswith("_inputs") and not each.endswith("Dict"):
            found[each].append({key: str(kind) for key, kind in _types.input_type_types(made).items()})
    return found
"""


@pytest.mark.parametrize(
    ("package", "files"),
    [
        ("pulumi_aws.ec2", ("_inputs", "outputs")),
        ("pulumi_alicloud.ecs", ("_inputs", "outputs")),
        ("tencentcloud_iac_pulumi.instance", ("outputs",)),  # its inputs are an older generator's: loaded whole
    ],
)
def test_each_type_made_alone_is_what_the_whole_file_makes(package: str, files: tuple[str, ...]) -> None:
    alone = f"""{DESCRIBED}
from pulumi_llm._sparse_types import TypesModule, offered
modules = [importlib.import_module("{package}." + each) for each in {files}]
assert all(isinstance(each, TypesModule) for each in modules)
print(json.dumps([described("{package}." + each, offered) for each in {files}]))
assert all("_types" in vars(each) for each in modules), "the whole file was run after all"
"""
    whole = f"{DESCRIBED}\nprint(json.dumps([described('{package}.' + each) for each in {files}]))"
    done = subprocess.run([sys.executable, "-c", whole], check=True, capture_output=True, text=True)
    found = json.loads(in_a_process(alone))
    assert found == json.loads(done.stdout)
    assert sum(map(len, found)) >= 5


def test_a_resource_gets_a_type_that_it_mentions_when_one_asks_and_the_others_are_not_made() -> None:
    code = """
import typing
table = aws.ec2.RouteTable
inputs = vars(sys.modules["pulumi_aws.ec2._inputs"])
print("RouteTableRouteArgs" in inputs)
import pulumi
names = {"Output": pulumi.Output, "T": type(None)}
hints = typing.get_type_hints(aws.ec2.RouteTableArgs.__init__, localns=names)
print("RouteTableRouteArgs" in inputs, "FleetLaunchTemplateConfigArgs" in inputs, "__all__" in inputs)
print("pulumi_aws.ec2._inputs.RouteTableRouteArgs" in str(hints["routes"]))
import pulumi_aws.ec2.instance as file
print(file.InstanceRootBlockDeviceArgs is aws.ec2.InstanceRootBlockDeviceArgs and not hasattr(file, "Nothing"))
from pulumi import _types
print("pulumi_aws.ec2._inputs.RouteTableRouteArgs" in str(_types.input_type_types(aws.ec2.RouteTableArgs)["routes"]))
print("pulumi_aws.ec2.outputs.RouteTableRoute" in str(_types.resource_types(table)["routes"]))
"""
    before, after, *rest = in_a_process(code).splitlines()
    assert before == "False"
    assert after == "True False False"
    assert rest == ["True"] * 4


def test_an_annotation_that_nothing_is_found_for_fails_as_it_does_without_us() -> None:
    code = """
import typing
def unknown(a: "Nothing"): ...
try: typing.get_type_hints(unknown, globalns=vars(sys.modules[aws.ec2.Instance.__module__]))
except NameError as missing: print(missing)
"""
    assert in_a_process(code) == "name 'Nothing' is not defined"


def test_an_sdks_classes_are_told_when_the_first_is_asked_for() -> None:
    code = """
from pulumi.runtime import rpc
print(len(rpc._RESOURCE_MODULES), len(rpc._RESOURCE_PACKAGES))
import pulumi_random
made = rpc.get_resource_module("aws", "ec2/vpc", "")
print(type(made).__name__, rpc.get_resource_package("random", "") is not None)
import pulumi_tls
print(rpc.get_resource_package("tls", "") is not None, rpc.get_resource_module("aws", "ec2/no", ""))
"""
    assert in_a_process(code).splitlines() == ["0 0", "Module True", "True None"]


@pytest.mark.parametrize("sdk", ["pulumi_aws", "pulumi_alicloud", "tencentcloud_iac_pulumi", *OF_NO_CLOUD])
def test_an_sdks_own_package_has_the_same_names_as_ever(sdk: str) -> None:
    names = (
        f"import {sdk}\nspace = {{}}\nexec('from {sdk} import *', space)\nprint(sorted(set(dir({sdk})) | set(space)))"
    )
    plain = f"import warnings\nwarnings.simplefilter('ignore')\n{names}"
    whole = subprocess.run([sys.executable, "-c", plain], check=True, capture_output=True, text=True).stdout
    own = {"_begun", "_packages", "_put_off", "aws", "__warningregistry__", "warnings"}
    assert set(eval(in_a_process(names))) - own == set(eval(whole)) - own


@pytest.mark.parametrize(
    "code",
    [
        "print(callable(aws.get_region), callable(aws.get_region_output))",
        "from pulumi_aws import get_region, Provider\nprint(callable(get_region), Provider is aws.Provider)",
        "print(aws.ProviderAssumeRoleArgs.__name__ == 'ProviderAssumeRoleArgs', aws.Region.US_EAST1 == 'us-east-1')",
        "import pulumi_aws.provider as file\nprint(file.Provider is aws.Provider, not hasattr(aws, 'NoSuchThing'))",
        "print(aws.outputs.__name__ == 'pulumi_aws.outputs', aws.config.__name__ == 'pulumi_aws.config')",
        "print(aws.ec2.InstanceType.T2_MICRO == 't2.micro', 'Vpc' in dir(aws.ec2))",
        "import pulumi_tls as tls\nprint(callable(tls.PrivateKey), callable(tls.CertRequestSubjectArgs))",
        "from pulumi_random import RandomId\nimport pulumi_random.random_id as f\nprint(f.RandomId is RandomId, True)",
        "from pulumi_command.remote import Command, ConnectionArgs\nprint(callable(Command), callable(ConnectionArgs))",
    ],
)
def test_every_way_to_a_name_of_the_sdks_own_package(code: str) -> None:
    assert in_a_process(code) == "True True"
