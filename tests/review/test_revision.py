"""A project's files as they were at a git revision."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pulumi_llm._review import revision
from pulumi_llm.errors import Refusal


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A project in a folder of a repository; its file says `one` at the tag `first`, then `two`."""
    folder = tmp_path / "repository"
    project = folder / "infra" / "llm"
    project.mkdir(parents=True)
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(folder))
    for content, tag in (("one", "first"), ("two", "second")):
        (project / "Pulumi.yaml").write_text(content, encoding="utf-8")
        (folder / "beside.txt").write_text(content, encoding="utf-8")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", content)
        git(folder, "tag", tag)
    return folder


def test_folders_are_the_same_only_if_nothing_in_them_was_changed_or_added(repository: Path) -> None:
    found, project = revision.find("first", repository), repository.resolve() / "infra" / "llm"
    assert revision.same(found, [])
    assert not revision.same(found, [project])
    now = revision.find("second", repository)
    assert revision.same(now, [project])
    (repository / "beside.txt").write_text("three", encoding="utf-8")
    assert revision.same(now, [project])
    (project / "new.py").write_text("", encoding="utf-8")
    assert not revision.same(now, [project])


def refusal_code(name: str, folder: Path) -> str:
    with pytest.raises(Refusal) as refused:
        revision.find(name, folder)
    return refused.value.findings[0].code


@pytest.mark.parametrize(("name", "content"), [("first", "one"), ("HEAD", "two"), ("main~1", "one"), ("main", "two")])
def test_a_projects_files_are_those_of_the_revision(repository: Path, name: str, content: str) -> None:
    found = revision.find(name, repository / "infra" / "llm")
    with revision.files_of(found) as folder:
        assert (folder / "Pulumi.yaml").read_text(encoding="utf-8") == content
        assert [each.name for each in folder.iterdir()] == ["Pulumi.yaml"]
    assert not folder.exists()


def test_neither_index_nor_work_tree_is_touched(repository: Path) -> None:
    (repository / "infra" / "llm" / "Pulumi.yaml").write_text("staged", encoding="utf-8")
    git(repository, "add", "--all")
    (repository / "beside.txt").write_text("changed", encoding="utf-8")
    before = git(repository, "status", "--porcelain")
    with revision.files_of(revision.find("first", repository / "infra" / "llm")):
        pass
    assert git(repository, "status", "--porcelain") == before
    assert (repository / "beside.txt").read_text(encoding="utf-8") == "changed"


def test_a_git_hooks_environment_does_not_mislead(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    git(tmp_path, "init", "--quiet", str(other))
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    with revision.files_of(revision.find("first", repository / "infra" / "llm")) as folder:
        assert (folder / "Pulumi.yaml").is_file()


def test_a_revision_that_is_misspelt_gets_a_suggestion(repository: Path) -> None:
    with pytest.raises(Refusal) as refused:
        revision.find("frist", repository)
    assert refused.value.findings[0].code == "bill.no-such-revision"
    assert "first" in refused.value.findings[0].hint


@pytest.mark.parametrize("name", ["--help", "", "HEAD:infra", "0" * 40, "a b", "first..second"])
def test_what_names_no_commit_is_refused(repository: Path, name: str) -> None:
    assert refusal_code(name, repository) == "bill.no-such-revision"


def test_a_folder_in_no_repository_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert refusal_code("HEAD", tmp_path) == "bill.no-such-revision"


def test_a_folder_that_the_revision_does_not_have_is_refused(repository: Path) -> None:
    late = repository / "late"
    late.mkdir()
    found = revision.find("first", late)
    with pytest.raises(Refusal, match=r"bill\.not-in-revision"), revision.files_of(found):
        pass


def test_a_machine_without_git_is_told_so(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert refusal_code("HEAD", repository) == "bill.no-git"
