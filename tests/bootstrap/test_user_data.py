"""User data is deterministic, plain, free of secrets, valid cloud-config and within each cloud's limit."""

import ast
import hashlib
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm import catalog, roles
from pulumi_llm._bootstrap.files import node_code, packed, squeezed, unpacked
from pulumi_llm._bootstrap.node_document import supply_document
from pulumi_llm._bootstrap.user_data import boot_files
from pulumi_llm.errors import Refusal, UnknownName
from tests.bootstrap.samples import SAMPLES, gpu_node, proxy_node, vector_node, vllm_of


def archive(text: str) -> dict[str, str]:
    """What the user data packs, read the way the node reads it."""
    written = {each["path"]: each["content"] for each in yaml.safe_load(text)["write_files"]}
    return unpacked(written["/opt/llm/boot"])


@pytest.mark.parametrize("name", SAMPLES)
def test_the_same_request_gives_the_same_bytes(name: str) -> None:
    request = SAMPLES[name]
    assert bootstrap.user_data(request) == bootstrap.user_data(replace(request))


@pytest.mark.parametrize("name", SAMPLES)
def test_user_data_is_as_the_golden_file_says(name: str, golden: object) -> None:
    text = bootstrap.user_data(SAMPLES[name])
    # The packed line is compared by what is in it: compressed bytes may differ between builds of liblzma.
    shown = re.sub(r'content: "[^"]+"', 'content: "…"', text)
    listing = "".join(f"\n--- {path}\n{content}" for path, content in archive(text).items() if "/lib/" not in path)
    golden(Path(f"bootstrap/{name}.user-data.txt"), shown + listing)  # type: ignore[operator]


@pytest.mark.parametrize("name", SAMPLES)
def test_user_data_carries_no_secret_and_no_place_for_one(name: str) -> None:
    request = SAMPLES[name]
    text = bootstrap.user_data(request)
    everything = text + json.dumps(archive(text))
    names = bootstrap.secret_names(request)
    assert names
    for each in names:
        assert each not in everything
    assert "BEGIN " not in everything


@pytest.mark.parametrize("cloud", ["aws", "aliyun", "tencent"])
@pytest.mark.parametrize("name", SAMPLES)
def test_user_data_fits_every_cloud(cloud: str, name: str) -> None:
    report = bootstrap.size_report(replace(SAMPLES[name], cloud=cloud))
    assert 0 < report.share <= 0.76, report


def test_tencent_counts_bytes_before_base64() -> None:
    assert bootstrap.user_data_limit("tencent") * 4 // 3 == 16 * 1024


def test_user_data_over_the_limit_is_refused_with_both_numbers() -> None:
    # names that cannot be packed
    names = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(100)]
    sources = replace(gpu_node().sources, hubs=tuple(f"huggingface=https://{each}.example.com" for each in names))
    with pytest.raises(Refusal) as refused:
        bootstrap.user_data(gpu_node(sources=sources))
    finding = refused.value.findings[0]
    assert finding.code == "bootstrap.user-data-too-big"
    assert "12288" in finding.message


@pytest.mark.parametrize(("spare", "refused"), [(1, False), (0, False), (-1, True)])
def test_user_data_may_be_as_large_as_the_limit_and_not_a_byte_more(
    monkeypatch: pytest.MonkeyPatch, spare: int, refused: bool
) -> None:
    size = bootstrap.size_report(gpu_node()).size
    module = sys.modules["pulumi_llm._bootstrap.user_data"]
    facts = replace(catalog.load().cloud("aliyun"), user_data_limit=size + spare)
    monkeypatch.setattr(module, "_facts", lambda cloud: facts)
    if refused:
        with pytest.raises(Refusal, match=str(size)):
            bootstrap.user_data(gpu_node())
    else:
        assert len(bootstrap.user_data(gpu_node()).encode()) == size


@pytest.mark.parametrize("node", [gpu_node, vector_node, proxy_node])
def test_a_node_installs_the_packages_of_what_is_on_it_and_no_others(node: Callable[[], bootstrap.NodeRequest]) -> None:
    packages = {name: each.manifest.install.packages for name, each in roles.built_in().items()}
    request = node()
    document = supply_document(request)
    wanted = {"node", "caddy", *(each.role for each in request.roles)}
    wanted |= {"docker"} & {need for name in wanted for need in roles.role(name).manifest.needs.roles}
    for stage in ("base", "services"):
        expected = [set(getattr(packages[name], stage)) for name in wanted if packages[name]]
        assert set(document[stage]) == set().union(*expected)
        assert len(document[stage]) == sum(map(len, expected))
    driver = {"signed", "compiled", "nvswitch"}
    assert document.keys() & driver == (driver if "vllm" in wanted else set())
    images = {"registries", "images"}
    assert document.keys() & images == (images if "weaviate" in wanted else set())


def test_an_unknown_cloud_is_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean aliyun"):
        bootstrap.user_data(gpu_node(cloud="aliyunn"))


def test_an_unknown_hub_is_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean modelscope"):
        bootstrap.user_data(gpu_node(sources=bootstrap.Sources(hubs=("modelscop",))))


def test_a_hub_that_does_not_have_the_model_is_refused() -> None:
    request = gpu_node(sources=bootstrap.Sources(hubs=("modelscope",)))
    with pytest.raises(Refusal, match=r"bootstrap\.no-hub"):
        bootstrap.user_data(request.having(replace(vllm_of(request), modelscope_id=None)))


