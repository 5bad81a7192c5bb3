"""A model that others have too gets nothing new before its restart, and what is under way there comes to its end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm._bootstrap import NodeRequest
from tests.bootstrap.samples import Node, gateway_of, gpu_node, serve, vllm_of
from tests.bootstrap.test_node_apply import ready_node, secrets_for, stage, up


def several(**vllm: object) -> NodeRequest:
    """A machine whose model others have too."""
    node = gpu_node()
    gateway, engine = gateway_of(node), vllm_of(node)
    upstreams = tuple(
        replace(each, replica=each.base_url.startswith("http://127.0.0.1:8000")) for each in gateway.upstreams
    )
    assert any(each.replica for each in upstreams)
    return node.having(replace(gateway, upstreams=upstreams), replace(engine, **vllm))  # type: ignore[arg-type]


@contextmanager
def measured(root: Path, *told: int, upstream: str = "vllm") -> Iterator[str]:
    """The gateway's port for numbers, which says one after the other how many calls are under way; the last for good.

    What it was asked is written into the log of programs that were started, with whether the model rests.
    """
    left = list(told)

    class Use(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            rests = (root / "run/llm/resting.json").exists()
            active = left.pop(0) if len(left) > 1 else left[0]
            with (root / "calls").open("a") as log:
                log.write(f"use {active} {'resting' if rests else 'open'}\n")
            body = json.dumps({"active": 1, "upstreams": {upstream: active}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serve(Use) as address:
        yield address


def change(node: Node, request: NodeRequest, **env: str) -> tuple[int, list[str]]:
    """Stage and apply; the exit code, and what was done meanwhile."""
    document, before = stage(node, request), len(node.calls)
    given = bootstrap.secrets_document(document, secrets_for(request))
    done = node.run("apply", stdin=given, **env)
    return done.returncode, node.calls[before:]


def test_an_engine_is_restarted_when_nothing_is_under_way_there_any_more_and_gets_nothing_new_until_it_answers(
    tmp_path: Path,
) -> None:
    node = ready_node(tmp_path, several())
    up(node, several())
    with measured(tmp_path, 2, 1, 0) as address:
        code, calls = change(node, several(max_model_len=1024), LLM_GATE_MEASURED=address)
    assert code == 0
    asked = [each for each in calls if each.startswith("use")]
    assert asked == ["use 2 resting", "use 1 resting", "use 0 resting"]
    restart = next(place for place, each in enumerate(calls) if each.startswith("systemctl restart") and "vllm" in each)
    assert restart > calls.index("use 0 resting")
    assert not node.path("/run/llm/resting.json").exists()


def test_answers_that_never_end_are_cut_off_in_the_end(tmp_path: Path) -> None:
    node = ready_node(tmp_path, several())
    up(node, several())
    began = time.monotonic()
    with measured(tmp_path, 5) as address:
        code, calls = change(node, several(max_model_len=1024), LLM_GATE_MEASURED=address, LLM_REST_SECONDS="0.7")
    assert code == 0
    assert time.monotonic() - began > 0.7
    assert any(each.startswith("systemctl restart") and "vllm" in each for each in calls)


@pytest.mark.parametrize("upstream", ["vllm", "other"])
def test_nobody_waits_for_what_is_under_way_elsewhere(tmp_path: Path, upstream: str) -> None:
    node = ready_node(tmp_path, several())
    up(node, several())
    with measured(tmp_path, 0 if upstream == "vllm" else 9, upstream=upstream) as address:
        code, calls = change(node, several(max_model_len=1024), LLM_GATE_MEASURED=address)
    assert code == 0
    assert len([each for each in calls if each.startswith("use")]) == 1


def test_a_change_that_restarts_no_engine_lets_it_work_on(tmp_path: Path) -> None:
    node = ready_node(tmp_path, several())
    up(node, several())
    gateway = gateway_of(several())
    with measured(tmp_path, 3) as address:
        code, calls = change(node, several().having(replace(gateway, blocked_words=("no",))), LLM_GATE_MEASURED=address)
    assert code == 0
    assert not [each for each in calls if each.startswith("use")]


def test_a_machine_alone_with_its_model_does_not_rest_before_a_restart(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    alone = gpu_node().having(replace(vllm_of(gpu_node()), max_model_len=1024))
    with measured(tmp_path, 3) as address:
        code, calls = change(node, alone, LLM_GATE_MEASURED=address)
    assert code == 0
    assert not [each for each in calls if each.startswith("use")]


def test_a_change_that_fails_leaves_no_model_resting(tmp_path: Path) -> None:
    node = ready_node(tmp_path, several())
    up(node, several())
    entry = {"stage": "serve", "state": "failed", "code": "vllm.crashes", "message": "it ends", "started": "now"}
    (tmp_path / "outcome-serve").write_text(json.dumps({**entry, "updated": "now"}))
    (tmp_path / "outcome-when").write_text("max-model-len 1024\n")
    code, __ = change(node, several(max_model_len=1024))
    assert code == 1
    assert not node.path("/run/llm/resting.json").exists()


# -- what may begin before a machine's turn


def test_a_machine_that_waits_for_its_turn_installs_what_needs_no_secrets(tmp_path: Path) -> None:
    node = ready_node(tmp_path, several())
    stage(node, several())
    done = node.run("begin")
    assert done.returncode == 0, done.stderr
    started = [each for each in node.calls if each.startswith("systemctl start --no-block")]
    assert started
    assert all(f"llm-{name}.service" in started[0] for name in ("driver", "python", "base"))
    assert not node.path("/opt/llm/gateway").exists()
    assert not [each for each in node.calls if "llm-vllm" in each]
    up(node, several())


def test_a_machine_that_serves_already_begins_nothing_by_itself(tmp_path: Path) -> None:
    node = ready_node(tmp_path, several())
    up(node, several())
    stage(node, several(max_model_len=1024))
    before = len(node.calls)
    done = node.run("begin")
    assert done.returncode == 0, done.stderr
    assert len(node.calls) == before
