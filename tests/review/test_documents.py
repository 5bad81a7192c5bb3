"""User data of other people's programs, compared file by file where that can be done."""

from __future__ import annotations

import pytest

from pulumi_llm._review.documents import files_in

INSTANCE = "aws:ec2/instance:Instance"


def test_user_data_is_told_file_by_file() -> None:
    text = "#cloud-config\nwrite_files:\n- path: /etc/motd\n  content: hello\n"
    assert files_in(INSTANCE, "userData", text)["/etc/motd"] == "hello"


@pytest.mark.parametrize(
    "rest",
    [
        "day: 2027-13-45",
        "a: [",
        "- a list",
        pytest.param("a: " + "[" * 20_000, id="nested"),
        pytest.param("a: " + "9" * 5000, id="long"),
    ],
)
def test_user_data_that_is_not_readable_is_one_text(rest: str) -> None:
    text = f"#cloud-config\n{rest}\n"
    assert files_in(INSTANCE, "userData", text) == {"cloud-config": text}
