from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pulumi_llm._plan import project as projects
from pulumi_llm._simcloud import mirror
from pulumi_llm.errors import Refusal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "stacks").mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text("name: shop\nruntime: python\nmain: stacks\nstackConfigDir: stacks\n")
    return folder


def synced(root: Path, shipped: str | None = None) -> mirror.StackCopy:
    """The copy of the stack `dev`, after its shipped file was set to `shipped`."""
    source = root / "stacks" / "Pulumi.dev.yaml"
    if shipped is not None:
        source.write_text(shipped)
    return mirror.mirror_stack(projects.find(root), root.parent / "mirror", "dev", source)


def set_in_simulation(copied: mirror.StackCopy, key: str, value: Any) -> None:
    document = projects.read_yaml(copied.path)
    document.setdefault("config", {})[key] = value
    mirror.write_yaml(copied.path, document)


def test_a_project_is_found_from_a_folder_below_it(root: Path) -> None:
    assert projects.find(root / "stacks").folder == root


def test_a_folder_without_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"project\.not-found"):
        projects.find(tmp_path)


@pytest.mark.parametrize(
    "text", ["name: [", "- a list", "name: only", "runtime: python", pytest.param("name: " + "[" * 20_000, id="nested")]
)
def test_a_project_file_that_makes_no_sense_is_refused(root: Path, text: str) -> None:
    (root / "Pulumi.yaml").write_text(text)
    with pytest.raises(Refusal, match=r"project\.(not-yaml|unreadable)"):
        projects.find(root)


def test_stack_files_are_found_in_the_folder_that_the_project_names(root: Path) -> None:
    (root / "stacks" / "Pulumi.dev.yaml").write_text("")
    (root / "Pulumi.elsewhere.yaml").write_text("")
    assert projects.find(root).stacks() == ["dev"]


