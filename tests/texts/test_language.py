"""Which language is spoken."""

from __future__ import annotations

import pytest

from pulumi_llm import _language as language


@pytest.mark.parametrize(
    ("environ", "spoken"),
    [
        ({}, "en"),
        ({"LANG": "C"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "POSIX"}, "en"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN"}, "zh"),
        ({"LANG": "zh_SG.UTF-8"}, "zh"),
        ({"LANG": "zh_TW.UTF-8"}, "en"),  # another script: gettext takes zh_CN for it as little
        ({"LANGUAGE": "zh"}, "zh"),
        ({"LANGUAGE": "zh_CN:en", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LANGUAGE": "en:zh_CN", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LANGUAGE": "de:zh_CN", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LANGUAGE": "zh_CN", "LANG": "C"}, "en"),  # as GNU gettext
        ({"LANGUAGE": "zh_CN", "LC_ALL": "C.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_MESSAGES": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LC_ALL": "", "LANG": "zh_CN.GB18030"}, "zh"),
        ({"PULUMI_LLM_LANG": "zh", "LANG": "C"}, "zh"),
        ({"PULUMI_LLM_LANG": "en", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"PULUMI_LLM_LANG": "xx", "LANG": "zh_CN.UTF-8"}, "en"),
    ],
)
def test_the_environment_says_which_language_is_spoken(environ: dict[str, str], spoken: str) -> None:
    assert language.of_environment(environ) == spoken


@pytest.mark.parametrize(
    ("argv", "rest", "spoken"),
    [
        (["check", "x", "--lang", "zh"], ["check", "x"], "zh"),
        (["--lang=zh", "check"], ["check"], "zh"),
        (["check", "--lang", "zh_CN"], ["check"], "zh"),
        (["check", "--lang", "en"], ["check"], "en"),
        (["check"], ["check"], None),
        (["sim", "up", "--", "--lang", "zh"], ["sim", "up", "--", "--lang", "zh"], None),
    ],
)
def test_the_option_decides_and_reaches_what_is_started(argv: list[str], rest: list[str], spoken: str | None) -> None:
    environ = {"LANG": "zh_CN.UTF-8"}
    assert language.choose(argv, environ) == rest
    assert environ.get(language.VARIABLE) == spoken


@pytest.mark.parametrize("argv", [["--lang", "fr"], ["--lang"], ["--lang="], ["--lang", "zh_TW"]])
def test_a_language_without_a_catalogue_is_not_known(argv: list[str]) -> None:
    with pytest.raises(language.UnknownLanguageError):
        language.choose(["check", *argv], {})
