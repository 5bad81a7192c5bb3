"""JSON and YAML from outside, and files that are written: bounded, and never through somebody else's link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pulumi_llm import _files, _json
from pulumi_llm._review import policy_settings
from pulumi_llm._review.documents import files_in
from pulumi_llm.errors import Refusal
from tests.yaml_rows import repeated

DEEP = "[" * 200 + "]" * 200


def test_json_that_is_too_deep_too_long_or_none_is_a_value_error() -> None:
    assert _json.loads("[" * 50 + "]" * 50)
    for text in (DEEP, "[" * 5000, "{"):
        with pytest.raises(ValueError, match=r"."):
            _json.loads(text)
    with pytest.raises(ValueError, match="longer"):
        _json.loads("[1, 2, 3]", largest=5)


def test_a_policy_file_whose_aliases_stand_for_too_much_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(f"rules: {repeated(9, 9)}\n")
    with pytest.raises(Refusal, match=r"policy\.unreadable"):
        policy_settings.read(file)


def test_user_data_whose_aliases_stand_for_too_much_is_shown_as_it_is() -> None:
    text = f"#cloud-config\nlevels: {repeated(9, 9)}\n"
    assert list(files_in("aws:ec2/instance:Instance", "userData", text).values()) == [text]


def test_a_file_is_written_and_written_again(tmp_path: Path) -> None:
    for text in ("a longer text", "short"):
        _files.write_text(tmp_path / "new" / "file", text, below=tmp_path)
        assert (tmp_path / "new" / "file").read_text() == text


@pytest.mark.parametrize("there", [True, False])
def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path, there: bool) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    if there:
        target.write_text("precious")
    link.symlink_to(target)
    with pytest.raises(OSError, match="symbolic link"):
        _files.write_text(link, "x")
    assert target.read_text() == "precious" if there else not target.exists()


def test_a_link_or_a_way_out_on_the_way_is_not_followed(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "machine").symlink_to(elsewhere)
    for path in (out / "machine" / "user-data.yaml", out / ".." / "elsewhere" / "user-data.yaml"):
        with pytest.raises(OSError, match=r"."):
            _files.write_text(path, "x", below=out)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no such device here")
def test_a_device_is_written_to() -> None:
    _files.write_text(Path(os.devnull), "x")
