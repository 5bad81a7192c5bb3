"""`pulumi-llm bill` as it is called: a foreign project, revisions, budgets, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm._commands import bill
from pulumi_llm._review.bill import make_bill
from pulumi_llm._review.item import Usage
from tests.plans import plan_of
from tests.review.samples import TODAY
from tests.shipped import STACKS

ROOT = Path(__file__).parents[2]

PROGRAM = """
import pulumi
from parts import DISK_GIB

config = pulumi.Config()
print("a program may print")
east = pulumi.ResourceOptions(provider=pulumi.ProviderResource("aws", "east", {"region": "us-east-1"}))
pulumi.CustomResource("aws:ec2/instance:Instance", "machine", {
    "instanceType": config.require("machine"),
    "ami": "ami-0123456789abcdef0",
    "associatePublicIpAddress": False,
    "availabilityZone": "us-east-1a",
    "rootBlockDevice": {"volumeSize": 40, "volumeType": "gp3"},
}, east)
pulumi.CustomResource("aws:ebs/volume:Volume", "disk", {
    "availabilityZone": "us-east-1a", "size": DISK_GIB, "type": config.get("disk") or "gp3",
}, east)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that is not ours, with one T4 machine."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: theirs\nruntime: python\n", encoding="utf-8")
    (folder / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    (folder / "parts.py").write_text("DISK_GIB = 100\n", encoding="utf-8")
    choose(folder, machine="g4dn.xlarge")
    return folder


@pytest.fixture
def committed(project: Path) -> Path:
    """The project in a git repository of its own."""
    git(project, "init", "--quiet", "--initial-branch=main")
    commit(project)
    return project


def choose(folder: Path, stack: str = "dev", **values: str) -> None:
    lines = "".join(f"  theirs:{key}: {value}\n" for key, value in values.items())
    (folder / f"Pulumi.{stack}.yaml").write_text(f"config:\n{lines}", encoding="utf-8")


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "a change")


def call(folder: Path, *arguments: str) -> int:
    """The command's exit code, as from a process that has not loaded another test's program."""
    sys.modules.pop("parts", None)
    return bill.COMMAND.run(["--project", str(folder), "-s", "dev", *arguments])


