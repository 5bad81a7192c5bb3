"""A refreshed catalogue is written whole and sound, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pulumi_llm._refresh import store
from pulumi_llm._refresh.run import joined
from pulumi_llm.catalog import DATA, Catalog
from pulumi_llm.errors import Refusal
from tests.refresh.samples import ALIYUN_T4, SHIPPED, cny, seen


def amount(directory: Path) -> float:
    found = Catalog(directory).price("aliyun", ALIYUN_T4, "cn-hangzhou")
    assert found is not None
    return found.amount


def test_what_is_written_is_a_whole_sound_catalogue(tmp_path: Path) -> None:
    made = store.write(tmp_path / "data" / "catalog", [seen(price=cny(12.02))])
    assert made.problems() == []
    assert amount(tmp_path / "data" / "catalog") == 12.02
    assert made.models == SHIPPED.models


def test_what_the_clouds_answered_is_kept_with_its_stock(tmp_path: Path) -> None:
    told = [seen(price=cny(12.02), zones={"cn-hangzhou-h": "sold-out"})]
    store.write(tmp_path / "catalog", told)
    assert store.observations_in(tmp_path / "catalog") == told


def test_a_second_one_takes_the_place_of_the_first_and_leaves_nothing_beside(tmp_path: Path) -> None:
    store.write(tmp_path / "catalog", [seen(price=cny(12.02))])
    store.write(tmp_path / "catalog", [seen(price=cny(12.5))])
    assert amount(tmp_path / "catalog") == 12.5
    assert [each.name for each in tmp_path.iterdir()] == ["catalog"]


def test_where_folders_cannot_be_exchanged_in_one_step_it_is_done_in_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(tmp_path / "catalog", [seen(price=cny(12.02))])
    monkeypatch.setattr(store, "_exchange", lambda one, other: False)
    store.write(tmp_path / "catalog", [seen(price=cny(12.5))])
    assert amount(tmp_path / "catalog") == 12.5
    assert [each.name for each in tmp_path.iterdir()] == ["catalog"]


def test_if_the_second_step_fails_the_older_one_is_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(tmp_path / "catalog", [seen(price=cny(12.02))])
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "catalog" and self.parent != tmp_path:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(store, "_exchange", lambda one, other: False)
    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(Refusal, match=r"refresh\.not-written"):
        store.write(tmp_path / "catalog", [seen(price=cny(12.5))])
    assert amount(tmp_path / "catalog") == 12.02


def test_a_catalogue_that_its_checks_refuse_does_not_replace_the_older_one(tmp_path: Path) -> None:
    store.write(tmp_path / "catalog", [seen(price=cny(12.02))])
    with pytest.raises(Refusal) as refused:
        store.write(tmp_path / "catalog", [seen(price=cny(9000.0))])
    assert refused.value.findings[0].code == "refresh.broken-result"
    assert "9000.0 CNY per hour is out of all proportion" in refused.value.findings[0].message
    assert amount(tmp_path / "catalog") == 12.02
    assert [each.name for each in tmp_path.iterdir()] == ["catalog"]


def test_a_folder_with_other_things_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(Refusal, match=r"refresh\.foreign-folder"):
        store.write(tmp_path, [seen()])
    assert (tmp_path / "letters.txt").read_text() == "dear"


def test_the_package_s_own_data_is_not_replaced() -> None:
    with pytest.raises(Refusal, match=r"refresh\.foreign-folder"):
        store.check_target(DATA)


def test_an_empty_folder_can_be_written_to(tmp_path: Path) -> None:
    store.write(tmp_path, [seen(price=cny(12.02))])
    assert amount(tmp_path) == 12.02


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refusal, match=r"refresh\.not-written"):
        store.write(tmp_path / "file" / "catalog", [seen()])


def test_a_broken_record_of_answers_is_told(tmp_path: Path) -> None:
    store.write(tmp_path / "catalog", [seen()])
    (tmp_path / "catalog" / store.OBSERVATIONS).write_text("{", encoding="utf-8")
    with pytest.raises(Refusal, match=r"catalog\.broken-file"):
        store.observations_in(tmp_path / "catalog")


def test_the_data_folder_is_the_user_s(monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.default_directory() == Path.home() / ".local/share/pulumi-llm/catalog"
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
    assert store.default_directory() == Path("/somewhere/pulumi-llm/catalog")


def test_the_version_whose_data_it_is_laid_over_is_told(tmp_path: Path) -> None:
    store.write(tmp_path / "catalog", [seen()])
    assert (
        store.made_with(tmp_path / "catalog")
        == json.loads((tmp_path / "catalog" / store.OBSERVATIONS).read_text())["made_with"]
    )
    assert store.made_with(DATA) is None


def test_answers_about_other_regions_are_kept_from_earlier() -> None:
    old, new = seen(region="cn-beijing", zones={"cn-beijing-a": "available"}), seen(price=cny(12.02))
    assert joined([old], [new]) == [old, new]


def test_a_price_that_is_not_answered_this_time_is_kept_with_its_own_date() -> None:
    old = seen(price=cny(12.02), source_date="2026-10-01")
    (kept,) = joined([old], [seen(zones={"cn-hangzhou-h": "sold-out"})])
    assert kept.price is not None
    assert (kept.price.amount, kept.price.day) == (12.02, "2026-10-01")
    assert kept.zones == {"cn-hangzhou-h": "sold-out"}
