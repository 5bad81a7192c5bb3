"""`pulumi-llm recover` where the engine is not needed: what is tried, what is left out, and what ends it."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm import _outputs, cli
from pulumi_llm._commands import _recover_engine
from pulumi_llm._commands._recover_engine import Run

ROOT = Path(__file__).parents[2]
STACK = "aliyun-t4"
ALTERNATIVES = [{"zone": "cn-hangzhou-h"}, {"instance_type": "ecs.gn6i-c16g1.4xlarge"}]
URN = f"urn:pulumi:{STACK}::pulumi-llm::"
PARENT = f"{URN}llm:index:Platform$llm:index:ModelServer::llm-server"
COMPONENT = {"urn": PARENT, "type": "llm:index:ModelServer", "custom": False}
SETTINGS = {
    "urn": f"{URN}llm:index:Platform$llm:index:ModelServer$command:remote:Command::llm-server-settings",
    "type": "command:remote:Command",
    "custom": True,
    "id": "1",
    "parent": PARENT,
}
MACHINE = {
    "urn": f"{URN}llm:index:Platform$llm:index:ModelServer$alicloud:ecs/instance:Instance::llm-server-machine-x",
    "type": "alicloud:ecs/instance:Instance",
    "custom": True,
    "id": "i-1",
    "parent": PARENT,
    "inputs": {"instanceType": "ecs.gn6i-c4g1.xlarge", "availabilityZone": "cn-hangzhou-b"},
    "outputs": {"instanceType": "ecs.gn6i-c4g1.xlarge", "availabilityZone": "cn-hangzhou-b"},
}
NO_STOCK = """
Diagnostics:
  alicloud:ecs:Instance (llm-server-machine-cn-hangzhou-b):
    error: 1 error occurred:
       Code: OperationDenied.NoStock
"""


class Engine:
    """What the engine was asked for, and answers in turn for `up`; everything else succeeds."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.ups: list[Run] = []
        self.failing: set[str] = set()
        self.asked: list[tuple[str, ...]] = []

    def run(self, *words: str, shown: bool = True) -> Run:
        self.asked.append(words)
        if words[0] == "up":
            return self.ups.pop(0)
        return Run(int(words[0] in self.failing), "it cannot be written")

    def state(self, *__: object, **___: object) -> dict[str, Any]:
        return {"deployment": {"resources": self.rows}}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr(_recover_engine.Pulumi, "run", lambda _self, *words, **more: made.run(*words, **more))
    monkeypatch.setattr(_outputs, "state", made.state)
    return made


def recover(
    folder: Path, *more: str, platform: object = ..., alternatives: Sequence[object] = ALTERNATIVES, **server: object
) -> int:
    shutil.copytree(ROOT / "stacks", folder / "stacks")
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    file = folder / "stacks" / f"Pulumi.{STACK}.yaml"
    content = yaml.safe_load(file.read_text())
    if platform is None:
        del content["config"]["pulumi-llm:platform"]
    else:
        content["config"]["pulumi-llm:platform"]["server"] |= {"alternatives": list(alternatives), **server}
    file.write_text(yaml.safe_dump(content))
    return cli.main(["recover", "-s", STACK, "--project", str(folder), "--yes", *more])


def numbers(text: str, begin: str) -> list[str]:
    return [line.removeprefix(begin)[0] for line in text.splitlines() if line.startswith(begin)]