def data(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    content = json.loads(capsys.readouterr().out)
    assert isinstance(content, dict)
    return content


def test_a_foreign_program_is_priced(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(project, "--json") == 0
    content = data(capsys)
    assert [(line["resource"], line["slot"]) for line in content["lines"]] == [
        ("disk", "disk"),
        ("machine", "machine"),
        ("machine", "system-disk"),
    ]
    price = catalog.load().price("aws", "g4dn.xlarge", "us-east-1")
    assert price is not None
    assert content["lines"][1]["per_hour"][price.currency] == round(price.amount, 4)
    assert content["total"]["at_least"] is False


def test_the_bill_as_text_shows_both_currencies_the_rate_and_its_date(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(project) == 0
    shown = capsys.readouterr()
    rate = catalog.load().exchange_rate
    assert f"1 {rate.base} = {rate.rate} {rate.quote} ({rate.source_date})" in shown.out
    assert "g4dn.xlarge, on demand" in shown.out
    assert "a program may print" not in shown.out


def test_fewer_hours_cost_less_for_the_machine_and_the_same_for_its_disks(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(project, "--json") == 0
    whole = {line["slot"]: line["per_month"]["USD"] for line in data(capsys)["lines"]}
    assert call(project, "--json", "--hours-per-day", "8", "--days", "22") == 0
    content = data(capsys)
    part = {line["slot"]: line["per_month"]["USD"] for line in content["lines"]}
    assert content["running_hours"] == 176
    assert part["machine"] == pytest.approx(whole["machine"] * 176 / 730, abs=0.01)
    assert (part["disk"], part["system-disk"]) == (whole["disk"], whole["system-disk"])


@pytest.mark.parametrize(
    ("options", "hours"),
    [
        ([], 730),
        (["--days", "31"], 730),
        (["--days", "10"], 240),
        (["--hours-per-day", "12"], 365),
        (["--hours", "260.71"], 260.71),
    ],
)
def test_hours_that_are_not_given_are_all_there_are(
    project: Path, capsys: pytest.CaptureFixture[str], options: list[str], hours: float
) -> None:
    assert call(project, "--json", *options) == 0
    assert data(capsys)["running_hours"] == hours


def test_against_a_revision_a_dearer_gpu_shows_on_its_line(committed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    choose(committed, machine="g5.xlarge")
    assert call(committed, "--json", "--against", "main") == 0
    content = data(capsys)
    (changed,) = content["difference"]["lines"]
    assert (changed["change"], changed["resource"], changed["slot"]) == ("changed", "machine", "machine")
    assert changed["per_month"]["CNY"] > 0
    assert content["difference"]["per_month"] == changed["per_month"]
    assert content["difference"]["same_assumptions"] is True
    assert len(content["against"]["commit"]) == 40


def test_against_a_revision_the_program_is_that_of_the_revision(
    committed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (committed / "parts.py").write_text("DISK_GIB = 50\n", encoding="utf-8")
    assert call(committed, "--json", "--against", "HEAD") == 0
    (changed,) = data(capsys)["difference"]["lines"]
    assert (changed["before"], changed["after"]) == ("data disk, 100 GiB gp3", "data disk, 50 GiB gp3")
    assert changed["per_month"]["USD"] < 0


def test_a_project_whose_file_ends_in_yml_is_found_at_the_revision_too(
    committed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("Pulumi", "Pulumi.dev"):
        (committed / f"{name}.yaml").rename(committed / f"{name}.yml")
    commit(committed)
    (committed / "parts.py").write_text("DISK_GIB = 50\n", encoding="utf-8")
    assert call(committed, "--json", "--against", "HEAD") == 0
    assert [each["resource"] for each in data(capsys)["difference"]["lines"]] == ["disk"]


def test_a_stack_that_the_revision_does_not_have_is_all_new(
    committed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choose(committed, stack="live", machine="g4dn.xlarge")
    assert bill.COMMAND.run(["--project", str(committed), "-s", "live", "--json", "--against", "main"]) == 0
    shown = capsys.readouterr()
    content = json.loads(shown.out)
    assert content["difference"]["per_month"] == content["total"]["per_month"]
    assert "no stack live" in shown.err


@pytest.mark.parametrize(
    ("disk", "program", "reason"),
    [("no-such-disk", PROGRAM, "no-such-disk"), ("gp3", "raise LookupError('of its own')", "LookupError: of its own")],
)
def test_a_revision_that_cannot_be_planned_is_named_with_its_reason(
    committed: Path, capsys: pytest.CaptureFixture[str], disk: str, program: str, reason: str
) -> None:
    choose(committed, machine="g5.xlarge", disk=disk)
    (committed / "__main__.py").write_text(program, encoding="utf-8")
    commit(committed)
    choose(committed, machine="g5.xlarge")
    (committed / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    assert call(committed, "--against", "HEAD") == 1
    said = capsys.readouterr().err
    assert "bill.revision-refused" in said
    assert reason in said
    assert "Traceback" not in said


def test_against_a_file_that_json_wrote_the_difference_is_what_changed(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(project, "--json") == 0
    path = tmp_path / "before.json"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert call(project, "--against", str(path)) == 0
    assert "no difference" in capsys.readouterr().out
    choose(project, machine="g5.xlarge")
    assert call(project, "--against", str(path)) == 0
    assert "g4dn.xlarge, on demand -> g5.xlarge, on demand" in capsys.readouterr().out


@pytest.mark.parametrize(("budget", "code", "verdict"), [("1000000", 0, "within"), ("1", 1, "over")])
def test_a_budget_decides_the_exit_code(
    project: Path, capsys: pytest.CaptureFixture[str], budget: str, code: int, verdict: str
) -> None:
    assert call(project, "--json", "--budget", budget) == code
    shown = capsys.readouterr()
    assert json.loads(shown.out)["budget"] == {"amount": float(budget), "currency": "CNY", "verdict": verdict}
    assert ("bill.over-budget" in shown.err) == (verdict == "over")


def test_a_budget_is_in_the_currency_that_was_asked_for(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(project, "--json") == 0
    total = data(capsys)["total"]["per_month"]
    between = str(round((total["USD"] + total["CNY"]) / 2))
    assert call(project, "--budget", between, "--currency", "USD") == 0
    assert call(project, "--budget", between, "--currency", "CNY") == 1


def test_a_total_exactly_at_the_budget_is_within_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(project, "--json") == 0
    total = data(capsys)["total"]["per_month"]["CNY"]
    assert call(project, "--budget", f"{total:.2f}") == 0
    assert call(project, "--budget", f"{total - 0.01:.2f}") == 1


def test_a_budget_with_unknown_prices_is_undecided_and_fails(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    choose(project, machine="g4dn.xlarge", disk="io2")
    assert call(project, "--budget", "1000000") == 1
    assert "bill.budget-undecided" in capsys.readouterr().err


def test_unknown_prices_do_not_hide_that_the_known_ones_exceed_a_budget(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choose(project, machine="g4dn.xlarge", disk="io2")
    assert call(project, "--budget", "1") == 1
    said = capsys.readouterr().err
    assert "bill.over-budget" in said
    assert "at least" in said


def test_a_bill_of_which_no_price_is_known_has_no_total(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = (project / "__main__.py").read_text(encoding="utf-8")
    machine_alone = program[: program.index('pulumi.CustomResource("aws:ebs')]
    without_its_disk = "".join(line for line in machine_alone.splitlines(keepends=True) if "rootBlock" not in line)
    (project / "__main__.py").write_text(without_its_disk, encoding="utf-8")
    choose(project, machine="u7i-12tb.224xlarge")
    assert call(project) == 0
    said = capsys.readouterr().out
    assert "0.00" not in said
    assert said.split("total", 1)[1].split()[:4] == ["unknown"] * 4


@pytest.mark.parametrize(
    "options",
    [
        ["--hours-per-day", "25"],
        ["--hours-per-day", "0"],
        ["--hours-per-day", "nan"],
        ["--days", "32"],
        ["--hours", "731"],
        ["--hours", "100", "--days", "22"],
        ["--days", "many"],
        ["--traffic-gib", "-1"],
        ["--budget", "-5"],
        ["--budget", "inf"],
        ["--currency", "EUR"],
        ["--no-such-option"],
    ],
)
def test_a_wrong_call_exits_with_2(capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    assert call(Path(), *options) == 2
    assert options[0] in capsys.readouterr().err


def test_what_can_be_compared_with_neither_as_file_nor_as_revision_exits_with_2(
    committed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no-bill.json").write_text("{}", encoding="utf-8")
    expected = {"no-such-thing": "bill.no-such-revision", str(tmp_path / "no-bill.json"): "bill.bad-file"}
    for name, code in expected.items():
        assert call(committed, "--against", name) == 2
        shown = capsys.readouterr()
        assert code in shown.err
        assert shown.out == ""


def test_an_unknown_stack_or_project_exits_with_2(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bill.COMMAND.run(["--project", str(project), "-s", "dve"]) == 2
    assert "did you mean dev" in capsys.readouterr().err
    assert bill.COMMAND.run(["--project", str(tmp_path), "-s", "dev"]) == 2
    assert "project.not-found" in capsys.readouterr().err


@pytest.mark.parametrize("stack", STACKS)
def test_everything_in_a_shipped_stack_is_either_free_or_on_the_bill(stack: str) -> None:
    made = make_bill(plan_of(stack), catalog.load(), Usage(), today=TODAY)
    kinds = [line.kind for line in made.lines]
    assert kinds.count("machine") == 2
    assert kinds.count("address") == 2
    assert kinds.count("traffic") == 2
    assert kinds.count("disk") == 4
    assert "other" not in kinds