def test_a_hub_of_ones_own_is_taken_by_its_address() -> None:
    sources = bootstrap.Sources(hubs=("huggingface=https://hub.example.com",))
    assert '"endpoint": "https://hub.example.com", "token": true' in bootstrap.user_data(gpu_node(sources=sources))


def test_a_public_mirror_is_not_given_the_hub_token() -> None:
    sources = bootstrap.Sources(hubs=("hf-mirror",))
    assert '"endpoint": "https://hf-mirror.com", "token": false' in bootstrap.user_data(gpu_node(sources=sources))


@pytest.mark.parametrize("name", SAMPLES)
def test_user_data_only_writes_files_and_starts_one_target(name: str) -> None:
    document = yaml.safe_load(bootstrap.user_data(SAMPLES[name]))
    assert document["package_upgrade"] is False
    assert document["ssh_pwauth"] is False
    assert document["runcmd"][0] == "set -eu", "a failing line in the middle of runcmd is not reported otherwise"
    assert document["runcmd"][-1] == "systemctl start --no-block llm.target"
    assert not {"packages", "package_update", "users", "bootcmd"} & document.keys()


@pytest.mark.parametrize("name", SAMPLES)
def test_every_stage_has_a_unit_and_code_before_it_is_started(name: str) -> None:
    text = bootstrap.user_data(SAMPLES[name])
    files = archive(text)
    settings = bootstrap.settings(SAMPLES[name])
    later = {each["path"]: each["content"] for each in settings["files"] if each["early"]}
    document = yaml.safe_load(text)
    node = json.loads(next(each["content"] for each in document["write_files"] if each["path"].endswith("node.json")))
    enabled = [each.removeprefix("llm-") for each in document["runcmd"][-2].split()[3:]]
    assert "disk" in enabled
    assert ("weights" in enabled) == (SAMPLES[name].asked("vllm") is not None)
    for stage in node["stages"]:
        unit = f"/etc/systemd/system/llm-{stage}.service"
        where = files if stage in enabled else later
        assert f"ExecStart=/opt/llm/bin/llm-node run {stage}" in where[unit]
        assert f"llm_node/{stage}.py" in settings["code"]
        assert (f"/opt/llm/lib/llm_node/{stage}.py" in files) == (stage in enabled)


@pytest.mark.parametrize("name", SAMPLES)
def test_no_unit_waits_for_cloud_init_which_waits_for_it(name: str) -> None:
    for path, content in boot_files(SAMPLES[name]).items():
        if path.endswith((".service", ".target")):
            assert "cloud-final" not in content
            assert "cloud-init" not in content


def test_nothing_in_the_boot_upgrades_packages() -> None:
    everything = "".join([*boot_files(gpu_node()).values(), *node_code().values()])
    assert "dist-upgrade" not in everything
    assert '"upgrade"' not in everything
    assert "--no-upgrade" in everything


def test_a_proxy_is_given_no_driver_and_no_docker() -> None:
    files = boot_files(proxy_node())
    assert not [path for path in files if "driver" in path or "docker" in path or "weights" in path]


def test_weights_do_not_wait_for_driver_and_wheels() -> None:
    unit = boot_files(gpu_node())["/etc/systemd/system/llm-weights.service"]
    after = next(line for line in unit.splitlines() if line.startswith("After="))
    assert after == "After=network-online.target llm-disk.service"


@pytest.mark.parametrize("module", node_code())
def test_squeezed_code_does_what_the_full_code_does(module: str) -> None:
    class Bare(ast.NodeTransformer):
        """Without what squeezing takes away."""

        def visit_FunctionDef(self, item: ast.FunctionDef) -> ast.AST:
            item.returns = None
            return self.documented(item)

        def visit_ClassDef(self, item: ast.ClassDef) -> ast.AST:
            return self.documented(item)

        def visit_Module(self, item: ast.Module) -> ast.AST:
            return self.documented(item)

        def visit_arg(self, item: ast.arg) -> ast.AST:
            item.annotation = None
            return item

        def visit_ImportFrom(self, item: ast.ImportFrom) -> ast.AST | None:
            return None if item.module in ("__future__", "typing", "collections.abc") else item

        def documented(self, item: ast.Module | ast.ClassDef | ast.FunctionDef) -> ast.AST:
            if ast.get_docstring(item) is not None and (len(item.body) > 1 or isinstance(item, ast.Module)):
                item.body = item.body[1:]
            return self.generic_visit(item)

    full = node_code()[module]
    assert ast.dump(Bare().visit(ast.parse(full))) == ast.dump(Bare().visit(ast.parse(squeezed(full))))


def test_packing_keeps_every_character() -> None:
    files = {"/a": 'ü"\n\t\\', "/空": "x" * 5000}
    assert unpacked(packed(files)) == files
    assert not set(packed(files)) & set("\"'\\\n ")


def test_docker_waits_for_the_stage_that_mounts_the_disk_its_images_lie_on() -> None:
    # An entry in fstab alone is not enough: a disk that comes late is mounted by the stage, under a Docker that runs.
    settings = {each["path"]: each["content"] for each in bootstrap.settings(vector_node())["files"]}
    drop_in = settings["/etc/systemd/system/docker.service.d/llm.conf"]
    assert "After=llm-disk.service" in drop_in
    assert "Wants=llm-disk.service" in drop_in
    # Requires= would stop Docker, and all that runs in it, whenever the stage is run again.
    assert "Requires=llm-disk" not in drop_in
