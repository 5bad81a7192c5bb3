"""Findings in Chinese: what the spec, the fit check, the catalogue and the components say is translated wholly.

All of it is asked of the code itself, with the inputs of ``refusals``; every sentence of the modules that
speak of it is said by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pulumi_llm
from pulumi_llm._texts import Joined, Text
from tests.review import refusals
from tests.texts.english import CHINESE, english_in
from tests.texts.test_catalogue import TOOL

SOURCE = Path(pulumi_llm.__file__).parent
FAMILIES = (
    *("fit", "spec", "placement", "preflight", "catalog", "cloud", "bootstrap", "gateway", "content"),
    *("secret", "stack", "project", "policy", "plan", "diff", "roles", "outlook", "vectors", "snapshots"),
    *("fleet", "managed"),
)
"""What the codes begin with of everything that a comment can hold."""
QUOTED = {
    "bootstrap.user-data-too-big": "the source of the limit",
    "cloud.bad-entry-point": "Python",
    "content.bad-hook": "Python",
    "content.no-word-file": "the system",
    "diff.preview-failed": "the engine",
    "plan.provider-refused": "the provider",
    "policy.unreadable": "PyYAML",
    "project.not-yaml": "PyYAML",
    "project.unreadable": "the system",
}
"""Codes whose messages end, after a colon, with somebody else's words, which stay as they are."""
UNREACHED = {
    "bootstrap.unknown-cloud": "the spec looks for the cloud first: spec.unknown-cloud",
    "catalog.unknown-cloud": "the spec looks for the cloud first: spec.unknown-cloud",
    "catalog.unknown-image": "every cloud has an image for each kind of processor that the catalogue holds machines of",
    "cloud.unknown": "the spec looks for the cloud first: spec.unknown-cloud",
}
"""Codes that no stack's input leads to."""


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_said_of_bad_input_is_translated_wholly(family: str) -> None:
    found = [each for each in refusals.findings() if each.code.startswith(f"{family}.")]
    assert found
    for each in found:
        told = each.told("zh")
        message = told.message.partition("：")[0] if each.code in QUOTED else told.message
        assert CHINESE.search(message), each
        assert not english_in(message), (english_in(message), told.message)
        assert not english_in(told.hint), (english_in(told.hint), told.hint)


@pytest.mark.parametrize(
    "text", ["not", "a GPU with 8.0", "max_num_seqs: 32; or gpu_count: 2", "其中 leave room", "注意力attention width 9"]
)
def test_english_is_found_where_it_is_left(text: str) -> None:
    assert english_in(text)


def test_no_number_is_lost() -> None:
    for each in refusals.findings():
        told = each.told("zh")
        for before, after in ((each.message, told.message), (each.hint, told.hint)):
            numbers = re.findall(r"\d+(?:[.,]\d+)*", before)
            assert set(numbers) <= set(re.findall(r"\d+(?:[.,]\d+)*", after)), (before, after)


# -- nothing that can be said was left out of the tables

MODULES = (
    *(
        "preflight",
        "spec",
        "_resolve",
        "_findings.py",
        "_component.py",
        "_gateway.py",
        "_secrets.py",
        "stack.py",
        "_platform.py",
        "_network.py",
    ),
    *("_model_server.py", "_overseas_proxy.py", "_vector_store.py", "catalog/catalog.py", "catalog/names.py"),
    *("_fleet.py", "_managed.py", "_cluster/kubeconfig.py"),
    *(
        "catalog/__init__.py",
        "clouds",
        "_bootstrap/user_data.py",
        "_outlook",
        "_snapshots/schedule.py",
        "_snapshots/notes.py",
    ),
    *("roles/caddy.py", "roles/gateway.py", "roles/vllm.py", "roles/vllm_flags.py"),
)


def files() -> Iterator[Path]:
    for each in MODULES:
        path = SOURCE / each
        found = sorted(path.glob("*.py")) if path.is_dir() else [path]
        yield from (file for file in found if file.name != "report.py")  # what `check` prints, and no finding


def test_every_code_is_met() -> None:
    code = re.compile(rf'"((?:{"|".join(FAMILIES)})\.[a-z-]+)"')
    known = {each for file in files() for each in code.findall(file.read_text(encoding="utf-8"))}
    met = {each.code for each in refusals.findings()}
    assert known - met == set(UNREACHED)
    assert set(QUOTED) <= met


def said() -> set[str]:
    """The templates of all that is said, with those inside of others."""
    found: set[str] = set()
    rest: list[object] = [text for each in refusals.findings() for text in (each.message, each.hint)]
    while rest:
        text = rest.pop()
        if isinstance(text, Text):
            found.add(text.template)
            rest += text.values.values()
        elif isinstance(text, Joined):
            rest += text.items
    return found


UNSAID = {
    "there is no exchange rate",  # the package's own catalogue has one
    "it is not what is wanted here",  # pydantic has errors that no field of ours can meet
    "a provider for Kubernetes",  # handed in beside a cluster that is to be made: by a program's options alone
    "it must be less than {limit}",
    "it must hold at most {limit}",
    "can: {word!r} is nothing that a cloud can be asked for; {among}",  # of another package's rows
    "use_heterogeneous_vocab is for the method draft_model alone",  # of pairs of models
    "use_heterogeneous_vocab samples greedily alone",  # of pairs of models
    "what guesses is cut into {parts} parts, and the model into {gpus}",  # of pairs of models
    "{key} is for synthetic rejection alone",  # of pairs of models
    "{small} has a vocabulary of {words} and {model} one of {others}",  # of pairs of models
}
"""What no input of today's spec leads to."""


def sentences() -> Iterator[tuple[str, str]]:
    for file in files():
        for text in TOOL.texts_of(file.read_text(encoding="utf-8")):
            if text not in UNSAID and len(re.findall(r"[A-Za-z]+", re.sub(r"\{[^{}]*\}", "", text))) > 2:
                yield file.name, text


@pytest.mark.parametrize(("module", "text"), sorted(set(sentences())))
def test_what_a_module_can_say_is_said_of_some_input(module: str, text: str) -> None:
    assert text in said(), module
