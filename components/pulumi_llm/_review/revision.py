"""The files of a project as they were at a git revision, in a folder of their own."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _, either
from pulumi_llm.errors import Finding, Refusal, nearest

_LOCAL = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")
"""Set where a git hook calls us, and then about another folder than the one that is asked about."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit of the repository at ``top``; ``prefix`` is the project's folder inside it, or the empty text."""

    name: str
    commit: str
    top: Path
    prefix: str


def find(name: str, folder: Path) -> Revision:
    """The commit that ``name`` means in the repository around ``folder``.

    Raises :class:`Refusal` (``bill.no-such-revision``) where there is no git, no repository or no such commit.
    """
    inside = _git(folder, "rev-parse", "--show-toplevel", "--show-prefix")
    if inside.returncode != 0:
        raise _unknown(
            name, _("{folder} is not in a git repository", folder=folder), _("the path of a file that `--json` wrote")
        )
    found = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if found.returncode != 0:
        known = _git(folder, "for-each-ref", "--format=%(refname:short)").stdout.split()
        near = nearest(name, known)
        hint = (
            _("did you mean {names}?", names=either(near))
            if near
            else _("a branch, a tag, a commit, or a file of `--json`")
        )
        raise _unknown(name, _("it is neither a file nor a commit of this repository"), hint)
    top, prefix = [*inside.stdout.splitlines(), ""][:2]
    return Revision(name, found.stdout.strip(), Path(top), prefix.rstrip("/"))


def has(revision: Revision, path: str) -> bool:
    """Whether the revision has a file at ``path``, seen from the repository's top."""
    return _git(revision.top, "cat-file", "-e", f"{revision.commit}:{path}").returncode == 0


def same(revision: Revision, folders: Sequence[Path]) -> bool:
    """Whether the folders, inside the repository, are now as they were at the revision, files new to git included."""
    if not folders:
        return True
    names = [each.relative_to(revision.top.resolve()).as_posix() for each in folders]
    changed = _git(revision.top, "diff", "--quiet", "--no-ext-diff", revision.commit, "--", *names)
    new = _git(revision.top, "ls-files", "--others", "--exclude-standard", "--", *names)
    return changed.returncode == 0 and new.returncode == 0 and not new.stdout.strip()


@contextmanager
def files_of(revision: Revision) -> Iterator[Path]:
    """The project's folder as it was at ``revision``, for as long as the context lasts.

    Neither the repository's index nor its work tree is touched. Raises :class:`Refusal` (``bill.not-in-revision``)
    where the project's folder was not there yet.
    """
    with tempfile.TemporaryDirectory(prefix="pulumi-llm-base-") as name:
        scratch, target = Path(name) / "index", Path(name) / "project"
        target.mkdir()
        tree = f"{revision.commit}:{revision.prefix}"
        for arguments in (("read-tree", tree), ("checkout-index", "--all", "--quiet", f"--prefix={target}/")):
            # At the top: in a folder below it, git would take out only what is in that folder.
            done = _git(revision.top, *arguments, index=scratch)
            if done.returncode != 0:
                place = revision.prefix or _("its top folder")
                said = done.stderr.strip().splitlines()
                raise Refusal(
                    [
                        Finding(
                            "bill.not-in-revision",
                            _(
                                "{place} cannot be had from {revision}: {note}",
                                place=place,
                                revision=revision.name,
                                note=said[-1] if said else _("git says nothing"),
                            ),
                            _("a revision in which the project is in the same folder"),
                        )
                    ]
                )
        yield target


def _git(folder: Path, *arguments: str, index: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key not in _LOCAL}
    # Large files are not needed to plan, and fetching them could ask for a network.
    environment |= {"GIT_LFS_SKIP_SMUDGE": "1", "LC_ALL": "C"}
    if index is not None:
        environment["GIT_INDEX_FILE"] = str(index)
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            check=False,
        )
    except OSError:
        raise Refusal(
            [
                Finding(
                    "bill.no-git",
                    _("a revision is to be compared with, and there is no git on PATH"),
                    _("install git, or compare with a file of `--json`"),
                )
            ]
        ) from None


def _unknown(name: str, why: str, hint: str) -> Refusal:
    return Refusal(
        [Finding("bill.no-such-revision", _("cannot compare with {name!r}: {why}", name=name, why=why), hint)]
    )
