"""Nothing that goes over all roles names one: a new service is one folder, here and in somebody else's package."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pulumi_llm.roles import registry
from tests.roles.sample import COMPOSE, ROLE

ROOT = Path(__file__).parents[2]
OF_THE_ARGUMENT = frozenset(
    {
        *("spec/component.py", "spec/platform.py", "spec/vectors.py"),
        *("spec/store.py", "_cluster/store.py", "_cluster/store_values.py"),  # by a chart, which is one store's
        *("_args.py", "_model_server.py", "_platform.py", "_vector_store.py", "_vectorizing.py"),
    }
)
"""Where the arguments and outputs of the components are described that have a vector store of their own."""
PACKAGE = ROOT / "components/pulumi_llm"
OWN = frozenset(
    f"{role.manifest.code.partition(':')[0].removeprefix('pulumi_llm.').replace('.', '/')}.py"
    for role in registry.built_in().values()
    if role.manifest.code
)
"""The classes of single roles."""
LOOPS = (
    *(path for path in sorted(PACKAGE.rglob("*.py")) if str(path.relative_to(PACKAGE)) not in OF_THE_ARGUMENT | OWN),
    *(ROOT / "templates/node").rglob("*.py"),
    *(ROOT / "templates/node").glob("*.service*"),
    *(ROOT / "templates/caddy").glob("*.j2"),
)
# Of those with an argument of their own: the name of another one, such as `notes`, may be a word of any text.
CONTAINERS = sorted(
    name for name, role in registry.built_in().items() if role.manifest.compose and role.manifest.argument
)


@pytest.mark.parametrize("path", LOOPS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_goes_over_all_roles_names_no_container_service(path: Path) -> None:
    text = re.sub(r"^(>>> .*|'.*')$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)  # an example
    assert not re.findall("|".join(CONTAINERS), text, re.IGNORECASE)


def test_a_container_service_of_ours_is_one_folder(tmp_path: Path) -> None:
    """Added in a copy of the tree, where nothing but the folder is new: it is on a node, in the spec, and has all."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("components", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    folder = tmp_path / "templates/ledger"
    folder.mkdir()
    (folder / "role.yaml").write_text(ROLE)
    (folder / "compose.yaml.j2").write_text(COMPOSE)
    program = """
from pulumi_llm import _bootstrap as bootstrap, spec
from pulumi_llm._bootstrap import GatewayRole, NodeRequest, Route, ServiceRole, Target, Upstream
from pulumi_llm.roles import registry
own = Target(upstream="vllm", model="m", price_in=0, price_out=0)
gateway = GatewayRole(https_port=443, routes=(Route(name="m", targets=(own,)),),
                      upstreams=(Upstream(name="vllm", kind="vllm", base_url="http://127.0.0.1:8000/v1"),))
node = NodeRequest(name="n", cloud="aws", region="us-east-1", login_user="ubuntu", in_china=False, data_disk_gib=50,
                   roles=(gateway, ServiceRole(role="ledger")))
assert "ledger" in registry.built_in()
document = bootstrap.settings(node)
print(document["services"], bootstrap.user_data(node).count("ledger"))
wanted = {"cloud": "aws", "region": "us-east-1", "gpu": "T4", "model": "01-ai/Yi-6B-Chat", "services": {"ledger": {}}}
print(spec.parse(spec.ServerSpec, wanted).services["ledger"].memory_gib)
try: spec.parse(spec.AccessSpec, {"allowed_cidrs": ["203.0.113.0/24"], "https_port": 18501})
except Exception as refused: print(str(refused).splitlines()[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120,
        env={"PYTHONPATH": str(tmp_path / "components"), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert first == (
        "['llm-status.service', 'llm-ledger.service', 'llm-gate.socket', 'llm-gate.service', 'llm-caddy.service', "
        "'llm-watch.service'] 0"
    )
    assert second == "3"
    assert third == "[spec.port-taken] https_port: port 18501 is Ledger's"


def test_a_typed_flag_of_vllm_is_a_key_of_the_spec_and_a_row_of_its_role(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("components", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    key = "    max_num_seqs: Annotated[Count"
    row = "    max_num_seqs: --max-num-seqs\n"
    changed = []
    for old, new, folder in ((key, f"    block_size: Count | None = None\n{key}", "components/pulumi_llm/spec"),
                             (row, f"{row}    block_size: --block-size\n", "templates/vllm")):  # fmt: skip
        for path in sorted((tmp_path / folder).iterdir()):
            if path.is_file() and old in path.read_text():
                path.write_text(path.read_text().replace(old, new))
                changed.append(path.name)
    assert len(changed) == 2
    program = """
from pulumi_llm import spec
from pulumi_llm._bootstrap import VllmRole
from pulumi_llm.roles.vllm_flags import flags_of_spec, vllm_arguments
wanted = {"cloud": "aws", "region": "us-east-1", "gpu": "T4", "model": "01-ai/Yi-6B-Chat", "block_size": 32}
flags = flags_of_spec(spec.parse(spec.ServerSpec, wanted))
print(vllm_arguments(VllmRole(model_id="01-ai/Yi-6B-Chat", served_name="m", flags=flags)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120,
        env={"PYTHONPATH": str(tmp_path / "components"), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "'--block-size', '32'" in done.stdout
