"""Google Cloud's machines are stopped and started by the Compute API: google-auth itself talks to a local server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pulumi_llm import catalog
from pulumi_llm._power import machines
from pulumi_llm._power.act import bring
from pulumi_llm._resolve import resolve_platform
from pulumi_llm._stopping import refuse_unable
from pulumi_llm.clouds.gcp import account, power
from pulumi_llm.errors import Finding, Refusal
from tests.power.conftest import Passing, hand_of, machine_at

ID = "projects/p/zones/us-east5-a/instances/llm-server-1"
Answer = tuple[int, dict[str, Any]]


class Google:
    """The Compute API with one machine: the states that it shows, one a look; the last one stays."""

    def __init__(self) -> None:
        self.states, self.asked, self.tokens = ["RUNNING"], [], []  # type: ignore[var-annotated]
        self.more: dict[str, Any] = {}
        self.answers: dict[str, Answer] = {}
        google = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def _say(self, status: int, answer: dict[str, Any]) -> None:
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                self._say(*google.answer("GET", self.path, self.headers["Authorization"]))

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path == "/token":
                    self._say(200, {"access_token": "planted", "expires_in": 3600, "token_type": "Bearer"})
                else:
                    self._say(*google.answer("POST", self.path, self.headers["Authorization"]))

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, method: str, path: str, token: str) -> Answer:
        asked = path.removeprefix("/compute/v1/")
        self.tokens.append(token)
        self.asked.append((method, asked))
        if asked in self.answers:
            return self.answers[asked]
        if method == "POST":
            return 200, {"name": f"operation-{asked.rpartition('/')[2]}", "status": "PENDING"}
        if "/operations/" in asked:
            return 200, {"status": "DONE"}
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return 200, {"status": state, "disks": [{"type": "PERSISTENT"}], **self.more}

    @property
    def orders(self) -> list[str]:
        return [asked for method, asked in self.asked if method == "POST"]


def refusal(status: int, reason: str) -> Answer:
    return status, {"error": {"code": status, "message": "the API's words", "errors": [{"reason": reason}]}}


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Google]:
    made = Google()
    secret = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    key = {"type": "service_account", "project_id": "p", "client_email": "a@example.com", "private_key": pem}
    file = tmp_path / "key.json"
    file.write_text(json.dumps({**key, "private_key_id": "1", "token_uri": f"{made.address}/token"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    monkeypatch.setenv(account.ENDPOINT, f"{made.address}/compute/v1/")
    yield made
    made.http.shutdown()
    made.http.server_close()


def brought(goal: Any, time: Passing, said: list[str]) -> list[Finding]:
    hand = hand_of("gcp", power.connect("us-east5"), ID)
    return bring([hand], goal, seconds=600, say=said.append, clock=time.clock())


def test_a_machine_is_stopped_and_started_with_the_users_credentials(
    google: Google, time: Passing, said: list[str]
) -> None:
    google.states = ["RUNNING", "STOPPING", "TERMINATED"]
    assert brought("stopped", time, said) == []
    assert google.orders == [f"{ID}/stop"]
    assert set(google.tokens) == {"Bearer planted"}
    google.states = ["TERMINATED", "PROVISIONING", "STAGING", "RUNNING"]
    assert brought("running", time, said) == []
    assert google.orders == [f"{ID}/stop", f"{ID}/start"]


def test_a_start_without_stock_is_told_with_other_types(google: Google, time: Passing, said: list[str]) -> None:
    google.states = ["TERMINATED"]
    operation = "projects/p/zones/us-east5-a/operations/operation-start"
    why = {"code": "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", "message": "not enough resources"}
    google.answers[operation] = (200, {"status": "DONE", "error": {"errors": [why]}})
    (finding,) = brought("running", time, said)
    assert finding.code == "power.sold-out"
    assert "ZONE_RESOURCE_POOL_EXHAUSTED" in finding.message


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (refusal(404, "notFound"), "power.gone"),
        (refusal(403, "forbidden"), "power.denied"),
        (refusal(401, "authError"), "power.denied"),
        (refusal(500, "backendError"), "power.failed"),
    ],
)
def test_what_the_api_refuses_is_told_as_what_it_is(
    google: Google, time: Passing, said: list[str], answer: Answer, code: str
) -> None:
    google.answers[ID] = answer
    (finding,) = brought("stopped", time, said)
    assert finding.code == code


def test_a_throttled_call_is_tried_again(google: Google) -> None:
    found = account.failure(*refusal(403, "rateLimitExceeded"))
    assert found.kind == "throttled"
    assert account.failure(429, {}).kind == "throttled"
    assert account.failure(403, {}).kind == "denied"
    assert account.failure(502, "no JSON").message == "HTTP 502"


def test_a_machine_with_a_local_disk_is_told_as_one_that_is_not_to_be_stopped(google: Google) -> None:
    google.more = {"disks": [{"type": "PERSISTENT"}, {"type": "SCRATCH"}]}
    seen = power.connect("us-east5").look(ID)
    assert seen is not None
    assert "SCRATCH" in seen.unfit
    google.more = {}
    seen = power.connect("us-east5").look(ID)
    assert seen is not None
    assert seen.unfit == ""


def test_without_credentials_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    with pytest.raises(Refusal) as refused:
        power.connect("us-east5")
    (finding,) = refused.value.findings
    assert finding.code == "power.no-credentials"
    assert "gcloud auth application-default login" in finding.hint


def test_a_tpus_machine_is_refused_before_anybody_is_asked() -> None:
    machine = machine_at("gcp", ID, instance_type="ct6e-standard-1t")
    (finding,) = machines.refused([machine], catalog.load())
    assert finding.code == "power.cannot-stop"
    assert not list(machines.refused([machine_at("gcp", ID, spot=True)], catalog.load()))


def test_no_machine_there_stops_itself() -> None:
    server = {"cloud": "gcp", "region": "us-central1", "gpu": "L4", "model": "01-ai/Yi-6B-Chat", "context_length": 4096}
    server |= {"idle_stop": {"minutes": 30}}
    found = resolve_platform({"server": server, "access": {"allowed_cidrs": ["203.0.113.0/24"]}}).server
    assert found is not None
    with pytest.raises(Refusal) as refused:
        refuse_unable(found)
    (finding,) = refused.value.findings
    assert (finding.code, finding.where) == ("power.cannot-stop", "idle_stop")
    assert "no account of their own" in finding.message
