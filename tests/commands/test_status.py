"""`pulumi-llm status`: who is asked, over what, and what is made of the answer."""

import contextlib
import json
import ssl
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jsonschema
import pytest

from pulumi_llm import cli
from pulumi_llm._commands import _status as status
from pulumi_llm._commands import _status_text as text
from pulumi_llm._commands._status_ask import Answer, Target, ask, trusting
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.roles.files import data

KEY = "sk-status-test"
STAGES = [
    {"stage": "disk", "state": "done", "started": "2026-11-25T04:00:00Z", "updated": "2026-11-25T04:00:05Z"},
    {"stage": "weights", "state": "running", "started": "2026-11-25T04:00:05Z", "updated": "2026-11-25T04:01:00Z",
     "progress": {"done": 4 * 2**30, "total": 10 * 2**30, "percent": 40}},
    {"stage": "serve", "state": "waiting"},
]  # fmt: skip
BOOTING: dict[str, Any] = {
    "schema": 1, "node": "llm-server", "ready": False, "stage": "weights", "state": "running",
    "progress": STAGES[1]["progress"], "code": None, "message": None, "hint": None,
    "started": "2026-11-25T04:00:00Z", "updated": "2026-11-25T04:01:00Z", "stages": STAGES,
    "log": ["2026-11-25T04:01:00+0000 llm-node[1]: fetching"],
}  # fmt: skip
READY = BOOTING | {"ready": True, "stage": "serve", "state": "done", "progress": None, "log": []}
READY["stages"] = [each | {"state": "done"} for each in STAGES]
TROUBLE = {"code": "weights.gated", "message": "HTTP Error 401", "hint": "accept the model's terms"}
FAILED = BOOTING | TROUBLE | {"state": "failed", "progress": None}
FAILED["stages"] = [STAGES[0], STAGES[1] | TROUBLE | {"state": "failed"}, STAGES[2]]


DENIED = READY | {
    "leave": {"state": "failed", "reason": "idle", "code": "leave.denied", "message": "the cloud answered 403",
              "hint": "pulumi up puts its policy back", "since": "2026-11-25T05:00:00Z"},
}  # fmt: skip
NOTICED = READY | {
    "leave": DENIED["leave"] | {"state": "draining", "reason": "spot", "code": "leave.spot-notice", "message": "at 12"},
}

STARTED = READY | {
    "wake": {"state": "started", "machine": "replica.2", "code": None, "message": None, "hint": None,
             "until": 1.0, "since": "2026-11-25T05:00:00Z"},
}  # fmt: skip
UNSTARTED = READY | {
    "wake": STARTED["wake"] | {"state": "refused", "code": "wake.sold-out", "message": "none left", "hint": "wait"},
}


SAVED, UNSAVED = (
    READY | {"backup": {"newest": time, "code": code, "hint": code and "may the key write there?"}}
    for time, code in (("2026-11-25T03:00:00Z", None), (None, "backup.target-refused"))
)


def test_what_is_tested_with_follows_the_schema() -> None:
    for document in (BOOTING, READY, FAILED, DENIED, NOTICED, STARTED, UNSTARTED, SAVED, UNSAVED):
        jsonschema.validate(document, data("node/status.schema.json"))


class Gateway:
    """A gateway's status page on loopback: a certificate of its own authority, and answers in turn."""

    def __init__(self, folder: Path) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[tuple[str, str | None]] = []
        self.location = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers.get("Authorization")))
                code, body = outer.answers[0] if len(outer.answers) == 1 else outer.answers.pop(0)
                if self.headers.get("Authorization") != f"Bearer {KEY}":
                    code, body = 401, b"{}"
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                if outer.location:
                    self.send_header("Location", outer.location)
                self.end_headers()
                with contextlib.suppress(OSError):  # whoever has seen enough hangs up
                    self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.authority = folder / "tls.crt"
        self.address = f"https://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def says(self, *documents: Any, code: int = 200) -> None:
        self.answers = [(code, each if isinstance(each, bytes) else json.dumps(each).encode()) for each in documents]