def test_stack_files_lie_beside_the_project_file_by_default(root: Path) -> None:
    (root / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (root / "Pulumi.dev.yaml").write_text("")
    assert projects.find(root).stacks() == ["dev"]


def test_the_mirror_runs_the_users_program_where_it_lies(root: Path, tmp_path: Path) -> None:
    mirror.mirror_project(projects.find(root), tmp_path / "mirror", {"aws": tmp_path / "bin"})
    document = projects.read_yaml(tmp_path / "mirror" / "Pulumi.yaml")
    assert document["main"] == str(root / "stacks")
    assert "stackConfigDir" not in document


def test_the_mirror_rebases_local_plugins_and_packages(root: Path, tmp_path: Path) -> None:
    with (root / "Pulumi.yaml").open("a") as file:
        file.write("plugins: {providers: [{name: x, path: ./x}]}\n")
        file.write("packages: {a: ./a, b: {source: ../b}, c: registry/c, d: {source: d}}\n")
    mirror.mirror_project(projects.find(root), tmp_path / "mirror", {"aws": tmp_path / "bin"})
    document = projects.read_yaml(tmp_path / "mirror" / "Pulumi.yaml")
    assert document["plugins"]["providers"] == [
        {"name": "aws", "path": str(tmp_path / "bin")},
        {"name": "x", "path": str(root / "x")},
    ]
    assert document["packages"] == {
        "a": str(root / "a"),
        "b": {"source": str(root.parent / "b")},
        "c": "registry/c",
        "d": {"source": "d"},
    }


def test_a_real_plugin_that_the_project_names_is_not_used_in_place_of_a_simulated_one(
    root: Path, tmp_path: Path
) -> None:
    with (root / "Pulumi.yaml").open("a") as file:
        file.write("plugins: {providers: [{name: aws, path: ./real}]}\n")
    mirror.mirror_project(projects.find(root), tmp_path / "mirror", {"aws": tmp_path / "bin"})
    document = projects.read_yaml(tmp_path / "mirror" / "Pulumi.yaml")
    assert document["plugins"]["providers"] == [{"name": "aws", "path": str(tmp_path / "bin")}]


def test_the_users_stack_file_is_left_as_it_is(root: Path) -> None:
    text = "# mine\nencryptionsalt: v1:abc\nconfig:\n  shop:size: 1   # small\n"
    synced(root, text)
    assert (root / "stacks" / "Pulumi.dev.yaml").read_text() == text


def test_a_copy_has_the_shipped_values_under_full_names(root: Path) -> None:
    assert synced(root, "config: {size: 1, aws:region: eu-west-1}").config == {
        "shop:size": 1,
        "aws:region": "eu-west-1",
    }


def test_scalars_are_read_as_the_engine_reads_them(root: Path) -> None:
    copied = synced(root, "config: {a: yes, b: true, c: 8:30, d: 2026-01-01, e: 010, f: 1.5, g: ~, h: 0x1f}")
    assert projects.read_yaml(copied.path)["config"] == {
        "shop:a": "yes",
        "shop:b": True,
        "shop:c": "8:30",
        "shop:d": "2026-01-01 00:00:00 +0000 UTC",
        "shop:e": 8,
        "shop:f": 1.5,
        "shop:g": None,
        "shop:h": 31,
    }


def test_what_was_set_in_the_simulation_stays(root: Path) -> None:
    set_in_simulation(synced(root, "config: {size: 1}"), "shop:colour", "red")
    assert synced(root).config == {"shop:size": 1, "shop:colour": "red"}


def test_a_value_changed_in_the_simulation_stays(root: Path) -> None:
    set_in_simulation(synced(root, "config: {size: 1}"), "shop:size", 5)
    assert synced(root).config == {"shop:size": 5}


def test_an_edit_of_the_users_file_is_seen(root: Path) -> None:
    synced(root, "config: {shop:platform: {server: {gpu: T4, count: 1}}}")
    copied = synced(root, "config: {shop:platform: {server: {gpu: A100, count: 1}}}")
    assert copied.config == {"shop:platform": {"server": {"gpu": "A100", "count": 1}}}


def test_an_edit_of_one_leaf_keeps_what_was_set_in_another(root: Path) -> None:
    copied = synced(root, "config: {shop:platform: {gpu: T4, count: 1}}")
    set_in_simulation(copied, "shop:platform", {"gpu": "T4", "count": 9})
    assert synced(root, "config: {shop:platform: {gpu: A100, count: 1}}").config == {
        "shop:platform": {"gpu": "A100", "count": 9}
    }


def test_the_users_later_edit_wins_over_what_was_set(root: Path) -> None:
    set_in_simulation(synced(root, "config: {size: 1}"), "shop:size", 5)
    assert synced(root, "config: {size: 2}").config == {"shop:size": 2}


def test_a_value_that_the_user_removed_is_gone(root: Path) -> None:
    synced(root, "config: {size: 1, colour: red}")
    assert synced(root, "config: {size: 1}").config == {"shop:size": 1}


def test_a_value_removed_in_the_simulation_stays_away(root: Path) -> None:
    copied = synced(root, "config: {size: 1, colour: red}")
    mirror.write_yaml(copied.path, {"config": {"shop:size": 1}})
    assert synced(root).config == {"shop:size": 1}


def test_the_simulations_own_salt_stays_and_the_users_is_not_copied(root: Path) -> None:
    copied = synced(root, "encryptionsalt: theirs\nsecretsprovider: awskms://x\nconfig: {size: 1}\n")
    assert set(projects.read_yaml(copied.path)) == {"config"}
    mirror.write_yaml(copied.path, {"encryptionsalt": "ours", **projects.read_yaml(copied.path)})
    synced(root)
    assert projects.read_yaml(copied.path)["encryptionsalt"] == "ours"


def test_values_that_only_the_real_stack_can_decrypt_are_withheld(root: Path) -> None:
    copied = synced(root, "config: {token: {secure: v1:x}, a: {b: {secure: v1:y}, c: 1}, l: [{secure: v1:z}]}")
    assert copied.withheld == ["shop:token", "shop:a.b"]
    assert copied.config == {"shop:a": {"c": 1}, "shop:l": ["simulated-shop:l"]}
    assert "v1:" not in copied.path.read_text()


def test_a_secret_set_in_the_simulation_outlives_the_users_encrypted_one(root: Path) -> None:
    set_in_simulation(synced(root, "config: {token: {secure: v1:x}}"), "shop:token", {"secure": "v1:ours"})
    assert synced(root).config == {"shop:token": {"secure": "v1:ours"}}


def test_a_secret_with_a_default_need_not_be_set(root: Path) -> None:
    (root / "Pulumi.yaml").write_text(
        "name: shop\nruntime: python\nconfig:\n"
        "  must: {type: string, secret: true}\n"
        "  may: {secret: true, default: ''}\n"
        "  plain: {type: string}\n"
        "  other:must: {type: string, secret: true}\n"
    )
    assert projects.find(root).declared_secrets == ["shop:must", "other:must"]


@pytest.mark.parametrize(("path", "known"), [("a", True), ("b.c", True), ("b.d", False), ("a.b", False), ("z", False)])
def test_a_value_is_looked_up_by_its_path(path: str, known: bool) -> None:
    assert mirror.has_value({"a": 1, "b": {"c": 2}}, path) is known
