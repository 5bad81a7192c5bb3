"""Writes a Pulumi SDK as its generator does, for a provider that exists nowhere: what the sample cloud is made of."""

from __future__ import annotations

import json
from pathlib import Path

PACKAGE = "mars"
KINDS = {"str": "str", "int": "int", "bool": "bool", "list": "Sequence[pulumi.Input[str]]", "map": "Mapping[str, str]"}
TYPES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    # class: inputs (wire name -> kind), and outputs beyond them
    "Net": ({"cidr": "str", "site": "str"}, {}),
    "Gate": ({"net": "str", "lets": "list"}, {}),
    "Key": ({"publicKey": "str"}, {}),
    "Server": (
        {
            **dict.fromkeys(("size", "site", "net", "gate", "key", "image", "bootScript"), "str"),
            "diskGib": "int",
            "labels": "map",
        },
        {"innerIp": "str"},
    ),
    "Disk": ({"gib": "int", "site": "str", "sealed": "bool"}, {}),
    "Plug": ({"disk": "str", "server": "str"}, {}),
    "Address": ({"labels": "map"}, {"ip": "str"}),
    "Bind": ({"address": "str", "server": "str"}, {}),
}

HEAD = '''from collections.abc import Mapping, Sequence

import pulumi
import pulumi.runtime


class _utilities:
    @staticmethod
    def register(resource_modules: str, resource_packages: str) -> None:
        """As generated: the engine is told the types. Nothing here reads resources back."""


'''


def token(name: str) -> str:
    """The type token of a class."""
    return f"{PACKAGE}:index/{name[0].lower()}{name[1:]}:{name}"


def write(folder: Path) -> None:
    """Write the package ``pulumi_mars`` and what pip would note about it into ``folder``."""
    modules = [
        {
            "pkg": PACKAGE,
            "mod": token(name).split(":")[1],
            "fqn": f"pulumi_{PACKAGE}",
            "classes": {token(name): name},
        }
        for name in TYPES
    ]
    text = HEAD + _provider() + "".join(_class(name, *TYPES[name]) for name in TYPES) + _look_up()
    text += f'_utilities.register(\n    resource_modules="""\n{json.dumps(modules, indent=1)}\n""",\n'
    text += '    resource_packages="""\n[]\n""",\n)\n'
    (folder / f"pulumi_{PACKAGE}").mkdir(parents=True)
    (folder / f"pulumi_{PACKAGE}/__init__.py").write_text(text, encoding="utf-8")
    noted = folder / f"pulumi_{PACKAGE}-1.0.dist-info"
    noted.mkdir()
    noted.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: pulumi-{PACKAGE}\nVersion: 1.0\n")


def _python(wire: str) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in wire)


def _property(wire: str, kind: str) -> str:
    name = _python(wire)
    return (
        f'    @property\n    @pulumi.getter(name="{wire}")\n    def {name}(self) -> {kind}:\n'
        f'        return pulumi.get(self, "{name}")\n\n'
    )


def _args(name: str, inputs: dict[str, str]) -> str:
    names = {_python(wire): f"pulumi.Input[{KINDS[kind]}]" for wire, kind in inputs.items()}
    text = f"@pulumi.input_type\nclass {name}Args:\n    def __init__(__self__"
    text += "".join([", *", *(f", {each}: {kind}" for each, kind in names.items())]) if names else ""
    text += "):\n" + (
        "".join(f'        pulumi.set(__self__, "{each}", {each})\n' for each in names) or "        pass\n"
    )
    return (
        f"{text}\n" + "".join(_property(wire, f"pulumi.Input[{KINDS[kind]}]") for wire, kind in inputs.items()) + "\n"
    )


def _provider() -> str:
    return _args("Provider", {"region": "str"}) + (
        f'@pulumi.type_token("pulumi:providers:{PACKAGE}")\n'
        "class Provider(pulumi.ProviderResource):\n"
        "    def __init__(__self__, resource_name, opts=None, *, region=None):\n"
        "        __self__._internal_init(resource_name, opts, region=region)\n\n"
        "    def _internal_init(__self__, resource_name, opts=None, *, region=None):\n"
        f'        super().__init__("{PACKAGE}", resource_name, {{"region": region}}, opts)\n\n'
        '    @property\n    @pulumi.getter(name="region")\n    def region(self) -> pulumi.Output[str]:\n'
        '        return pulumi.get(self, "region")\n\n\n'
    )


def _class(name: str, inputs: dict[str, str], outputs: dict[str, str]) -> str:
    names = [_python(wire) for wire in inputs]
    given = ", ".join(f"{each}=None" for each in names)
    passed = ", ".join(f"{each}={each}" for each in names)
    values = {**{each: each for each in names}, **{_python(each): "None" for each in outputs}}
    props = "".join(f'        __props__.__dict__["{each}"] = {value}\n' for each, value in values.items())
    both = {**inputs, **outputs}
    return (
        _args(name, inputs)
        + (
            f'@pulumi.type_token("{token(name)}")\n'
            f"class {name}(pulumi.CustomResource):\n"
            f"    def __init__(__self__, resource_name, opts=None, *, {given}):\n"
            f"        __self__._internal_init(resource_name, opts, {passed})\n\n"
            f"    def _internal_init(__self__, resource_name, opts=None, *, {given}):\n"
            f"        __props__ = {name}Args.__new__({name}Args)\n{props}"
            f'        super().__init__("{token(name)}", resource_name, __props__, opts)\n\n'
        )
        + "".join(_property(wire, f"pulumi.Output[{KINDS[kind]}]") for wire, kind in both.items())
        + "\n"
    )


def _look_up() -> str:
    return (
        "def newest_image(system, opts=None):\n"
        f'    found = pulumi.runtime.invoke_output("{PACKAGE}:index/newestImage:newestImage", '
        '{"system": system}, opts=opts)\n'
        '    return found.apply(lambda answer: answer["id"])\n\n\n'
    )
