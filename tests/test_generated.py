"""What is written from the spec and its rows is what the tool would write; a vendor is one row, and a key one place."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm import _args, spec
from tests.generated import ROOT, breaking

SCHEMA: dict[str, Any] = json.loads((ROOT / "tests/golden/schema.json").read_text())


def generate(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(tree / "tools/arguments/write.py"), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(tree / "components")}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is committed or about to be, to add things to."""
    copied = tmp_path_factory.mktemp("tree")
    for name in ("components", "templates", "tools/arguments", "docs", "stacks", "tests/golden"):
        shutil.copytree(ROOT / name, copied / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for name in ("Pulumi.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, copied / name)
    return copied


def test_what_the_tool_writes_is_what_stands_in_the_repository() -> None:
    done = generate(ROOT, "--check")
    assert done.returncode == 0, f"run `make generate`:\n{done.stderr}"


def test_each_row_of_a_table_of_the_components_is_one_line() -> None:
    lines = (ROOT / "docs/components.md").read_text().splitlines()
    rows = [index for index, line in enumerate(lines) if line.startswith("| ")]
    assert len(rows) > 200
    assert [lines[index] for index in rows if not lines[index].endswith(" |")] == []


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("由第一台\n    机器启动。", "由第一台机器启动。"),
        ("与 ``keep``\n    一起用", "与 ``keep`` 一起用"),
        ("还可以是\n    ``azure``。", "还可以是 ``azure``。"),
        ("有 16\n    个，或\n    8 个 GPU\n    memory", "有 16 个，或 8 个 GPU memory"),
        ("``a``、\n    ``b``\n    ，或 ``c``", "``a``、``b``，或 ``c``"),
    ],
)
def test_the_lines_of_a_chinese_meaning_are_joined_as_chinese_is_written(lines: str, text: str) -> None:
    # By its path: another tool has a module of that name.
    found = importlib.util.spec_from_file_location("reading_of_arguments", ROOT / "tools/arguments/reading.py")
    assert found is not None
    assert found.loader is not None
    reading = importlib.util.module_from_spec(found)
    sys.modules[found.name] = reading
    found.loader.exec_module(reading)
    assert reading.joined(lines) == text


def test_every_type_of_arguments_is_public() -> None:
    assert set(_args.__all__) <= set(llm.__all__)
    assert all(getattr(llm, name) is getattr(_args, name) for name in _args.__all__)


def test_every_property_of_the_schema_has_a_kind_and_a_description() -> None:
    rows = {}
    for section, inside in (("types", "properties"), ("resources", "inputProperties")):
        for token, part in SCHEMA[section].items():
            rows |= {f"{token}.{name}": row for name, row in part[inside].items()}
    assert len(rows) > 250
    assert [name for name, row in rows.items() if len(row.get("description") or "") < 4] == []
    assert [name for name in rows if "_" in name.rsplit(".", 1)[-1]] == []
    # A moderator's options are its own affair; nothing else is untyped.
    untyped = [name for name, row in rows.items() if "pulumi.json#/Any" in json.dumps(row)]
    assert untyped == ["llm:index:Moderator.options"]


def test_no_type_of_the_schema_has_the_ending_that_sdks_put_behind_it_and_none_the_name_of_a_component() -> None:
    names = {each.rsplit(":", 1)[1] for each in SCHEMA["types"]}
    assert [name for name in names if name.endswith("Args")] == []
    assert names & {each.rsplit(":", 1)[1] for each in SCHEMA["resources"]} == set()
    referred = set(re.findall(r'"#/types/(llm:index:\w+)"', json.dumps(SCHEMA)))
    assert referred == set(SCHEMA["types"])


# A breaking change.

SERVER, KEY = "llm:index:ModelServer", "llm:index:Key"
BREAKING = [
    (lambda s: s["resources"].pop(SERVER), "ModelServer is gone"),
    (lambda s: s["resources"][SERVER]["inputProperties"].pop("spot"), "ModelServer.spot is gone"),
    (lambda s: s["resources"][SERVER]["inputProperties"]["spot"].update(type="string"), "ModelServer.spot was boolean"),
    (lambda s: s["resources"][SERVER]["requiredInputs"].append("zone"), "ModelServer.zone is required, and was not"),
    (
        lambda s: s["resources"][SERVER]["inputProperties"]["vpcId"].update(plain=True),
        "vpcId took an Output",
    ),
    (lambda s: s["resources"][SERVER]["properties"].pop("endpoint"), "the output ModelServer.endpoint is gone"),
    (lambda s: s["resources"][SERVER]["required"].remove("endpoint"), "ModelServer.endpoint may be absent"),
    (lambda s: s["types"].pop(KEY), "Key is gone"),
    (lambda s: s["types"][KEY]["properties"].pop("expires"), "Key.expires is gone"),
    (
        lambda s: s["types"][KEY]["properties"]["models"]["items"].update(type="integer"),
        "Key.models was",
    ),
    (lambda s: s["types"][KEY].update(required=["expires"]), "Key.expires is required, and was not"),
]


