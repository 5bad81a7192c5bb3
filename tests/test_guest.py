"""The program of another folder, run in this process without a trace."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import pytest
from pulumi.runtime import rpc

from pulumi_llm._plan.guest import guest

SDK = """
from pulumi.runtime import ResourceModule, register_resource_module

class Mine(ResourceModule):
    def version(self): return None
    def construct(self, name, typ, urn): ...

register_resource_module("mine", "index", Mine())
"""


def test_what_was_imported_from_the_folder_is_imported_anew_from_the_next(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / str(number)
        (folder / "own_package").mkdir(parents=True)
        (folder / "own_package" / "__init__.py").write_text("from own_limits import LIMIT\n" + SDK, encoding="utf-8")
        (folder / "own_limits.py").write_text(f"LIMIT = {number}\n", encoding="utf-8")
    for number in (1, 2):
        with guest(tmp_path / str(number)):
            sys.path.insert(0, str(tmp_path / str(number)))
            importlib.invalidate_caches()
            assert number == importlib.import_module("own_package").LIMIT
            assert "mine:index" in rpc._RESOURCE_MODULES
        assert not {"own_package", "own_limits"} & set(sys.modules)
        assert str(tmp_path / str(number)) not in sys.path
        assert "mine:index" not in rpc._RESOURCE_MODULES


def test_the_environment_is_put_back_and_what_is_printed_goes_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_LLM_TEST", "before")
    with guest(tmp_path):
        os.environ["PULUMI_LLM_TEST"] = "changed"
        os.environ["PULUMI_LLM_TEST_NEW"] = "new"
        print("said by the program")
    assert os.environ["PULUMI_LLM_TEST"] == "before"
    assert "PULUMI_LLM_TEST_NEW" not in os.environ
    assert capsys.readouterr() == ("", "")
