"""One booted machine with all that a knowledge base takes: a chat model, one for vectors, a vector store, and a chat
page under a name that an authority has signed for. It is called as programs call it, and looked at in a browser. The
store is Weaviate, and in `make test-boot-all` PostgreSQL as well."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.boot.authority import DIRECTORY, Authority
from tests.boot.stack import CLIENT, BootedStack, booted
from tests.boot.strangers import ASKED, PAGE, found_open, listeners_of, roles_on

pytestmark = pytest.mark.boot

CHAT, VECTORS, NAME = "Qwen2.5-3B-Instruct", "vectors", "llm.example.com"
URL = f"https://{NAME}:18447"
ADMIN = "ops@example.com"
FACT = "The blue heron of pump station Lindau is switched off by turning the brass valve to the left, twice."
QUESTION = "How is the blue heron of pump station Lindau switched off?"
PEOPLE = {
    "en-US": ("manual.txt", FACT, QUESTION),
    "zh-CN": ("手册.txt", "林道泵站的蓝鹭：把黄铜阀门向左转两圈即可关闭。", "林道泵站的蓝鹭怎样关闭？"),
}
"""The language of somebody's browser; a document, what it says, and a question about it."""
DIMENSIONS = 1024
"""Of Qwen3-0.6B, which is asked for. The tiny model that stands for it has 64: the page fills each vector up with
zeros, which changes no angle between two of them."""


def knowledge_base(path: Path, engine: str) -> None:
    """aliyun-t4 with a smaller model, one for vectors beside it, a chat page with retrieval, and a name."""
    document = yaml.safe_load(path.read_text())
    platform = document["config"]["pulumi-llm:platform"]
    platform["server"] |= {
        "instance_type": "ecs.gn6i-c8g1.2xlarge",  # four things more want memory
        "model": f"Qwen/{CHAT}",
        "context_length": 8192,
        "models": {VECTORS: {"model": "Qwen/Qwen3-0.6B", "kind": "embedding", "context_length": 2048}},
        "apps": {
            "chat": {"admin_email": ADMIN},
            "rag": {"embeddings": VECTORS, "dimensions": DIMENSIONS},
        },
        "domain": {
            "name": NAME,
            "filed": True,
            "acme": {"email": ADMIN, "directory": DIRECTORY, "challenge": "http"},
        },
    }
    platform["vectors"] = {"engine": engine}
    platform.pop("proxy")
    path.write_text(yaml.safe_dump(document))


@dataclass
class Knowledge:
    """The stack, the authority that signed for its name, and the store that documents are kept in."""

    stack: BootedStack
    authority: Authority
    engine: str

    @property
    def password(self) -> str:
        return str(self.stack.outputs["chat_password"])


@pytest.fixture(scope="module", params=["weaviate", pytest.param("pgvector", marks=pytest.mark.boot_all)])
def knowledge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knowledge]:
    folder, engine = tmp_path_factory.mktemp("knowledge"), str(request.param)
    with (
        Authority(folder, folder / "home", NAME).running() as authority,
        booted(folder, "aliyun-t4", change=lambda path: knowledge_base(path, engine)) as stack,
    ):
        yield Knowledge(stack, authority, engine)


@pytest.fixture(scope="module")
def told(knowledge: Knowledge) -> dict[str, Any]:
    """What the page says to a program."""
    address = knowledge.stack.machine("server").address
    files = {"manual.txt": f"{FACT}\n"}
    account = {"email": ADMIN, "password": knowledge.password, "model": CHAT}
    where = {"ca": knowledge.authority.root, "url": URL, "address": address}
    return dict(knowledge.stack.client("chat_page", **where, **account, files=files, question=QUESTION))


def test_a_stranger_is_not_let_in(told: dict[str, Any]) -> None:
    asked = ("sign_up", "wrong_password", "of_another_origin", "stranger")
    assert {each: told[each] for each in asked} == dict(zip(asked, (403, 400, 403, 401), strict=True))


def test_the_administrator_may_not_have_it_run_code(told: dict[str, Any]) -> None:
    assert told["runs_code"] >= 400


def test_a_question_is_answered_by_the_machines_own_model(told: dict[str, Any]) -> None:
    assert CHAT in told["models"]
    assert told["answer"]["usage"]["completion_tokens"] == 8


def test_a_document_is_found_again_in_the_store_and_cited(knowledge: Knowledge, told: dict[str, Any]) -> None:
    assert told["documents"] == ["completed"]
    sources = [json.loads(line[6:]) for line in told["cited"].splitlines() if line.startswith('data: {"sources"')]
    assert [each["source"]["name"] for each in sources[0]["sources"]] == ["manual.txt"]
    assert FACT in sources[0]["sources"][0]["document"][0]
    stack = knowledge.stack
    if knowledge.engine == "weaviate":
        assert [each["text"].strip() for each in kept_in_weaviate(stack)] == [FACT]
    used = json.loads(stack.command("usage", "-s", "aliyun-t4", "--sim", "--json"))["rows"]
    assert next(each for each in used if each["key"] == "chat")["requests"] >= 3