@pytest.mark.parametrize(("change", "said"), BREAKING, ids=[each[1] for each in BREAKING])
def test_a_change_that_breaks_programs_is_named(change: Any, said: str) -> None:
    changed = copy.deepcopy(SCHEMA)
    change(changed)
    assert [each for each in breaking(SCHEMA, changed) if said in each]


def test_an_addition_breaks_nothing() -> None:
    changed = copy.deepcopy(SCHEMA)
    changed["types"][KEY]["properties"]["new"] = {"type": "string"}
    changed["types"]["llm:index:New"] = {"type": "object", "properties": {}}
    changed["resources"][SERVER]["inputProperties"]["new"] = {"type": "string", "plain": True}
    changed["resources"][SERVER]["properties"]["new"] = {"type": "string"}
    assert list(breaking(SCHEMA, changed)) == []


# Adding things, in a copy of the tree.

PLAN = """\
import json, sys
import pulumi
import pulumi_llm as llm
from pulumi_llm._plan.capture import capture

def program():
    llm.OverseasProxy("abroad", {
        "cloud": "aws", "region": "ap-southeast-1", "allowed_cidrs": ["203.0.113.0/24"],
        "upstreams": {"acme": {"models": ["acme-large"]}},
        "acme_api_key": pulumi.Output.secret("sk-planted"),
    })

made = capture(program)
json.dump([repr(each.inputs) for each in made.resources], sys.stdout)
"""


def test_a_vendor_is_one_row(tree: Path) -> None:
    rows = tree / "components/pulumi_llm/catalog/data/upstreams.json"
    text = rows.read_text()
    row = (
        '    {"vendor": "acme", "title": "Acme", "endpoints": ["/v1/chat/completions"], "base_url": '
        '"https://api.acme.example/v1", "countries": null, "source": "custom", "notes": ""},\n'
    )
    rows.write_text(text.replace('    {"vendor": "custom"', f'{row}    {{"vendor": "custom"'))
    before = {path: path.read_text() for path in tree.rglob("*") if path.suffix in (".py", ".md", ".json", ".yaml")}
    done = generate(tree)
    assert done.returncode == 0, done.stderr
    written = {str(path.relative_to(tree)) for path, now in before.items() if path.read_text() != now}
    assert written == {
        "Pulumi.yaml",
        "components/pulumi_llm/_args.py",
        "docs/components.md",
        "docs/user-guide.md",
        "docs/user-guide.zh.md",
        "templates/gateway/llm_gate/routes.py",
        "tests/golden/schema.json",
    }
    declared = (tree / "Pulumi.yaml").read_text()
    assert "  acmeApiKey:\n    description: The key for Acme; needed where" in declared
    environment = {**os.environ, "PYTHONPATH": str(tree / "components")}
    environment["PULUMI_LLM_TEMPLATES"] = str(tree / "templates")
    command = [sys.executable, "-c", PLAN]
    planned = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert planned.returncode == 0, planned.stderr
    told = planned.stdout
    assert "https://api.acme.example/v1" in told
    assert "upstream_acme" in told
    # The node's own code knows the kind.
    asked = "from llm_gate.routes import KINDS; print(KINDS['acme'])"
    environment["PYTHONPATH"] = str(tree / "templates/gateway")
    kinds = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True)
    assert kinds.stdout == "('/v1/chat/completions',)\n"


def test_a_key_without_a_docstring_or_without_chinese_is_refused(tree: Path) -> None:
    server = tree / "components/pulumi_llm/spec/server.py"
    good = server.read_text()
    added = good.replace("    spot: Flag = False\n", "    nice: Flag = False\n    spot: Flag = False\n")
    assert added != good
    try:
        server.write_text(added)
        bare = generate(tree)
        server.write_text(added.replace("    nice: Flag = False\n", '    nice: Flag = False\n    """Be nice."""\n'))
        untranslated = generate(tree)
    finally:
        server.write_text(good)
    assert "ServerSpec.nice has no docstring" in bare.stderr
    assert "no Chinese for 'Be nice.'" in untranslated.stderr
    assert bare.returncode == untranslated.returncode == 1
    assert "Traceback" not in bare.stderr + untranslated.stderr


def test_a_breaking_change_is_not_recorded_unless_it_is_meant(tree: Path) -> None:
    recorded = tree / "tests/golden/schema.json"
    now = recorded.read_text()
    older = json.loads(now)
    older["types"][KEY]["properties"]["gone"] = {"type": "string"}
    recorded.write_text(json.dumps(older))
    done = generate(tree)
    assert done.returncode == 1
    assert "Key.gone is gone" in done.stderr
    assert json.loads(recorded.read_text()) == older
    assert generate(tree, "--breaking").returncode == 0
    assert recorded.read_text() == now


def test_the_config_keys_that_the_project_declares_are_those_that_a_stack_may_set() -> None:
    import yaml

    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    assert [key for key, row in declared.items() if row.get("secret")] == [
        each.config_key for each in (spec.KUBECONFIG, *spec.SECRETS)
    ]