def test_each_is_tried_once_and_what_is_taken_is_written_before(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.ups = [Run(255, NO_STOCK), Run(255, NO_STOCK), Run(0, "")]
    assert recover(tmp_path) == 0
    path = ("config", "set", "--path", "platform.server.alternative")
    assert engine.asked == [("up", "--yes"), (*path, "1"), ("up", "--yes"), (*path, "2"), ("up", "--yes")]
    assert numbers(capsys.readouterr().out, "trying ") == ["0", "1", "2"]


def test_a_disk_that_may_hold_data_keeps_other_zones_out(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.rows = [COMPONENT, SETTINGS]  # it was set up once; where its disk is the state does not say
    engine.ups = [Run(255, NO_STOCK), Run(255, NO_STOCK)]
    assert recover(tmp_path) == 1
    out, err = capsys.readouterr()
    assert numbers(out, "left out: ") == ["1"]
    assert numbers(out, "trying ") == ["0", "2"]
    assert "disks and the address are still there" in err
    assert ("destroy", "--yes", "--skip-preview") not in engine.asked
    assert engine.asked[-1] == ("config", "rm", "--path", "platform.server.alternative")


@pytest.mark.parametrize(("rows", "left"), [([], []), ([COMPONENT, SETTINGS], ["1"])], ids=["never had one", "had one"])
def test_another_region_is_tried_while_the_server_never_had_a_machine(
    tmp_path: Path,
    engine: Engine,
    capsys: pytest.CaptureFixture[str],
    rows: list[dict[str, Any]],
    left: list[str],
) -> None:
    engine.rows, engine.ups = rows, [Run(255, NO_STOCK), Run(0, "")]
    others = [{"region": "cn-shanghai"}, {"instance_type": "ecs.gn6i-c16g1.4xlarge"}]
    assert recover(tmp_path, alternatives=others) == 0
    out = capsys.readouterr().out
    assert numbers(out, "left out: ") == left
    assert numbers(out, "trying ") == (["0", "2"] if left else ["0", "1"])


@pytest.mark.parametrize(("most", "left"), [("12", ["2"]), ("20", [])])
def test_what_costs_more_than_asked_for_is_left_out(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str], most: str, left: list[str]
) -> None:
    engine.ups = [Run(0, "")]
    assert recover(tmp_path, "--most", most) == 0
    assert numbers(capsys.readouterr().out, "left out: ") == left


def test_an_unknown_price_is_not_below_an_amount(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.ups = [Run(0, "")]
    assert recover(tmp_path, "--most", "100", alternatives=[{"spot": True}]) == 0
    assert numbers(capsys.readouterr().out, "left out: ") == ["1"]


GOOGLE = {"cloud": "gcp", "region": "us-central1", "zone": "us-central1-a", "gpu": "L4", "spot": True}
GOOGLES = f"{URN}llm:index:Platform$llm:index:ModelServer$gcp:compute/"
DISK = {
    "urn": f"{GOOGLES}disk:Disk::llm-server-data-disk",
    "type": "gcp:compute/disk:Disk",
    "custom": True,
    "id": "projects/p/zones/us-central1-a/disks/d",
    "parent": PARENT,
    "inputs": {"zone": "us-central1-a", "size": 100, "type": "pd-balanced"},
    "outputs": {"zone": "us-central1-a", "size": 100, "type": "pd-balanced"},
}
NONE_LEFT = """
Diagnostics:
  gcp:compute:Instance (llm-server-machine-us-central1-a):
    error: 1 error occurred:
       Error waiting for starting instance: The zone 'projects/p/zones/us-central1-a' does not have enough resources.
"""


def of_google(status: str, *, spot: bool = True) -> dict[str, Any]:
    told = {"machineType": "g2-standard-4", "zone": "us-central1-a", "currentStatus": status}
    told["scheduling"] = {"provisioningModel": "SPOT" if spot else "STANDARD", "preemptible": spot}
    more = {"urn": f"{GOOGLES}instance:Instance::llm-server-machine-us-central1-a", "inputs": told, "outputs": told}
    return {**MACHINE, **more, "type": "gcp:compute/instance:Instance", "id": "projects/p/zones/z/instances/i"}


@pytest.mark.parametrize(
    ("status", "spot", "tried"),
    [("TERMINATED", True, ["0", "2"]), ("RUNNING", True, []), ("TERMINATED", False, [])],
)
def test_a_spot_machine_that_its_cloud_stopped_is_started_and_then_its_alternatives_are_tried(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str], status: str, spot: bool, tried: list[str]
) -> None:
    """Google Cloud stops a spot machine where others delete it; the engine's `up` starts it."""
    engine.rows = [COMPONENT, SETTINGS, of_google(status, spot=spot), DISK]
    engine.ups = [Run(255, NONE_LEFT), Run(0, "")]
    others = [{"zone": "us-central1-b"}, {"spot": False}]
    assert recover(tmp_path, alternatives=others, **GOOGLE) == 0
    out = capsys.readouterr().out
    assert numbers(out, "trying ") == tried
    assert ("the server's spot machine stands still" in out) == bool(tried)
    assert ("the data disk is in us-central1-a and does not move" in out) == bool(tried)


def test_on_a_cloud_whose_word_for_none_left_is_not_known_it_is_refused_before_anybody_is_asked(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    where = {"cloud": "volcengine", "region": "cn-beijing", "gpu": "A10"}
    assert recover(tmp_path, alternatives=(), **where) == 1
    assert "[cloud.cannot]" in capsys.readouterr().err
    assert engine.asked == []


def test_a_machine_that_is_there_is_left_alone(tmp_path: Path, engine: Engine) -> None:
    engine.rows = [COMPONENT, MACHINE]
    assert recover(tmp_path) == 0
    assert [words[0] for words in engine.asked] == ["refresh"]


@pytest.mark.parametrize(
    ("failing", "ups", "code"),
    [
        ("refresh", [], "recover.not-known"),
        ("config", [Run(255, NO_STOCK)], "recover.not-written"),
        ("", [Run(255, "error: something else")], "recover.failed"),
        ("destroy", [Run(255, NO_STOCK)] * 3, "recover.sold-out"),
    ],
)
def test_what_ends_it_has_a_code(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str], failing: str, ups: list[Run], code: str
) -> None:
    engine.rows = [COMPONENT] if failing == "refresh" else []
    engine.failing, engine.ups = {failing}, list(ups)
    assert recover(tmp_path) == 1
    assert f"[{code}]" in capsys.readouterr().err


def test_a_stack_without_a_platform_and_a_budget_below_everything_are_refused_before_anything_is_done(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recover(tmp_path / "a", platform=None) == 1
    assert "[recover.no-platform]" in capsys.readouterr().err
    assert recover(tmp_path / "b", "--most", "1") == 1
    assert "[recover.nothing-left]" in capsys.readouterr().err
    assert engine.asked == []


def test_nobody_is_asked_where_nobody_is(tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    recover(tmp_path / "made", "--most", "1")
    capsys.readouterr()
    assert cli.main(["recover", "-s", STACK, "--project", str(tmp_path / "made")]) == 2
    assert "[power.not-confirmed]" in capsys.readouterr().err
    assert engine.asked == []


def test_who_is_asked_sees_the_preview_first(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recover(tmp_path / "made", "--most", "1")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert cli.main(["recover", "-s", STACK, "--project", str(tmp_path / "made")]) == 1
    assert "[power.declined]" in capsys.readouterr().err
    assert engine.asked == [("preview",)], "something was done"


def test_the_bill_has_a_row_for_what_would_be_taken_with_its_price_and_its_fit(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [*ALTERNATIVES, {"region": "cn-shanghai", "spot": True}]
    recover(tmp_path / "made", "--most", "1", alternatives=others)
    capsys.readouterr()
    call = ["bill", "-s", STACK, "--project", str(tmp_path / "made"), "--hours-per-day", "12"]
    assert cli.main(call) == 0
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("alternatives of llm-server, the machine alone, as `pulumi-llm recover` tries them:")
    assert lines[at + 1].startswith("  0: ecs.gn6i-c4g1.xlarge in cn-hangzhou-b; taken now")
    assert lines[at + 5].split()[:6] == ["2:", "ecs.gn6i-c16g1.4xlarge", "in", "cn-hangzhou-b", "16.4100", "2.4168"]
    assert lines[at + 6] == "     fits: 2.5 requests of 4,096 tokens at once"
    assert cli.main([*call, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    rows = told["alternatives"]
    assert [(each["number"], each["taken"], each["zone"], each["spot"]) for each in rows] == [
        (0, True, "cn-hangzhou-b", False),
        (1, False, "cn-hangzhou-h", False),
        (2, False, "cn-hangzhou-b", False),
        (3, False, "cn-shanghai-a", True),
    ]
    assert rows[2]["per_month"]["CNY"] == round(16.41 * 365, 2)
    assert rows[2]["price"]["source_date"]
    assert rows[2]["fit"] == {"context": 4096, "at_once": 2.5, "longest": 4096}
    assert rows[3]["price"] is None
    assert "no spot price" in rows[3]["unknown"]
    machine = next(each for each in told["lines"] if each["kind"] == "machine" and each["cloud"] == "aliyun")
    assert rows[0]["per_month"] == machine["per_month"]
    total = sum(each["per_month"]["CNY"] for each in told["lines"] if each["per_month"])
    assert told["total"]["per_month"]["CNY"] == round(total, 2), "an alternative is no part of the total"