def kept_in_weaviate(stack: BootedStack) -> list[dict[str, Any]]:
    """What Weaviate itself says that it keeps, asked by the name of the store."""
    asked = "curl -sf --header @- http://127.0.0.1:8080/v1/objects"
    key = stack.outputs["vectors_key"]
    said = stack.machine("server").inside("sh", "-c", f"echo 'Authorization: Bearer {key}' | {asked}")
    return [dict(each["properties"]) for each in json.loads(said)["objects"]]


def test_the_units_of_a_knowledge_base_run_as_users_of_their_own_and_never_failed(knowledge: Knowledge) -> None:
    machine = knowledge.stack.machine("server")
    users = {"llm-chat": "llm-open-webui", f"llm-vllm-{VECTORS}": "llm-vllm"}
    # Docker's own client is root; Weaviate's user is its container's.
    users |= {"pgvector": {"llm-pgvector": "llm-pgvector"}, "weaviate": {"llm-weaviate": ""}}[knowledge.engine]
    for unit, user in users.items():
        shown = machine.inside("systemctl", "show", "-p", "ActiveState", "-p", "User", "-p", "NRestarts", unit)
        assert set(shown.split()) == {"ActiveState=active", f"User={user}", "NRestarts=0"}, unit
    if knowledge.engine == "weaviate":
        assert machine.inside("docker", "inspect", "-f", "{{.Config.User}}", "llm-weaviate-1").strip() == "472:472"


def test_the_model_for_vectors_loads_once_the_other_one_answers(knowledge: Knowledge) -> None:
    answers = knowledge.stack.first_said("server", "llm-vllm", "Application startup complete")
    assert knowledge.stack.first_said("server", f"llm-vllm-{VECTORS}", "Starting to load model") > answers


def test_a_stranger_reaches_no_role_behind_its_port_and_is_told_nothing_there(knowledge: Knowledge) -> None:
    machine = knowledge.stack.machine("server")
    here = {(role.name, name) for role in roles_on(machine) for name, *__ in listeners_of(role, knowledge.stack)}
    shown = {each for each, question in ASKED.items() if question.shown_by == PAGE}
    assert here >= {(role, name) for role, name in shown if role in ("open-webui", knowledge.engine)}
    assert found_open(knowledge.stack, machine) == {}


def test_the_page_can_call_nobody_outside_of_its_machine(knowledge: Knowledge) -> None:
    machine = knowledge.stack.machine("server")
    closed = [7311, 4000, 8000, 8011, 8080, 50051]
    assert knowledge.stack.client("open_ports", address=machine.address, ports=closed) == []
    # One call, once as anybody on the machine, and once under the limits that the page's unit has.
    unit = machine.inside("systemctl", "cat", "llm-chat").splitlines()
    limits = [part for each in unit if each.startswith("IPAddress") for part in ("-p", each)]
    assert len(limits) == 4
    call = ("curl", "-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", "http://mirrors.aliyun.com/ubuntu/")
    assert machine.inside(*call, check=False) == "404"
    assert machine.inside("systemd-run", "-q", "--wait", "-P", *limits, *call, check=False) == "000"


@pytest.mark.parametrize("language", PEOPLE)
def test_in_a_browser_a_person_logs_in_puts_a_document_in_and_gets_a_cited_answer(
    knowledge: Knowledge, tmp_path: Path, language: str
) -> None:
    stack, (file, fact, question) = knowledge.stack, PEOPLE[language]
    if not (stack.world.parts / "browser").is_dir():
        pytest.skip("Chromium is not here: tools/fetch boot")
    (tmp_path / file).write_text(f"{fact}\n", encoding="utf-8")
    asked = {
        "folder": str(tmp_path), "parts": str(stack.world.parts), "ca": knowledge.authority.root, "url": URL,
        "names": {NAME: stack.machine("server").address}, "language": language, "email": ADMIN,
        "password": knowledge.password, "model": CHAT, "file": file, "fact": fact, "question": question,
    }  # fmt: skip
    argv = ["ip", "netns", "exec", stack.world.place("client", CLIENT), sys.executable, "-m", "tests.boot.browser"]
    done = subprocess.run(
        argv, input=json.dumps(asked), capture_output=True, text=True, timeout=300, check=False,
        cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    kept = os.environ.get("PULUMI_LLM_PICTURES")
    for each in tmp_path.glob("*.webp") if kept else ():
        Path(str(kept), f"{each.stem}.{language}.webp").write_bytes(each.read_bytes())
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout)
    assert fact in seen["text"]
    assert seen["errors"] == []
