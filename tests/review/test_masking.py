"""No secret is shown: not one of the configuration, of the environment, or of user data, however it is written."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import date
from typing import Any
from urllib.parse import quote

import pulumi
import pulumi_alicloud as alicloud
import pulumi_aws as aws
import pulumi_command as command
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_llm import catalog
from pulumi_llm._plan.capture import capture
from pulumi_llm._plan.forecast import Forecast
from pulumi_llm._plan.model import Plan
from pulumi_llm._review.comment import render
from pulumi_llm._review.masking import Masker, secrets_in, secrets_in_environment
from pulumi_llm._review.output import to_json
from pulumi_llm._review.stack_review import review

PLANTED = "Pl4nted/S3cret+Value=9f81"
OF_CONFIG = "cfg-7Hd82kLmQ0zX"
OF_ENVIRONMENT = "env:4Jw9!vTq-2026"
FORMS = [
    "sk-abcdefghijklmnop0123456789",
    "LTAI5tABCDEFGHIJKLMN",
    "hf_abcdefghijklmnopqrstuvwxyz",
    "AKIAABCDEFGHIJKLMNOP",
]


def shown(before: Any, after: Any, config: dict[str, str] | None = None, secret: tuple[str, ...] = ()) -> str:
    """The comment in both languages and the JSON, of a change from one program to another."""
    first = Forecast()
    plan = capture(before, config=config, secret_keys=secret, standing=first)
    plan.stand_ins = first.labels
    second = Forecast(plan)
    comparison = second.comparison(capture(after, config=config, secret_keys=secret, standing=second))
    found = review(
        comparison, catalog.load(), today=date(2026, 11, 25), environment={"SERVICE_API_KEY": OF_ENVIRONMENT}
    )
    return "\n".join(
        [render([found]), render([found], "zh"), json.dumps(to_json([found], None, []), ensure_ascii=False)]
    )


def written(value: str) -> list[str]:
    """A value in the ways in which it could be shown."""
    raw = value.encode()
    encoded = [base64.b64encode(b"x" * shift + raw + b"y" * 3).decode()[4:-6] for shift in range(3)]
    return [value, quote(value, safe=""), json.dumps(value)[1:-1], *encoded]


def machine(user_data: Any) -> None:
    aws.ec2.Instance(
        "m",
        ami="ami-1",
        instance_type="g4dn.xlarge",
        user_data=user_data,
        opts=pulumi.ResourceOptions(provider=aws.Provider("p", region="ap-northeast-1")),
    )


def test_a_secret_of_the_configuration_is_nowhere_shown() -> None:
    def program(version: int) -> Any:
        def run() -> None:
            secret = pulumi.Config().require_secret("token")
            command.local.Command(
                "c",
                create=pulumi.Output.concat("echo ", secret, "\nsecond line ", str(version)),
                environment={"NAME": f"{OF_CONFIG} {version}", "PASSWORD": secret},
            )
            machine(f"#cloud-config\nruncmd:\n- echo {OF_CONFIG}\n- echo {version}\n")

        return run

    text = shown(program(1), program(2), {"project:token": OF_CONFIG}, ("project:token",))
    assert "echo 2" in text
    assert [each for each in written(OF_CONFIG) if each in text] == []


def test_a_secret_of_the_environment_is_nowhere_shown() -> None:
    def program(version: int) -> Any:
        return lambda: machine(f"#!/bin/sh\ncurl -H x:{OF_ENVIRONMENT}\necho {version}\n")

    text = shown(program(1), program(2))
    assert "echo 2" in text
    assert [each for each in written(OF_ENVIRONMENT) if each in text] == []


@pytest.mark.parametrize("form", FORMS)
def test_what_looks_like_a_key_is_masked_in_user_data_though_nobody_marked_it(form: str) -> None:
    def program(version: int) -> Any:
        return lambda: machine(
            f"#cloud-config\nwrite_files:\n- path: /etc/a\n  content: |\n    k {form}\n    v {version}\n"
        )

    text = shown(program(1), program(2))
    assert "v 2" in text
    assert form not in text


def test_what_is_assigned_to_the_name_of_a_secret_is_masked() -> None:
    def program(value: str) -> Any:
        return lambda: machine(f"#!/bin/sh\nexport DB_PASSWORD='{value}'\necho on\n")

    text = shown(program("first-7Kd02mx"), program("second-7Kd02mx"))
    assert "7Kd02mx" not in text


def test_a_secret_in_packed_user_data_is_masked_after_unpacking() -> None:
    def program(version: int) -> Any:
        plain = f"#!/bin/sh\necho {PLANTED}\necho {version}\n"

        def run() -> None:
            command.local.Command("c", create="true", environment={"P": pulumi.Output.secret(PLANTED)})
            packed = base64.b64encode(gzip.compress(plain.encode(), mtime=0)).decode()
            alicloud.ecs.Instance(
                "m",
                instance_type="ecs.gn6i-c4g1.xlarge",
                image_id="x",
                vswitch_id="v",
                security_groups=["s"],
                user_data=packed,
                opts=pulumi.ResourceOptions(provider=alicloud.Provider("p", region="cn-hangzhou")),
            )

        return run

    text = shown(program(1), program(2))
    assert "echo 2" in text
    assert [each for each in written(PLANTED) if each in text] == []


def test_a_private_key_is_masked_as_a_whole() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7\nabcdef\n-----END RSA PRIVATE KEY-----"
    assert Masker().mask(f"a\n{key}\nb") == "a\n[secret]\nb"
    assert "MIIE" not in Masker().mask(key[:60])


@given(
    st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=8, max_size=40), st.text(max_size=9)
)
def test_a_known_value_is_found_however_it_is_written(value: str, around: str) -> None:
    masker = Masker([value])
    raw, beside = value.encode(), around.encode()
    for text in (value, json.dumps(value), quote(value, safe=""), base64.b64encode(raw).decode()):
        assert value not in masker.mask(f"{around}{text}{around}")
        assert text.strip('"') not in masker.mask(f"{around}{text}{around}")
    inside = base64.b64encode(beside + raw + beside).decode()
    kept = masker.mask(inside)
    assert "[secret]" in kept
    # What is left around the mask decodes to less than two characters of the value's ends.
    assert len(kept.replace("[secret]", "")) <= len(base64.b64encode(beside + beside)) + 12


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ('q"uote\\s-81', 'q"uote\\s-81'),
        ('q"uote\\s-81', 'q\\"uote\\\\s-81'),
        ('q"uote\\s-81', "q%22uote%5Cs-81"),
        ("two\nlines-81", "two\\nlines-81"),
        ("a+b/c=d&e", "a%2Bb%2Fc%3Dd%26e"),
        ("schlüssel-81", "schl\\u00fcssel-81"),
        ("schlüssel-81", "schl%C3%BCssel-81"),
        (" padded-81\n", "padded-81"),
    ],
)
def test_nothing_is_left_of_a_value_in_any_writing(value: str, form: str) -> None:
    assert Masker([value]).mask_values(f"<{form}>") == "<[secret]>"


@pytest.mark.parametrize("before", [0, 1, 2])
@pytest.mark.parametrize("size", range(9, 15))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_of_a_value_in_base64_no_more_is_left_than_its_neighbours_change(before: int, size: int, encode: Any) -> None:
    value = "~?>" * 5  # in base64 with a + or a / in each group
    value = value[:size]
    for after in (0, 1, 2, 3):
        text = encode(b"\0" * before + value.encode() + b"\xff" * after).decode()
        shown = Masker([value]).mask_values(text)
        left, right = shown.split("[secret]")
        assert len(left) == (0, 2, 3)[before]
        # Whole groups of four are known; one that the value fills in part may be left.
        aligned = (before + size) % 3 == 0
        assert len(right.rstrip("=")) <= (0 if aligned else 3) + -(-8 * after // 6) + (0 if aligned else 1)


def test_a_value_too_short_to_tell_from_a_word_is_not_looked_for() -> None:
    assert Masker(["abcdef"]).mask_values("abcdef abcde") == "[secret] abcde"
    assert Masker(["abcde"]).mask_values("abcde") == "abcde"
    assert Masker().mask_values("abcde") == "abcde"


def test_of_two_values_of_which_one_holds_the_other_the_longer_is_masked_whole() -> None:
    assert Masker(["middle", "the-middle-of-it"]).mask_values("the-middle-of-it, middle") == "[secret], [secret]"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password=hunter2hunter2", "password=[secret]"),
        ("api_key: hunter2hunter2 # it", "api_key: [secret] # it"),
        ("export SECRET='hunter2hunter2'", "export SECRET='[secret]'"),
        ("password=[secret]", "password=[secret]"),
        ("password=short", "password=short"),
    ],
)
def test_of_an_assignment_the_value_alone_is_masked(text: str, shown: str) -> None:
    assert Masker().mask(text) == shown


def test_words_beside_a_secret_in_an_object_are_no_secrets() -> None:
    def program() -> None:
        connection = command.remote.ConnectionArgs(
            host="203.0.113.9", user="ubuntu", private_key=pulumi.Output.secret(PLANTED)
        )
        command.remote.Command("c", connection=connection, create="true")

    found = secrets_in(capture(program))
    assert PLANTED in found
    assert not found & {"ubuntu", "203.0.113.9"}


def test_a_secret_in_a_list_is_nowhere_shown() -> None:
    def program(version: int) -> Any:
        def run() -> None:
            secret = pulumi.Output.secret(PLANTED)
            command.local.Command("c", create=f"echo {PLANTED}\necho {version}", triggers=["first", secret, version])

        return run

    text = shown(program(1), program(2))
    assert "echo 2" in text
    assert [each for each in written(PLANTED) if each in text] == []


MARK = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
"""Beside it, ``value`` is a secret: the engine's own mark (sdk/go/common/resource/sig/sig.go)."""


