from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pulumi_llm._commands import sim as sim_command
from pulumi_llm._provider_facts import OBJECTS, packages
from pulumi_llm._simcloud import arguments, command, localstate, mirror
from pulumi_llm.errors import Refusal

# Stands for the engine: notes what it was asked, in which folder and environment, and makes stacks.
ENGINE = """#!/bin/sh
[ "$1" = version ] && { echo v3.259.0; exit 0; }
[ "$1" = --non-interactive ] && shift
echo "$@" >>"$FAKE/calls"
pwd >"$FAKE/folder"
env >"$FAKE/environment"
case "$1 $2" in
  "stack init")
    mkdir -p "$PULUMI_LLM_SIM_HOME/state/.pulumi/stacks/shop"
    echo '{}' >"$PULUMI_LLM_SIM_HOME/state/.pulumi/stacks/shop/$3.json" ;;
  "stack --show-name") [ -n "$FAKE_SELECTED" ] && echo "$FAKE_SELECTED" || exit 1 ;;
  up*) [ -n "$FAKE_SIGNAL" ] && kill -"$FAKE_SIGNAL" $$; exit "${FAKE_EXIT:-0}" ;;
esac
exit 0
"""


class Bench:
    """A project with one stack, an engine that is not real, and what became of them."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.home = self.root / ".pulumi-sim"
        self.fake = folder / "fake"
        self.fake.mkdir()
        self.root.mkdir()
        (self.root / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
        self.stack_file = self.root / "Pulumi.dev.yaml"
        self.stack_file.write_text("# mine\nconfig:\n  shop:size: 1\n")

    def run(self, *argv: str) -> int:
        return sim_command.COMMAND.run(argv)

    @property
    def calls(self) -> list[str]:
        path = self.fake / "calls"
        return path.read_text().splitlines() if path.is_file() else []

    @property
    def environment(self) -> dict[str, str]:
        lines = (self.fake / "environment").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(tmp_path)
    for name in ("pulumi", "pulumi-language-python"):
        program = made.fake / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(ENGINE)
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{made.fake / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE", str(made.fake))
    for name in ("PULUMI_LLM_SIM_HOME", "PULUMI_LLM_SIM_FAULTS", "PULUMI_STACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(made.root)
    return made


def test_the_engine_gets_a_local_state_and_nothing_of_the_users_own(bench: Bench) -> None:
    assert bench.run("up", "-s", "dev") == 0
    seen = bench.environment
    assert seen["PULUMI_BACKEND_URL"] == f"file://{bench.home}/state"
    assert seen["PULUMI_HOME"] == f"{bench.home}/pulumi"
    assert seen["PULUMI_LLM_SIM_HOME"] == str(bench.home)
    assert seen["PULUMI_CONFIG_PASSPHRASE"] == "simulated"
    assert seen["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
    assert seen["PULUMI_SKIP_UPDATE_CHECK"] == "true"


@pytest.mark.parametrize("option", ["--preview-only", "--preview-only=true"])
def test_a_preview_of_a_destroy_is_not_also_told_to_go_on_unasked(bench: Bench, option: str) -> None:
    assert bench.run("destroy", "-s", "dev") == 0
    assert bench.environment["PULUMI_SKIP_CONFIRMATIONS"] == "true"
    assert bench.run("destroy", "-s", "dev", option) == 0
    assert "PULUMI_SKIP_CONFIRMATIONS" not in bench.environment


def test_real_credentials_do_not_reach_the_engine(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = [
        *("AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALICLOUD_SECRET_KEY"),
        *("TENCENTCLOUD_SECRET_KEY", "PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE_FILE", "CLOUDFLARE_API_TOKEN"),
        *("PULUMI_DEBUG_PROVIDERS", "PULUMI_IGNORE_AMBIENT_PLUGINS"),
    ]
    for name in planted:
        monkeypatch.setenv(name, "planted")
    assert bench.run("up", "-s", "dev") == 0
    seen = bench.environment
    ours = seen.pop("PULUMI_DEBUG_PROVIDERS").split(",")  # where the simulated plugins answer
    assert {each.split(":")[0] for each in ours} == {*packages(), *OBJECTS}
    assert not {*planted} & {*seen}
    assert "planted" not in seen.values()


def test_our_plugins_come_first_on_path_then_the_engine_then_this_python(bench: Bench) -> None:
    bench.run("up", "-s", "dev")
    first = bench.environment["PATH"].split(os.pathsep)[:3]
    assert first == [str(bench.home / "bin"), str(bench.fake / "bin"), str(Path(sys.executable).parent)]


def test_each_simulated_package_has_its_plugin(bench: Bench) -> None:
    bench.run("up", "-s", "dev")
    for package in ("aws", "alicloud", "tencentcloud", "cloudflare", "command", "random", "tls"):
        plugin = bench.home / "bin" / f"pulumi-resource-{package}"
        assert os.access(plugin, os.X_OK)
        assert plugin.read_text().splitlines()[1] == (
            f'exec {sys.executable} -P -m pulumi_llm._simcloud.plugin {package} "$@"'
        )


def test_the_program_is_run_by_this_python(bench: Bench) -> None:
    bench.run("up", "-s", "dev")
    for name in ("python", "python3"):
        said = subprocess.run(
            [bench.home / "bin" / name, "-c", "import sys; print(sys.prefix)"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert said.stdout.strip() == sys.prefix


def test_the_language_host_needs_no_pip(bench: Bench) -> None:
    bench.run("up", "-s", "dev")
    asked = [bench.home / "bin" / "python", "-m", "pip", "list", "-v", "--format", "json"]
    assert json.loads(subprocess.run(asked, capture_output=True, check=True).stdout) == []


def test_the_simulation_is_ignored_by_git(bench: Bench) -> None:
    bench.run("up", "-s", "dev")
    assert (bench.home / ".gitignore").read_text() == "*\n"


def test_the_engine_runs_in_the_mirror_of_the_project(bench: Bench) -> None:
    bench.run("up", "-s", "dev")
    folder = Path((bench.fake / "folder").read_text().strip())
    assert mirror.read_yaml(folder / "Pulumi.yaml")["main"] == str(bench.root)
    assert (folder / "Pulumi.dev.yaml").is_file()


def test_the_users_stack_file_is_not_touched(bench: Bench) -> None:
    before = bench.stack_file.read_bytes(), bench.stack_file.stat().st_mtime_ns
    bench.run("up", "-s", "dev")
    assert (bench.stack_file.read_bytes(), bench.stack_file.stat().st_mtime_ns) == before


@pytest.mark.parametrize("word", ["up", "preview", "destroy", "refresh", "config"])
def test_a_stack_is_made_when_it_is_first_asked_for(bench: Bench, word: str) -> None:
    bench.run(word, "--stack", "dev")
    assert bench.calls == ["stack init dev", f"{word} --stack dev"]


def test_a_stack_that_exists_is_not_made_again(bench: Bench) -> None:
    bench.run("up", "-s", "dev")
    bench.run("up", "-s", "dev")
    assert bench.calls == ["stack init dev", "up -s dev", "up -s dev"]


def test_a_misspelt_stack_is_refused_with_the_nearest_name(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    assert bench.run("up", "-s", "dve") == 1
    assert bench.calls == []
    error = capfd.readouterr().err
    assert "sim.unknown-stack" in error
    assert "did you mean dev?" in error


def test_a_project_without_stack_files_gets_any_stack(bench: Bench) -> None:
    bench.stack_file.unlink()
    assert bench.run("up", "-s", "anything") == 0
    assert bench.calls == ["stack init anything", "up -s anything"]


def test_without_a_name_the_selected_stack_is_meant(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_SELECTED", "dev")
    bench.run("up")
    assert bench.calls == ["stack --show-name", "stack init dev", "up"]


def test_a_secret_that_the_project_declares_gets_a_simulated_value(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    with (bench.root / "Pulumi.yaml").open("a") as file:
        file.write("config: {token: {type: string, secret: true}}\n")
    bench.run("up", "-s", "dev")
    assert bench.calls[1] == "config set-all --path --stack dev --secret shop:token=simulated-token"
    assert "sim: token: not known here, so set to simulated values" in capfd.readouterr().err


def test_a_secret_that_is_encrypted_for_the_real_stack_gets_a_simulated_value(bench: Bench) -> None:
    bench.stack_file.write_text("config:\n  shop:token: {secure: v1:abc}\n")
    bench.run("up", "-s", "dev")
    assert bench.calls[1] == "config set-all --path --stack dev --secret shop:token=simulated-token"


def test_a_secret_that_was_set_is_left_alone(bench: Bench) -> None:
    with (bench.root / "Pulumi.yaml").open("a") as file:
        file.write("config: {token: {type: string, secret: true}}\n")
    bench.stack_file.write_text("config:\n  shop:token: mine\n")
    bench.run("up", "-s", "dev")
    assert bench.calls == ["stack init dev", "up -s dev"]


def test_the_secrets_of_a_platform_are_those_that_its_spec_names() -> None:
    platform = {"proxy": {"upstreams": {"openai": {}}}}
    assert command.needed_secrets({"shop:platform": platform}) == ["openaiApiKey"]
    assert command.needed_secrets({"platform": platform, "shop:other": platform}) == ["openaiApiKey"]


@pytest.mark.parametrize("platform", [None, "text", [], {"proxy": 3}, {"server": {"model": 5}}])
def test_a_platform_that_makes_no_sense_needs_no_secrets(platform: object) -> None:
    assert command.needed_secrets({"shop:platform": platform}) == []


@pytest.mark.parametrize("code", [0, 1, 255])
def test_the_exit_code_is_the_engines_own(bench: Bench, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setenv("FAKE_EXIT", str(code))
    assert bench.run("up", "-s", "dev") == code


def test_an_engine_that_was_killed_gives_the_shells_code(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_SIGNAL", "KILL")
    assert bench.run("up", "-s", "dev") == 128 + signal.SIGKILL


def test_faults_reach_the_plugins_joined(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_LLM_SIM_FAULTS", "quota:*")
    bench.run("--fault", "no-stock:cn-shanghai-b", "--fault=image-date:20270101", "up", "-s", "dev")
    assert bench.environment["PULUMI_LLM_SIM_FAULTS"] == "quota:*;no-stock:cn-shanghai-b;image-date:20270101"


def test_a_fault_that_does_not_exist_is_refused_before_anything_runs(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    assert bench.run("--fault", "no-stok:x", "up", "-s", "dev") == 1
    assert bench.calls == []
    assert "did you mean no-stock" in capfd.readouterr().err


def test_home_and_project_can_be_named(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bench.run("--home", "elsewhere", "--project", str(bench.root), "up", "-s", "dev")
    assert bench.environment["PULUMI_LLM_SIM_HOME"] == str(tmp_path / "elsewhere")
    assert not bench.home.exists()


def test_a_working_folder_given_to_the_engine_names_the_project(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert bench.run("-C", "project", "up", "-s", "dev") == 0
    assert bench.calls[-1] == "up -s dev"


def test_paths_relative_to_the_callers_folder_are_made_absolute(bench: Bench) -> None:
    bench.run("preview", "--policy-pack", "policy", "--save-plan=plan.json", "-s", "dev")
    assert bench.calls[-1] == (f"preview --policy-pack {bench.root}/policy --save-plan {bench.root}/plan.json -s dev")


def test_a_config_file_of_ones_own_is_copied_and_not_written_to(bench: Bench) -> None:
    other = bench.root / "other.yaml"
    other.write_text("config:\n  shop:size: 7\n")
    bench.run("up", "-s", "dev", "--config-file", "other.yaml")
    assert bench.calls[-1] == "up -s dev"
    assert mirror.read_yaml(bench.home / "project" / "Pulumi.dev.yaml")["config"] == {"shop:size": 7}
    assert other.read_text() == "config:\n  shop:size: 7\n"


def test_what_is_not_about_a_stack_runs_where_the_caller_is(bench: Bench, tmp_path: Path) -> None:
    assert bench.run("plugin", "ls") == 0
    assert bench.calls == ["plugin ls"]
    assert Path((bench.fake / "folder").read_text().strip()) == bench.root


def test_without_a_project_nothing_is_run(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert bench.run("up", "-s", "dev") == 1
    assert "project.not-found" in capfd.readouterr().err


def test_a_stack_file_that_is_no_yaml_is_one_message(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    bench.stack_file.write_text("config: [")
    assert bench.run("up", "-s", "dev") == 1
    error = capfd.readouterr().err
    assert "project.not-yaml" in error
    assert str(bench.stack_file) in error


def test_a_home_that_cannot_be_a_folder_is_one_message(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    bench.home.write_text("in the way")
    assert bench.run("up", "-s", "dev") == 1
    assert "sim.home-unusable" in capfd.readouterr().err


def test_an_engine_that_the_system_cannot_run_is_one_message(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = command.Engine(bench.fake / "gone", bench.fake / "gone", "3.259.0", "a test")
    monkeypatch.setattr(command, "find_engine", lambda: missing)
    with pytest.raises(Refusal, match=r"sim\.engine-does-not-start"):
        command.call(missing, ["up"], {}, bench.root)
    assert bench.run("up", "-s", "dev") == 1


def lock_of_a_dead_process(bench: Bench) -> Path:
    with subprocess.Popen([sys.executable, "-c", ""]) as done:
        done.wait()
    folder = bench.home / "state/.pulumi/locks/organization/shop/dev"
    folder.mkdir(parents=True)
    path = folder / "a.json"
    entry = {"pid": done.pid, "hostname": os.uname().nodename, "timestamp": "2026-11-24T02:00:00Z"}
    path.write_text(json.dumps(entry))
    return path


def test_a_lock_whose_owner_is_gone_is_cancelled(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    lock_of_a_dead_process(bench)
    bench.run("up", "-s", "dev")
    assert bench.calls == ["stack init dev", "cancel --yes --stack dev", "up -s dev"]
    assert "dev was locked by a run that is gone" in capfd.readouterr().err


def test_a_lock_is_kept_when_another_one_is_held(bench: Bench) -> None:
    path = lock_of_a_dead_process(bench)
    held = {**json.loads(path.read_text()), "hostname": "elsewhere"}
    path.with_name("b.json").write_text(json.dumps(held))
    bench.run("up", "-s", "dev")
    assert bench.calls == ["stack init dev", "up -s dev"]


def test_what_a_killed_run_left_half_done_is_explained(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    bench.run("up", "-s", "dev")
    urn = "urn:pulumi:dev::shop::aws:ec2/vpc:Vpc::net"
    latest = {"pending_operations": [{"type": "creating", "resource": {"urn": urn}}]}
    path = bench.home / "state/.pulumi/stacks/shop/dev.json"
    path.write_text(json.dumps({"checkpoint": {"latest": latest}}))
    bench.run("up", "-s", "dev")
    assert "stopped in the middle of: creating net" in capfd.readouterr().err


def test_help_is_told_without_an_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert sim_command.COMMAND.run(["--help"]) == 0
    assert "pulumi-llm sim up -s" in capsys.readouterr().out


def test_no_command_at_all_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert sim_command.COMMAND.run([]) == 2
    assert "usage:" in capsys.readouterr().err


def test_an_option_without_its_value_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert sim_command.COMMAND.run(["--home"]) == 1
    assert "sim.usage" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "word", "stack"),
    [
        (["up", "-s", "a"], "up", "a"),
        (["up", "-sa"], "up", "a"),
        (["--color", "never", "preview", "--stack=org/shop/a"], "preview", "a"),
        (["-v", "3", "destroy"], "destroy", ""),
        (["-s", "a", "up", "--yes"], "up", "a"),
        (["stack", "init", "b"], "stack", ""),
        (["--version"], "", ""),
    ],
)
def test_pulumis_command_and_stack_are_found_among_its_arguments(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], word: str, stack: str
) -> None:
    monkeypatch.delenv("PULUMI_STACK", raising=False)
    request = arguments.parse(argv)
    assert (request.command, request.stack) == (word, stack)


def test_the_environment_can_name_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_STACK", "a")
    assert arguments.parse(["up"]).stack == "a"
    assert arguments.parse(["up", "-s", "b"]).stack == "b"


PROGRAM = """
import os
import pulumi