def certificate(folder: Path, name: str) -> Path:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", folder / "tls.key", "-out", folder / "tls.crt", "-days", "2", "-subj", "/CN=llm",
         "-addext", f"subjectAltName={name}"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"), "IP:127.0.0.1")


@pytest.fixture
def gateway(pair: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    monkeypatch.setenv("THE_KEY", KEY)
    running = Gateway(pair)
    yield running
    running.server.shutdown()
    running.server.server_close()


def run(gateway: Gateway, *more: str) -> int:
    return cli.main(
        ["status", "--endpoint", f"{gateway.address}/v1", "--key-env", "THE_KEY", "--ca", str(gateway.authority), *more]
    )


def test_a_ready_node_is_exit_0(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.says(READY)
    assert run(gateway) == 0
    out, err = capsys.readouterr()
    assert "node llm-server: ready" in out
    assert err == ""
    assert gateway.asked == [("/status", f"Bearer {KEY}")]


def test_a_node_that_boots_is_exit_1_with_its_stages_bars_and_last_lines(
    gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.says(BOOTING)
    assert run(gateway) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "node llm-server: not ready (running), as of 2026-11-25T04:01:00Z",
        "  disk     done",
        "  weights  running [#########---------------]  40 %  4.0 of 10.0 GiB",
        "  serve    waiting",
        "  last lines:",
        "    2026-11-25T04:01:00+0000 llm-node[1]: fetching",
    ]
    assert err == "node: not ready: weights is running\n"


def test_a_node_that_failed_is_exit_1_with_code_and_hint(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.says(FAILED)
    assert run(gateway) == 1
    assert capsys.readouterr().err == (
        "[weights.gated] node: weights: HTTP Error 401\n    try: accept the model's terms\n"
        "    see: pulumi-llm explain weights.gated\n"
    )


def test_watching_ends_when_the_node_is_ready_and_prints_what_changes_only(
    gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.says(BOOTING, BOOTING, BOOTING, READY)
    assert run(gateway, "--watch", "--interval", "0.01") == 0
    assert capsys.readouterr().out.splitlines() == [
        "node: disk done",
        "node: weights running 40 %",
        "node: not ready",
        "node: weights done",
        "node: serve done",
        "node: ready",
    ]


def test_watching_ends_when_a_stage_has_failed(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.says(BOOTING, FAILED)
    assert run(gateway, "--watch", "--interval", "0.01") == 1
    assert "[weights.gated]" in capsys.readouterr().err


def test_json_is_the_document_and_holds_no_key(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.says(FAILED)
    assert run(gateway, "--json") == 1
    out, err = capsys.readouterr()
    said = json.loads(out)
    assert said == {
        "ready": False,
        "nodes": [{"name": "node", "endpoint": gateway.address, "document": FAILED, "problem": None}],
    }
    assert KEY not in out + err


def test_json_that_is_watched_is_a_line_for_each_change(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.says(BOOTING, BOOTING, READY)
    assert run(gateway, "--json", "--watch", "--interval", "0.01") == 0
    assert [json.loads(line)["ready"] for line in capsys.readouterr().out.splitlines()] == [False, True]


# --- what goes wrong


def problem(capsys: pytest.CaptureFixture[str]) -> str:
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "try: " in err
    assert KEY not in err
    return err.split("]")[0].removeprefix("[")


def test_a_certificate_of_another_authority_is_refused_and_no_key_is_sent(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.says(READY)
    gateway.authority = certificate(tmp_path, "IP:127.0.0.1") / "tls.crt"
    assert run(gateway) == 1
    assert problem(capsys) == "status.bad-certificate"
    assert gateway.asked == []


def test_a_certificate_for_another_address_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_KEY", KEY)
    other = Gateway(certificate(tmp_path, "IP:203.0.113.7"))
    other.says(READY)
    assert run(other) == 1
    other.server.shutdown()
    assert problem(capsys) == "status.bad-certificate"
    assert other.asked == []


def test_a_key_that_is_not_taken_is_a_code(
    gateway: Gateway, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_KEY", "sk-old")
    gateway.says(READY)
    assert run(gateway, "--watch") == 1
    assert problem(capsys) == "status.key-refused"


def test_the_key_goes_to_no_other_server(gateway: Gateway, pair: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = Gateway(pair)
    elsewhere.says(READY)
    gateway.location = f"{elsewhere.address}/status"
    gateway.says(b"", code=302)
    assert run(gateway) == 1
    elsewhere.server.shutdown()
    assert problem(capsys) == "status.no-document"
    assert elsewhere.asked == []


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b"null", b'{"schema": "1"}', b"x" * 2_000_000, b"[" * 5000])
def test_what_is_no_document_is_a_code(gateway: Gateway, body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.says(body)
    assert run(gateway) == 1
    assert problem(capsys) == "status.no-document"


def test_a_document_of_a_later_schema_is_not_guessed_at(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.says(READY | {"schema": 2})
    assert run(gateway) == 1
    assert problem(capsys) == "status.no-document"


def test_a_node_that_does_not_answer_is_a_code(
    pair: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_KEY", KEY)
    given = ["--endpoint", "https://127.0.0.1:9", "--key-env", "THE_KEY", "--ca", str(pair / "tls.crt")]
    assert cli.main(["status", *given]) == 1
    assert problem(capsys) == "status.unreachable"


def test_a_terminal_is_not_told_what_to_do_by_a_node(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J"
    gateway.says(FAILED | {"message": evil, "log": [evil], "node": evil})
    run(gateway)
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert "\x07" not in out + err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-s", "a", "--endpoint", "https://x"],
        ["-s", "a", "--interval", "0"],
        ["-s", "a", "--interval", "soon"],
        ["-s", "a", "--project", "/no/such/folder"],
    ],
)
def test_a_wrong_call_is_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", *arguments]) == 2
    assert capsys.readouterr().err.endswith("pulumi-llm status --help tells the options\n")


def test_all_that_is_wrong_with_the_options_is_said_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--endpoint", "http://x", "--key-env", "NO_SUCH_KEY", "--ca", "/no/such"]) == 2
    said = capsys.readouterr().err
    for code in ("status.bad-endpoint", "status.no-key-variable", "status.no-authority-file"):
        assert f"[{code}]" in said


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://[::1",
        "https://10.0.0.7:99999",
        "https://10.0.0.7:port",
        "https://",
        "https://a b",
        "https://n:pw@10.0.0.7",
    ],
)
def test_what_is_no_address_is_refused_before_a_key_goes_out(
    endpoint: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    assert cli.main(["status", "--endpoint", endpoint, "--key-env", "A_KEY"]) == 2
    said = capsys.readouterr().err
    assert "[status.bad-endpoint]" in said
    assert "pw@" not in said
    assert KEY not in said


def test_an_endpoint_in_a_stack_s_outputs_that_is_none_is_an_answer_and_no_exception() -> None:
    answer = ask(Target("server", "https://[::1/v1", KEY, ""))
    assert answer.problem is not None
    assert answer.problem.code == "status.unreachable"
    assert answer.to_json()["endpoint"] == "https://"


def test_what_the_system_says_of_a_file_or_a_node_is_told_without_its_number(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    assert cli.main(["--lang", "zh", "status", "--endpoint", "https://127.0.0.1:1", "--key-env", "A_KEY"]) == 1
    assert cli.main(["--lang", "zh", "status", "--endpoint", "https://x", "--ca", "/no/such"]) == 2
    said = "".join(capsys.readouterr())
    assert "Errno" not in said
    assert "Connection refused" not in said
    assert "No such file" not in said


# --- a stack's outputs


def outputs(gateway: Gateway, **more: Any) -> dict[str, Any]:
    return {
        "endpoint": f"{gateway.address}/v1",
        "api_keys": {"default": KEY, "app": "sk-app"},
        "certificate_authority": gateway.authority.read_text(),
        **more,
    }


def with_pulumi(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "pulumi"
    program.write_text(f'#!/bin/sh\necho "$@" > {folder}/asked\n{script}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_stack_is_found_by_its_outputs(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.says(READY)
    (tmp_path / "out.json").write_text(json.dumps(outputs(gateway)))
    with_pulumi(tmp_path, monkeypatch, f"cat {tmp_path}/out.json")
    assert cli.main(["status", "-s", "aliyun-t4"]) == 0
    assert "server llm-server: ready" in capsys.readouterr().out
    asked = (tmp_path / "asked").read_text().split()
    assert asked == ["--non-interactive", "stack", "output", "--json", "--show-secrets", "--stack", "aliyun-t4"]


def test_a_stacks_proxy_is_asked_too_and_both_have_to_be_ready(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.says(READY, FAILED)
    proxy = {f"proxy_{key}": value for key, value in outputs(gateway).items()}
    (tmp_path / "out.json").write_text(json.dumps(outputs(gateway, **proxy)))
    with_pulumi(tmp_path, monkeypatch, f"cat {tmp_path}/out.json")
    assert cli.main(["status", "-s", "aliyun-t4"]) == 1
    out, err = capsys.readouterr()
    assert "server llm-server: ready" in out
    assert "[weights.gated] proxy: " in err


def test_a_vector_store_of_its_own_is_asked_with_weaviates_key(gateway: Gateway) -> None:
    beside = outputs(gateway, vectors_endpoint=gateway.address, vectors_key="sk-v", vectors_certificate_authority="PEM")
    assert [each.name for each in status.targets_of(beside, "x")] == ["server"]
    server, store = status.targets_of(beside | {"vectors_address": "203.0.113.9"}, "x")
    assert (server.name, store.name) == ("server", "vectors")
    assert (store.key, store.authority, store.url) == ("sk-v", "PEM", f"{gateway.address}/status")


def test_the_default_key_is_taken_and_the_servers_own_only_where_there_is_no_other(gateway: Gateway) -> None:
    keys = {"app": "sk-a", "default": "sk-d", "server": "sk-s"}
    for expected in ("sk-d", "sk-a", "sk-s"):
        assert status.targets_of(outputs(gateway, api_keys=keys), "x")[0].key == expected
        keys.pop(next(name for name, key in keys.items() if key == expected))


def test_a_stack_whose_up_has_not_ended_is_told_apart(gateway: Gateway) -> None:
    with pytest.raises(Refusal, match=r"status\.no-outputs"):
        status.targets_of({"address": "203.0.113.7"}, "aliyun-t4")


@pytest.mark.parametrize("script", ["echo 'error: no stack named x found' >&2; exit 255", "echo no json", "echo []"])
def test_a_stack_that_pulumi_does_not_know_is_a_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], script: str
) -> None:
    with_pulumi(tmp_path, monkeypatch, script)
    assert cli.main(["status", "-s", "x"]) == 1
    assert problem(capsys) == "outputs.unreadable"


def test_outputs_that_cannot_be_read_are_not_shown_as_they_hold_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_pulumi(tmp_path, monkeypatch, """echo 'warning: a new version' '{"ssh_private_key": "PLANTED"}'""")
    assert cli.main(["status", "-s", "dev"]) == 1
    told = capsys.readouterr()
    assert "[outputs.unreadable]" in told.err
    assert "PLANTED" not in told.err + told.out


def test_without_pulumi_another_way_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cli.main(["status", "-s", "x"]) == 1
    assert problem(capsys) == "outputs.no-pulumi"


# --- a terminal


class Terminal:
    """A terminal's end: what was written to it."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def isatty(self) -> bool:
        return True

    def write(self, said: str) -> int:
        self.written.append(said)
        return len(said)

    def flush(self) -> None:
        pass


def test_on_a_terminal_each_picture_replaces_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "20")
    terminal = Terminal()
    screen = text.Screen(terminal, live=True)  # type: ignore[arg-type]
    answer = Answer(Target("server", "https://x", KEY, ""), BOOTING)
    screen.show([answer])
    screen.show([answer])
    first, second = terminal.written
    assert not first.startswith("\x1b[")
    assert second.startswith(f"\x1b[{first.count(chr(10))}F")
    assert max(len(line) for line in first.split("\x1b[K\n")) < 60


def test_a_target_does_not_show_its_key() -> None:
    assert KEY not in repr(Target("server", "https://x", KEY, ""))


def test_an_authority_that_is_no_certificate_is_a_code(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.authority = tmp_path / "ca.pem"
    gateway.authority.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    assert run(gateway) == 1
    assert problem(capsys) == "status.bad-certificate"


@pytest.mark.parametrize(("endpoint", "believed"), [("https://llm.example.com:443", 2), ("https://203.0.113.1:443", 1)])
def test_authorities_that_everybody_knows_are_believed_of_a_name_and_not_of_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str, believed: int
) -> None:
    for each in ("ours", "known"):
        (tmp_path / each).mkdir()
    ours, known = (certificate(tmp_path / each, "IP:127.0.0.1") / "tls.crt" for each in ("ours", "known"))
    monkeypatch.setenv("SSL_CERT_FILE", str(known))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    context = trusting(Target(name="n", endpoint=endpoint, key="k", authority=ours.read_text()))
    assert context.cert_store_stats()["x509"] == believed


@pytest.mark.parametrize(
    ("state", "lines"),
    [
        ("loading", ["another model is loaded beside the one that serves"]),
        ("draining", ["another model serves; the one before finishes its answers"]),
        (
            "failed",
            [
                "the last change was taken back; the configuration before it runs",
                "[vllm.out-of-memory] so it is",
                "try: lower context_length",
            ],
        ),
        ("of a later release", []),
    ],
)
def test_what_a_node_says_of_a_change_is_told(state: str, lines: list[str]) -> None:
    trouble = {"code": "vllm.out-of-memory", "message": "so it is", "hint": "lower context_length"}
    change = {"state": state, "since": "2026-11-29T10:00:00Z", "code": None, "message": None, "hint": None}
    document = READY | {"change": change | (trouble if state == "failed" else {})}
    target = Target("llm", "https://203.0.113.7:443/v1", KEY, "")
    assert [each.strip() for each in text.picture(Answer(target, document)) if each.strip() in lines] == lines
    rows = [line for name, line in text.changes(Answer(target, document)) if name.startswith("llm change")]
    assert rows == [f"llm: {each}" for each in lines]


@pytest.mark.parametrize(
    ("document", "lines"),
    [
        (
            DENIED,
            [
                "  could not stop by itself (nobody asks it), and runs on",
                "  [leave.denied] the cloud answered 403",
                "  try: pulumi up puts its policy back",
            ],
        ),
        (
            NOTICED,
            [
                "  stops and takes nothing new on: its cloud takes it back",
                "  [leave.spot-notice] at 12",
                "  try: pulumi up puts its policy back",
            ],
        ),
        (READY | {"leave": DENIED["leave"] | {"state": "watching"}}, []),
        (STARTED, ["  started replica.2 for a request (2026-11-25T05:00:00Z); it takes no calls yet"]),
        (
            READY | {"wake": STARTED["wake"] | {"state": "serving"}},
            ["  replica.2 was started for a request, and has taken calls since 2026-11-25T05:00:00Z"],
        ),
        (
            UNSTARTED,
            [
                "  started no further machine for a request (2026-11-25T05:00:00Z)",
                "  [wake.sold-out] none left",
                "  try: wait",
            ],
        ),
        (READY, []),
    ],
)
def test_what_a_node_says_of_stopping_by_itself_and_of_starting_others_is_told(
    document: dict[str, Any], lines: list[str]
) -> None:
    target = Target("llm", "https://203.0.113.7:443/v1", KEY, "")
    told = list(text.picture(Answer(target, document)))
    plain = list(text.picture(Answer(target, READY)))
    assert [each for each in told if each not in plain][: len(lines)] == lines
    assert (told == plain) is not bool(lines)
    rows = [row for row in text.changes(Answer(target, document)) if row[0].startswith(("llm leave", "llm wake"))]
    assert len({name for name, __ in rows}) == len(rows)  # what is watched is told once, each by its name
    watched = [line for __, line in rows]
    assert [each.removeprefix("llm: ") for each in watched] == [each.strip() for each in lines]


def test_that_a_name_leads_elsewhere_is_told_of_a_node_that_is_ready() -> None:
    said = "llm.example.com resolves to 198.51.100.9"
    note = {"code": "caddy.name-elsewhere", "message": said, "hint": "an A record"}
    lines = [f"[caddy.name-elsewhere] {said}", "try: an A record"]
    answer = Answer(Target("llm", "https://203.0.113.7:443/v1", KEY, ""), READY | {"name": note})
    assert [each.strip() for each in text.picture(answer) if each.strip() in lines] == lines
    assert [line for name, line in text.changes(answer) if name.startswith("llm name")] == [
        f"llm: {each}" for each in lines
    ]
    assert answer.ready


@pytest.mark.parametrize(
    ("document", "lines"),
    [
        (SAVED, ["newest backup of the vectors: 2026-11-25T03:00:00Z"]),
        (
            UNSAVED,
            [
                "no backup of the vectors yet",
                "the timer's last backup failed: [backup.target-refused]",
                "try: may the key write there?",
            ],
        ),
        (READY | {"backup": "zzz"}, []),
        (READY, []),
    ],
)
def test_when_the_newest_backup_was_made_is_told(document: dict[str, Any], lines: list[str]) -> None:
    answer = Answer(Target("llm", "https://203.0.113.7:443/v1", KEY, ""), document)
    plain = list(text.picture(Answer(answer.target, READY)))
    assert [each.strip() for each in text.picture(answer) if each not in plain] == lines
    rows = [row for row in text.changes(answer) if row[0].startswith("llm backup")]
    assert [line.removeprefix("llm: ") for __, line in rows] == lines
    assert len({name for name, __ in rows}) == len(rows)


@pytest.mark.parametrize(
    ("inputs", "when", "said"),
    [
        ({"hours": "Mon-Fri 08:00-20:00 Asia/Shanghai", "started_by": "cloud"}, "2026-11-30T00:10", "none left"),
        ({"hours": "Mon-Fri 08:00-20:00 Asia/Shanghai"}, "2026-11-30T00:10", "has anybody started it?"),
        ({"hours": "Mon-Fri 08:00-20:00 Asia/Shanghai", "started_by": "cloud"}, "2026-11-29T00:10", "are over"),
        ({"hours": "Sun 20:00-04:00 UTC", "started_by": "cloud"}, "2026-11-30T03:59", "none left"),
        ({}, "2026-11-30T00:10", ""),
        ({"hours": "of a later version"}, "2026-11-30T00:10", ""),
    ],
)
def test_a_server_that_does_not_answer_is_held_against_its_hours(inputs: dict[str, Any], when: str, said: str) -> None:
    from datetime import UTC, datetime

    from pulumi_llm._commands._status_hours import explained
    from pulumi_llm._plan.model import Plan, PlannedResource

    machine = PlannedResource("urn:x", "llm:index:ModelServer", "x", parent="", custom=False, inputs=inputs)
    plan = Plan(project="p", stack="s", resources=[machine])
    problem = Finding("status.unreachable", "no answer", "look", where="server")
    answers = [Answer(Target(name, "https://192.0.2.1", "k", ""), problem=problem) for name in ("server", "proxy")]
    server, proxy = explained(answers, plan, datetime.fromisoformat(when).replace(tzinfo=UTC))
    assert server.problem is not None
    assert said in server.problem.hint
    assert server.problem.hint.endswith("look")
    assert proxy == answers[1]