def marked(value: Any) -> dict[str, Any]:
    return {**MARK, "value": value}


@pytest.mark.parametrize(
    ("value", "secrets"),
    [
        pytest.param(marked("alone-81"), {"alone-81"}, id="by itself"),
        pytest.param(["plain-81", marked("in-a-list-81")], {"in-a-list-81"}, id="in a list"),
        pytest.param(("plain-81", marked("in-a-tuple-81")), {"in-a-tuple-81"}, id="in a tuple"),
        pytest.param([[{"a": [marked("deep-81")]}]], {"deep-81"}, id="in a list of lists"),
        pytest.param(marked(marked("twice-81")), {"twice-81"}, id="in a secret"),
        pytest.param(
            marked({"user": "ubuntu", "more": marked("in-secret-81")}), {"in-secret-81"}, id="in a secret's object"
        ),
        pytest.param(
            marked(["no-name-nor-length", marked("short"), "x"]),
            {"no-name-nor-length", "short"},
            id="in a secret's list",
        ),
        pytest.param(marked({"password": "short", "user": "short-2"}), {"short"}, id="by its name in a secret"),
        pytest.param(marked({"host": "203.0.113.9", "url": "https://example.com/a/long/path"}), set(), id="no secret"),
        pytest.param(marked({"text": "elevenchars"}), set(), id="too short to tell"),
        pytest.param(marked({"text": "twelve-chars"}), {"twelve-chars"}, id="long enough to tell"),
    ],
)
@pytest.mark.parametrize("place", ["outputs", "config"])
def test_a_secret_is_known_wherever_it_lies(place: str, value: Any, secrets: set[str]) -> None:
    assert secrets_in(Plan("p", "s", **{place: {"k": value}})) == secrets


@pytest.mark.parametrize("wrap", [dict, lambda inside: [inside]])
def test_what_is_in_a_secret_that_is_json_is_known_too(wrap: Any) -> None:
    text = json.dumps(wrap({"token": "abc-81", "port": "443"}))
    assert secrets_in(Plan("p", "s", outputs={"k": marked(text)})) == {text, "abc-81"}
    broken = text[:-1]
    assert secrets_in(Plan("p", "s", outputs={"k": marked(broken)})) == {broken}


def test_secrets_of_the_environment_are_known_by_their_names() -> None:
    environment = {
        "OPENAI_API_KEY": "abcdefgh",
        "HOME": "/home/user",
        "AWS_SECRET_ACCESS_KEY": "ijklmnop",
        "TOKEN": "x",
    }
    assert secrets_in_environment(environment) == {"abcdefgh", "ijklmnop"}


def test_a_placeholder_is_no_secret() -> None:
    plan = Plan(
        "p",
        "s",
        config={"p:k": {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "not-set"}},
    )
    assert secrets_in(plan) == set()