config = pulumi.Config()
pulumi.export("size", config.require_int("size"))
pulumi.export("token", config.require_secret("token"))
if "MARK" in os.environ:
    import time
    open(os.environ["MARK"], "w").close()
    while os.path.exists(os.environ["MARK"]):
        time.sleep(0.1)
"""


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """A project of somebody else's, which the real engine runs."""
    root = tmp_path / "some #1 shop, 100%41 ü"
    root.mkdir()
    (root / "Pulumi.yaml").write_text(
        "name: shop\nruntime: {name: python, options: {toolchain: uv}}\n"
        "config: {size: {type: integer}, token: {type: string, secret: true}}\n"
    )
    (root / "Pulumi.dev.yaml").write_text("# mine\nconfig:\n  shop:size: 1\n")
    (root / "__main__.py").write_text(PROGRAM)
    return root


def sim(root: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from pulumi_llm.cli import main; sys.exit(main(['sim', *sys.argv[1:]]))"
    return subprocess.run(
        [sys.executable, "-c", code, *argv],
        cwd=root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def outputs(root: Path) -> dict[str, object]:
    done = sim(root, "stack", "output", "-s", "dev", "--json", "--show-secrets")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.engine
def test_the_real_engine_brings_a_foreign_project_up_and_down(real: Path) -> None:
    done = sim(real, "up", "-s", "dev")
    assert done.returncode == 0, done.stdout + done.stderr
    assert outputs(real) == {"size": 1, "token": "simulated-token"}
    assert (real / "Pulumi.dev.yaml").read_text() == "# mine\nconfig:\n  shop:size: 1\n"
    assert sim(real, "destroy", "-s", "dev").returncode == 0


@pytest.mark.engine
def test_the_real_engine_sees_an_edit_and_keeps_what_was_set(real: Path) -> None:
    assert sim(real, "config", "set", "-s", "dev", "--secret", "token", "mine").returncode == 0
    assert sim(real, "up", "-s", "dev").returncode == 0
    (real / "Pulumi.dev.yaml").write_text("config:\n  shop:size: 2\n")
    assert sim(real, "up", "-s", "dev").returncode == 0
    assert outputs(real) == {"size": 2, "token": "mine"}


@pytest.mark.engine
def test_a_run_after_a_killed_one_clears_its_lock_and_converges(
    real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sim(real, "up", "-s", "dev").returncode == 0
    state = real / ".pulumi-sim" / "state"
    mark = tmp_path / "started"
    monkeypatch.setenv("MARK", str(mark))
    code = "import sys; from pulumi_llm.cli import main; sys.exit(main(['sim', *sys.argv[1:]]))"
    with subprocess.Popen(
        [sys.executable, "-c", code, "up", "--skip-preview", "-s", "dev"],
        cwd=real,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as running:
        deadline = time.monotonic() + 120
        while not mark.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        (held,) = localstate.locks(state, "shop", "dev")
        os.kill(held.pid, signal.SIGKILL)
        mark.unlink()
        assert running.wait(timeout=60) == 128 + signal.SIGKILL
    monkeypatch.delenv("MARK")
    done = sim(real, "up", "-s", "dev")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"locked by a run that is gone (pid {held.pid}" in done.stderr
    assert localstate.locks(state, "shop", "dev") == []
