"""What is rendered, read by the programs that will read it on the node.

`make tools` brings them; a tool that is not there fails the test, it does not skip it.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm.roles import Role, order
from tests.bootstrap.samples import SAMPLES, booted, gpu_node

pytestmark = pytest.mark.artefact

CHECKOUT = Path(__file__).parents[2]


def tool(name: str) -> str:
    """Where a tool is: where `make tools` puts it, else on PATH."""
    folder = Path(os.environ.get("PULUMI_LLM_TOOLS", CHECKOUT / ".tools")) / "bin"
    found = shutil.which(name, path=f"{folder}:{os.environ['PATH']}")
    assert found, f"{name} is neither in {folder} nor on PATH: run `make tools`"
    return found


def check(*argv: str | Path, **env: str) -> str:
    """Run a tool that has to be content."""
    done = subprocess.run(
        [str(each) for each in argv], env=os.environ | env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def settings_root(root: Path, name: str) -> dict[str, Path]:
    """The node's files under a directory, as staged and applied; path on the node to path here."""
    request = SAMPLES[name]
    booted(root, request)
    found = {}
    for each in bootstrap.settings(request)["files"]:
        path = root / each["path"].lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(each["content"])
        path.chmod(int(each["mode"], 8))
        found[each["path"]] = path
    return found


@pytest.mark.parametrize("name", SAMPLES)
def test_cloud_init_accepts_the_user_data(tmp_path: Path, name: str) -> None:
    path = tmp_path / "user-data"
    path.write_text(bootstrap.user_data(SAMPLES[name]))
    assert "Valid" in check(tool("cloud-init"), "schema", "-c", path)


def test_cloud_init_would_notice_a_misspelt_key(tmp_path: Path) -> None:
    path = tmp_path / "user-data"
    path.write_text(bootstrap.user_data(gpu_node()).replace("write_files:", "write_fils:"))
    done = subprocess.run([tool("cloud-init"), "schema", "-c", path], capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert "write_fils" in done.stdout + done.stderr


@pytest.mark.parametrize("name", SAMPLES)
def test_the_lines_that_cloud_init_runs_unpack_the_node(tmp_path: Path, name: str) -> None:
    document = yaml.safe_load(bootstrap.user_data(SAMPLES[name]))
    boot = next(each["content"] for each in document["write_files"] if each["path"] == "/opt/llm/boot")
    (tmp_path / "boot").write_text(boot)
    line = next(each for each in document["runcmd"] if "python3 -c" in each)
    # The same line, with the node's root moved under a directory of the test.
    line = line.replace("/opt/llm/boot", str(tmp_path / "boot")).replace(
        "pathlib.Path(n)", f'pathlib.Path("{tmp_path}"+n)'
    )
    check("/bin/sh", "-c", line)
    assert (tmp_path / "opt/llm/bin/llm-node").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "etc/systemd/system/llm-disk.service").is_file()


@pytest.mark.parametrize("name", SAMPLES)
def test_systemd_accepts_every_unit(tmp_path: Path, name: str) -> None:
    files = settings_root(tmp_path, name)
    units = {path for node, path in files.items() if node.endswith((".service", ".slice", ".socket", ".target"))}
    # verify wants what ExecStart names to be there, and the units that these order themselves by.
    started = re.compile(r"^ExecStart(?:Pre|Post)?=-?(\S+)", re.MULTILINE)
    programs = {program for path in units for program in started.findall(path.read_text())}
    for program in programs:
        path = tmp_path / program.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    system = Path("/usr/lib/systemd/system")
    (tmp_path / "usr/lib/systemd").mkdir(parents=True, exist_ok=True)
    shutil.copytree(
        system if system.is_dir() else Path("/lib/systemd/system"), tmp_path / "usr/lib/systemd/system", symlinks=True
    )
    (tmp_path / "usr/lib/systemd/system/docker.service").write_text("[Service]\nExecStart=/usr/bin/docker\n")
    out = check(
        tool("systemd-analyze"), "verify", "--man=no", f"--root={tmp_path}", *sorted(path.name for path in units)
    )
    ours = [line for line in out.splitlines() if "llm" in line]
    assert not ours, "\n".join(ours)


