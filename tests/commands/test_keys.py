"""Keys of a machine that runs. `ssh` and `pulumi` are stand-ins; what `ssh` runs is the node's own."""

import datetime
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import cli, spec
from pulumi_llm._channel import REMOTE
from pulumi_llm._commands._limits import limits
from tests.gateway.harness import CODE, Home

sys.path.insert(0, str(CODE))  # the node's own code

STACK = ["-s", "aliyun-t4"]
CHECKOUT = Path(__file__).parents[2]
PRIVATE = "-----BEGIN KEY-----\nPLANTED\n-----END KEY-----"


LIMITS = limits()


class Machine:
    """A node's folders, and programs on PATH that stand for the way there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = Home(root).key("default", "sk-default", requests_per_minute=60)
        self.programs = root / "bin"
        self.programs.mkdir()
        self.outputs(address="192.0.2.7", ssh_private_key=PRIVATE)
        code = CHECKOUT / "templates" / "gateway"
        run = f"PYTHONPATH={code} LLM_GATE_STATE={root}/state LLM_GATE_SETTINGS={root}/settings"
        run += f" LLM_GATE_SECRETS={root}/secrets {sys.executable} -m llm_gate.admin"
        # The last argument is what sshd would hand to the user's shell.
        self.program(
            "ssh",
            f'echo "$@" >> {root}/ssh.log\nwhile [ "$1" != -i ]; do shift; done\ncp "$2" {root}/ssh.key\n'
            f'stat -c %a "$2" > {root}/ssh.mode\nlast="${{@: -1}}"\ntee -a {root}/ssh.stdin | '
            f"env {run} ${{last##*llm_gate.admin }}",
        )

    def program(self, name: str, script: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def outputs(self, **outputs: str) -> None:
        self.program("pulumi", f"echo {shlex.quote(json.dumps(outputs))}")

    def own(self) -> dict[str, dict[str, object]]:
        found: dict[str, dict[str, object]] = json.loads((self.root / "state/own-keys.json").read_text())
        return found

    def works(self, key: str) -> bool:
        return self.rules(key) is not None

    def rules(self, key: str) -> Any:
        """What the gateway lets this key do; None: it is no key."""
        from llm_gate.policy import Policy, Reread

        files = ("settings/policy.json", "secrets/gateway-keys.json", "state/own-keys.json")
        return Policy(*(Reread(self.root / name) for name in files)).find(key)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setenv("PATH", f"{made.programs}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "known"))
    monkeypatch.chdir(CHECKOUT)
    return made


def test_an_added_key_works_at_once_and_is_told_once(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["keys", "add", "team-b", *STACK, "--daily-tokens", "500", "--model", "yi*"]) == 0
    key = capsys.readouterr().out.strip()
    assert key.startswith("sk-")
    assert machine.works(key)
    row = machine.own()["keys"]["team-b"]
    assert isinstance(row, dict)
    assert row["daily_tokens"] == 500
    assert row["models"] == ["yi*"]


def test_an_added_key_is_held_to_every_limit_that_was_given(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = {name: place for place, name in enumerate(LIMITS, 3)}
    options = [text for name, value in numbers.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    lists = ["--model", "yi*", "--model", "qwen", "--endpoint", "/v1/embeddings", "--source-cidr", "203.0.113.0/24"]
    assert cli.main(["keys", "add", "team-b", *STACK, *options, *lists, "--expires", "2099-12-31"]) == 0
    rules = machine.rules(capsys.readouterr().out.strip())
    assert {name: getattr(rules, name) for name in LIMITS} == numbers
    assert rules.models == ("yi*", "qwen")
    assert rules.endpoints == ("/v1/embeddings",)
    assert [str(each) for each in rules.cidrs] == ["203.0.113.0/24"]
    assert rules.expires == 4_102_444_800  # 2100-01-01 00:00 UTC: the day that was named is the last
    assert (rules.name, rules.managed) == ("team-b", "cli")


@pytest.mark.parametrize("twice", [False, True])
def test_an_added_key_allows_a_second_asking_where_it_is_told_so(
    machine: Machine, capsys: pytest.CaptureFixture[str], twice: bool
) -> None:
    assert cli.main(["keys", "add", "team-b", *STACK, *(["--ask-twice"] if twice else [])]) == 0
    assert machine.rules(capsys.readouterr().out.strip()).ask_twice is twice
    assert cli.main(["keys", "list", *STACK]) == 0
    listed = capsys.readouterr().out.splitlines()[-1]
    assert listed.rstrip().endswith("ask twice" if twice else "none")


def test_a_key_that_is_made_here_is_letters_and_digits_that_no_shell_reads(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    from pulumi_llm._commands._keys import _new_key

    cli.main(["keys", "add", "team-b", *STACK])
    keys = [capsys.readouterr().out.strip(), *(_new_key()[0] for _ in range(200))]
    assert [each for each in keys if not re.fullmatch("sk-[A-Za-z0-9]{40}", each)] == []
    assert len(set(keys)) == len(keys)


def test_a_second_key_of_a_name_is_refused_and_the_first_works_on(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["keys", "add", "team-b", *STACK, "--daily-tokens", "5"])
    key = capsys.readouterr().out.strip()
    assert cli.main(["keys", "add", "team-b", *STACK]) == 1
    assert "[keys.exists]" in capsys.readouterr().err
    assert machine.rules(key).daily_tokens == 5


def test_the_key_itself_never_leaves_and_the_private_key_is_nobody_elses(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["keys", "add", "team-b", *STACK])
    key = capsys.readouterr().out.strip()
    sent = (machine.root / "ssh.stdin").read_text() + (machine.root / "ssh.log").read_text()
    assert key not in sent
    assert hashlib.sha256(key.encode()).hexdigest() in sent
    assert "PLANTED" not in sent
    assert (machine.root / "ssh.mode").read_text().strip() == "600"
    assert "PLANTED" in (machine.root / "ssh.key").read_text()
    assert "@192.0.2.7 sudo -n -u llm-gateway" in sent


def test_a_rotated_keys_old_one_works_on_for_a_while(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["keys", "add", "team-b", *STACK])
    old = capsys.readouterr().out.strip()
    assert cli.main(["keys", "rotate", "team-b", *STACK]) == 0
    new = capsys.readouterr().out.strip()
    assert machine.works(old)
    assert machine.works(new)
    cli.main(["keys", "rotate", "team-b", *STACK, "--overlap-minutes", "0"])
    assert not machine.works(old)
    assert not machine.works(new)


def test_a_revoked_key_works_no_more(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["keys", "add", "team-b", *STACK])
    key = capsys.readouterr().out.strip()
    assert cli.main(["keys", "revoke", "team-b", *STACK]) == 0
    assert not machine.works(key)
    assert cli.main(["keys", "add", "team-b", *STACK]) == 0


def test_a_key_that_pulumi_made_can_be_revoked_and_its_successor_works(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["keys", "revoke", "default", *STACK]) == 0
    assert "generation" in capsys.readouterr().out
    assert not machine.works("sk-default")
    machine.home.key("default", "sk-second-generation")
    assert machine.works("sk-second-generation")


def test_what_pulumi_manages_is_not_rotated_or_overwritten(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["keys", "rotate", "default", *STACK]) == 1
    assert "[keys.managed-by-pulumi]" in capsys.readouterr().err
    assert cli.main(["keys", "add", "default", *STACK]) == 1
    assert "[keys.exists]" in capsys.readouterr().err


def test_an_unknown_key_is_told_with_those_that_there_are(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["keys", "revoke", "defualt", *STACK]) == 1
    told = capsys.readouterr().err
    assert "[keys.unknown]" in told
    assert "default" in told


def test_the_list_says_who_made_each_key(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulumi_llm._commands.keys._today", lambda: datetime.date(1999, 12, 31))
    cli.main(["keys", "add", "team-b", *STACK, "--expires", "2000-01-01"])
    capsys.readouterr()
    assert cli.main(["keys", "list", *STACK]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in told[1:]] == [["default", "pulumi", "valid"], ["team-b", "cli", "expired"]]
    assert "requests per minute 60" in told[1]


def test_the_list_tells_which_keys_are_revoked_and_which_are_not(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.home.key("another", "sk-another").key("third", "sk-third", expires=1)
    cli.main(["keys", "revoke", "another", *STACK])
    cli.main(["keys", "add", "team-b", *STACK, "--daily-tokens", "5"])
    cli.main(["keys", "rotate", "team-b", *STACK])
    capsys.readouterr()
    assert cli.main(["keys", "list", *STACK, "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    states = {name: row["state"] for name, row in rows.items()}
    assert states == {"another": "revoked", "default": "valid", "third": "expired", "team-b": "valid"}
    assert rows["team-b"]["limits"] == {"daily_tokens": 5}
    assert rows["team-b"]["old_until"] == pytest.approx(time.time() + 3600, abs=60)
    # Its successor, while the one that was revoked is in the file beside it.
    machine.home.key("another", "sk-another-next")
    cli.main(["keys", "list", *STACK, "--json"])
    (row,) = [row for row in json.loads(capsys.readouterr().out) if row["name"] == "another"]
    assert row["state"] == "valid"


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_is_of_one_at_least_and_may_be_large(
    name: str, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    option = f"--{name.replace('_', '-')}"
    for text in ("0", "-1", "9" * 18, "9" * 30, "x", ""):
        assert cli.main(["keys", "add", "x", *STACK, option, text]) == 2, text
    assert cli.main(["keys", "add", "x", *STACK, option, "1"]) == 0
    assert machine.own()["keys"]["x"][name] == 1  # type: ignore[index]
    assert LIMITS[name]("90000") == 90_000


def test_the_limits_of_a_key_are_the_same_on_the_command_line_in_the_stack_and_on_the_node(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # The node reads nothing of the spec's, so the two lists are held equal here.
    from llm_gate import policy

    assert set(LIMITS) == set(policy.LIMITS)
    assert set(LIMITS) < set(spec.KeySpec.model_fields)
    assert cli.main(["keys", "add", "--help"]) == 0
    assert set(re.findall(r"--([a-z-]+)", capsys.readouterr().out)) >= {name.replace("_", "-") for name in LIMITS}
    assert {"requests_per_minute", "monthly_budget_usd"} < set(LIMITS)


def test_pulumi_up_leaves_keys_of_the_command_line_alone(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["keys", "add", "team-b", *STACK])
    key = capsys.readouterr().out.strip()
    machine.home.key("default", "sk-default").key("another", "sk-another")  # what `up` writes
    assert machine.works(key)
    assert machine.works("sk-another")


def test_two_at_once_lose_nothing(machine: Machine) -> None:
    argv = [sys.executable, "-m", "pulumi_llm.cli", "keys", "add"]
    started = [
        subprocess.Popen([*argv, f"team-{n}", *STACK], cwd=CHECKOUT, stdout=subprocess.DEVNULL) for n in range(4)
    ]
    assert [each.wait(60) for each in started] == [0] * 4
    assert len(machine.own()["keys"]) == 4


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["keys"], "keys add"),
        (["keys", "remove", "x"], "there is no 'remove'"),
        (["keys", "add", "x"], "--stack"),
        (["keys", "add", "x", *STACK, "--daily-tokns", "5"], "did you mean --daily-tokens"),
        (["keys", "add", "x", *STACK, "--daily-tokens", "many"], "whole number"),
        (["keys", "add", "x", *STACK, "--expires", "soon"], "2027-12-31"),
        (["keys", "add", "x", *STACK, "--expires", "2000-01-01"], "the key would never work"),
        (["keys", "list", *STACK, "--at", "prxy"], "did you mean proxy"),
    ],
)
def test_a_wrong_call_says_how_it_would_be_right(
    argv: list[str], words: str, capsys: pytest.CaptureFixture[str], machine: Machine
) -> None:
    assert cli.main(argv) == 2
    told = capsys.readouterr()
    assert words in told.err + told.out


def test_a_machine_that_is_not_there_is_said_with_what_helps(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["keys", "list", *STACK, "--at", "proxy"]) == 1
    told = capsys.readouterr().err
    assert "[channel.no-machine]" in told
    assert "--at server" in told
    machine.program("ssh", "echo 'ssh: connect to host 192.0.2.7 port 22: timed out' >&2; exit 255")
    assert cli.main(["keys", "list", *STACK]) == 1
    assert "[channel.unreachable]" in capsys.readouterr().err
    machine.program("pulumi", "echo 'error: no stack named aliyun-t4 found' >&2; exit 255")
    assert cli.main(["keys", "list", *STACK]) == 1
    assert "[outputs.unreadable]" in capsys.readouterr().err


def test_weaviates_key_is_listed_and_left_to_pulumi(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.outputs(address="192.0.2.7", ssh_private_key=PRIVATE, vectors_key="weaviate-planted")
    assert cli.main(["keys", "list", *STACK, "--at", "vectors", "--json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out) == [{"name": "llm", "managed": "pulumi", "state": "valid", "limits": {}}]
    for argv in (["add", "x"], ["rotate", "llm"], ["revoke", "llm"]):
        assert cli.main(["keys", *argv, *STACK, "--at", "vectors"]) == 1
        told = capsys.readouterr()
        assert "[keys.service-has-one]" in told.err
        assert "pulumi up --replace" in told.err
        assert "planted" not in told.out + told.err
    assert not (machine.root / "ssh.log").exists()
    machine.outputs(address="192.0.2.7", ssh_private_key=PRIVATE)
    assert cli.main(["keys", "list", *STACK, "--at", "vectors"]) == 1
    assert "[channel.no-machine]" in capsys.readouterr().err


def test_weaviates_own_user_is_the_one_that_the_list_names() -> None:
    compose = (CHECKOUT / "templates/weaviate/compose.yaml.j2").read_text()
    assert "AUTHENTICATION_APIKEY_USERS: llm\n" in compose


async def _use(machine: Machine) -> None:
    from tests.gateway.fake import Fake
    from tests.gateway.harness import chat, client_of

    async with Fake() as fake:
        machine.home.routes(fake.url)
        async with machine.home.here() as gate, client_of(gate, "sk-default") as client:
            for _ in range(3):
                async with client.post("/v1/chat/completions", json=chat()) as reply:
                    assert reply.status == 200
            await gate.settled()


def test_usage_is_told_by_key_by_day_and_by_call(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    import asyncio

    asyncio.run(_use(machine))
    assert cli.main(["usage", *STACK]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[2].split() == ["default", "3", "30", "21", "0", "0.0"]
    assert cli.main(["usage", *STACK, "--by-day", "--csv"]) == 0
    assert capsys.readouterr().out.startswith("key,day,requests")
    assert cli.main(["usage", *STACK, "--audit", "2"]) == 0
    calls = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(calls) == 2
    assert len(calls[0]["input_sha256"]) == len(calls[0]["output_sha256"]) == 64


@pytest.mark.parametrize("days", [1, 2, 30])
def test_usage_is_of_so_many_days_today_among_them(
    machine: Machine, capsys: pytest.CaptureFixture[str], days: int
) -> None:
    from llm_gate.meter import Ask, Spent
    from llm_gate.policy import Rules
    from llm_gate.store import Store

    for back in (0, 1, 2, 29, 30):
        store = Store(machine.root / "state" / "ledger.sqlite", clock=lambda: time.time() - 86400 * back)  # noqa: B023
        store.settle(store.admit(Rules("default"), Ask("r", "/v1/embeddings", "m", 9)), Spent(tokens_in=1))
        store.close()
    assert cli.main(["usage", *STACK, "--days", str(days)]) == 0
    row = capsys.readouterr().out.splitlines()[2].split()
    assert row[:2] == ["default", str({1: 1, 2: 2, 30: 4}[days])]


def test_usage_before_the_first_start_says_so(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["usage", *STACK]) == 1
    assert "[usage.no-ledger]" in capsys.readouterr().err


def test_the_far_end_runs_as_the_gateways_own_user() -> None:
    assert "sudo -n -u llm-gateway" in REMOTE
