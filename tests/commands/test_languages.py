"""`--lang`, and what the environment says, hold for every command: for its findings, its own sentences and its help."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from pulumi_llm import _commands as commands
from pulumi_llm import _language as language
from pulumi_llm import cli
from pulumi_llm._help import filled
from pulumi_llm._language import told
from pulumi_llm._refusal import ComponentRefusal
from pulumi_llm._tables import width
from pulumi_llm._texts import _, sentences
from pulumi_llm.errors import Finding
from tests.texts.english import CHINESE, english_in

ROOT = Path(__file__).parents[2]
EACH = [[name, *own] for name in cli.COMMANDS for own in ([], *([each.name] for each in commands.find(name).commands))]
"""Every command, and every one of a group."""


@pytest.fixture(autouse=True)
def _nobody_said_a_language(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (language.VARIABLE, "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    try:
        code = cli.main(list(argv))
    except SystemExit as left:  # argparse's own, after --help
        code = left.code if isinstance(left.code, int) else 1
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.mark.parametrize("command", EACH, ids=" ".join)
def test_help_is_told_in_chinese(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _err = said(capsys, *command, "--help", "--lang", "zh")
    assert code == 0
    assert out.startswith("用法：")
    for line in out.splitlines():
        assert english_in(line.strip()) == [], line


def test_the_list_of_commands_is_told_in_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    _code, out, _err = said(capsys, "--help", "--lang", "zh")
    lines = out.splitlines()
    assert all(CHINESE.search(line) for line in lines if line)
    assert {line.split()[0] for line in lines if line.startswith("  ")} == set(cli.COMMANDS)


CALLS: list[tuple[list[str], int]] = [
    (["check", "Qwen/Qwen2.5-7B-Instruct", "--gpu", "T4"], 1),
    (["check", "Qwen/Qwen2.5-7B-Instruct", "--gpu", "A10", "--cloud", "aliyun"], 0),
    (["check", "x", "--gpu", "T44"], 2),
    (["check", "x"], 2),
    (["check", "x", "--gpu"], 2),
    (["check", "x", "--gpuu", "T4"], 2),
    (["check", "x", "--gpu", "T4", "--max-model-len", "long"], 2),
    (["offers", "--gpu", "T4", "--cloud", "aws", "--limit", "3"], 0),
    (["offers", "--gpu", "T4", "--max-price", "0.01"], 0),
    (["compare", "Qwen/Qwen3-8B", "--input-tokens", "1M", "--output-tokens", "1M", "--cloud", "aws"], 0),
    (["compare", "Qwen/Qwen3-8B", "--input-tokens", "many", "--output-tokens", "1M"], 2),
    (["compare", "Qwen/Qwen3-8B", "--input-tokens", "1M", "--output-tokens", "1M", "--with", "nobody/x"], 2),
    (["bill", "-s", "aliyun-t4", "--project", str(ROOT), "--budget", "10"], 1),
    (["bill", "-s", "nowhere-at-all", "--project", str(ROOT)], 2),
    (["plan", "-s", "nowhere-at-all", "--project", str(ROOT)], 2),
    (["plan", "-s", "aliyun-t4", "--project", str(ROOT)], 0),
    (["plan", "-s"], 2),
    (["render"], 2),
    (["render", "-s", "nowhere-at-all", "--out", "x", "--project", str(ROOT)], 2),
    (["comment", "--preview", "nowhere.json"], 2),
    (["diff", "--base", "nowhere-at-all", "--project", str(ROOT)], 2),
    (["diff", "--base", "x", "--fail-on", "errorz"], 2),
    (["keys", "add", "x"], 2),
    (["keys", "rotat", "x"], 2),
    (["keys"], 2),
    (["usage"], 2),
    (["usage", "-s", "x", "--days", "many"], 2),
    (["stop", "-s", "x", "--at", "nowhere"], 2),
    (["start"], 2),
    (["start", "-s", "x", "--timeout", "long"], 2),
    (["catalog", "add", "nobody/nothing-at-all", "--offline"], 1),
    (["catalog", "refresh", "--tencent-site", "mars"], 2),
    (["explain", "fit.tight"], 0),
    (["explain"], 0),
    (["comment"], 2),
    (["status", "--endpoint", "http://x", "--key-env", "NO_SUCH_VARIABLE"], 2),
    (["catalog", "show"], 0),
    (["catalog", "shw"], 2),
    (["explain", "fit.tigth"], 2),
    (["sim", "--home"], 1),
    (["sim", "--fault", "no-stok:x", "preview"], 1),
    (["sim", "preview", "-s", "nowhere-at-all", "--cwd", str(ROOT)], 1),
    (["--lang", "zh", "help"], 0),
    (["checkk"], 2),
]


@pytest.mark.parametrize(
    ("argv", "code"), CALLS, ids=lambda value: " ".join(value[:4]) if isinstance(value, list) else ""
)
def test_what_a_command_says_is_chinese(
    argv: list[str], code: int, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if argv[0] in ("comment", "sim"):
        monkeypatch.chdir(tmp_path)
    found, out, err = said(capsys, *argv, "--lang", "zh")
    assert found == code, out + err
    assert CHINESE.search(out + err)
    quoted = "No such file or directory"  # the system's own words
    for line in (out + err).replace(quoted, "").splitlines():
        assert not english_in(re.sub(r"\[[a-z.-]+\]|\(.*?\)|https?://\S+", "", line)), line


@pytest.mark.parametrize("name", ["LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"])
def test_the_environment_says_the_language_too(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "zh_CN.UTF-8")
    _code, out, _err = said(capsys, "--help")
    assert CHINESE.search(out)
    _code, out, _err = said(capsys, "--help", "--lang", "en")
    assert not CHINESE.search(out)


def test_english_is_spoken_where_nobody_says_anything(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["--help"], ["check", "--help"], ["check", "x", "--gpu", "T44"]):
        _code, out, err = said(capsys, *argv)
        assert not CHINESE.search(out + err)


def test_a_language_that_is_not_known_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    code, _out, err = said(capsys, "check", "x", "--lang", "fr")
    assert code == 2
    assert err == "pulumi-llm: --lang fr: there is no such language; there are: en, zh\n"


def test_the_language_is_forgotten_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "check", "--help", "--lang", "zh")
    assert language.VARIABLE not in os.environ
    _code, out, _err = said(capsys, "check", "--help")
    assert "show this help message and exit" in out


def test_data_for_programs_is_the_same_in_every_language(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["check", "Qwen/Qwen2.5-7B-Instruct", "--gpu", "T4", "--json"], ["catalog", "show", "--json"]):
        _code, english, _err = said(capsys, *argv)
        _code, chinese, _err = said(capsys, *argv, "--lang", "zh")
        assert json.loads(chinese) == json.loads(english)


def test_what_ends_a_program_is_told_in_the_language_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = ComponentRefusal([Finding("a.b", _("leave it out"), _("another name"), where="server")])
    assert str(refusal).startswith("this cannot work:\n[a.b] server: leave it out\n    try: another name\n")
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert str(refusal).startswith("无法执行：\n[a.b] server: 去掉它\n    建议：换个名字\n")


def test_lines_are_as_wide_as_a_terminal_shows_them() -> None:
    text = "一台机器里的 GPU 数，默认为 1；超出的要排队，直到前面的请求都结束为止。"
    for columns in (20, 31, 60):
        lines = filled(text, columns)
        assert all(width(line) <= columns + 2 for line in lines)  # a full stop may hang over
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert not any(line.startswith(("，", "；", "。")) for line in lines)


def test_a_picture_and_the_marks_of_a_bill_are_in_the_language_that_is_spoken(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["--lang", "zh", "plan", "-s", "aliyun-t4", "--picture"]) == 0
    drawn = capsys.readouterr().out
    assert "model server" not in drawn
    assert "overseas proxy" not in drawn
    assert cli.main(["--lang", "zh", "bill", "-s", "aliyun-t4"]) == 0
    assert "undated" not in capsys.readouterr().out


def test_no_blank_stands_behind_a_full_width_stop() -> None:
    assert told(sentences("一。", "two.", "三？", "four"), "zh") == "一。two. 三？four"
    assert told(sentences("a.", "b"), "en") == "a. b"


def test_a_sentence_without_an_end_is_kept_apart_from_the_next() -> None:
    assert told(sentences("known: a, b", "look there"), "en") == "known: a, b; look there"
    assert told(sentences("已知：a、b", "看那里"), "zh") == "已知：a、b；看那里"
    assert told(sentences("", "look there"), "en") == "look there"