@pytest.mark.parametrize("name", SAMPLES)
def test_systemd_rates_no_service_as_more_exposed_than_4_of_10(tmp_path: Path, name: str) -> None:
    files = settings_root(tmp_path, name)
    units = [path for node, path in files.items() if node.endswith(".service")]
    running = [path for path in units if "Type=oneshot" not in path.read_text() or "docker compose" in path.read_text()]
    assert len(running) >= 3
    for path in running:
        check(tool("systemd-analyze"), "security", "--offline=true", "--no-pager", "--threshold=40", path)


@pytest.mark.parametrize("name", SAMPLES)
def test_caddy_accepts_its_configuration(tmp_path: Path, name: str) -> None:
    files = settings_root(tmp_path, name)
    check(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", tmp_path / "tls.key", "-out", tmp_path / "tls.crt", "-days", "2", "-subj", "/CN=llm",
    )  # fmt: skip
    config = files["/opt/llm/gateway/Caddyfile"]
    text = (
        config.read_text()
        .replace("/srv/llm/secrets", str(tmp_path))
        .replace("/var/lib/llm-caddy", str(tmp_path / "caddy"))
    )
    config.write_text(text)
    out = check(tool("caddy"), "validate", "--config", config, "--adapter", "caddyfile", HOME=str(tmp_path))
    assert "Valid configuration" in out


@pytest.mark.parametrize("name", SAMPLES)
def test_docker_compose_accepts_every_compose_file(tmp_path: Path, name: str) -> None:
    files, request = settings_root(tmp_path, name), SAMPLES[name]
    containers = [each for each in order.listed(request) if each.manifest.compose]
    assert bool(containers) == ("docker.service.d" in " ".join(files))
    for role in containers:
        services = composed(tmp_path, files[f"/opt/llm/{role.name}/compose.yaml"], role, request)
        for service in services.values():
            assert {each["host_ip"] for each in service["ports"]} == {"127.0.0.1"}
        for secret in role.manifest.secrets.values():
            assert any(each["environment"].get(secret.variable) == "key" for each in services.values())


def composed(root: Path, path: Path, role: Role, request: bootstrap.NodeRequest | None = None) -> dict[str, Any]:
    """A role's services as docker compose reads them, with a key in each of its variables."""
    for each in role.secret_files(request or gpu_node()):
        lines = "".join(f"{variable}=key\n" for variable in each["entries"].values())
        (root / Path(each["path"]).name).write_text(lines)
    path.write_text(path.read_text().replace("/srv/llm/secrets", str(root)))
    out = check(tool("docker-compose"), "--file", path, "config", "--format", "json")
    services: dict[str, Any] = json.loads(out[out.index("{") :])["services"]
    return services


def shell(lines: Sequence[str]) -> str:
    """A script as a login shell or cloud-init runs it."""
    return "#!/bin/sh\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", ["runcmd", "stage", "apply"])
def test_shellcheck_accepts_the_shell_lines(tmp_path: Path, name: str) -> None:
    lines = {
        "runcmd": yaml.safe_load(bootstrap.user_data(gpu_node()))["runcmd"],
        "stage": [bootstrap.stage_command()],
        "apply": [bootstrap.apply_command()],
    }[name]
    path = tmp_path / "lines.sh"
    path.write_text(shell(lines))
    check(tool("shellcheck"), path)


def test_python_of_ubuntu_accepts_the_nodes_code() -> None:
    # Ubuntu 24.04 has Python 3.12; what runs there must also compile under the oldest Python that we are tested with.
    for name, source in bootstrap.settings(gpu_node())["code"].items():
        compile(source, name, "exec")
