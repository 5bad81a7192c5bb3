"""Files that a command writes for its caller: never through a symbolic link that somebody else put there."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from pulumi_llm._texts import _


def write_text(path: Path, text: str, *, below: Path | None = None) -> None:
    """Write a file whose folders are made where they are not there.

    A link in place of the file is not followed; a device such as /dev/stdout is written to. With ``below``, the folder
    that the caller named, nothing between it and the file may be a link either, or lead out of it.

    Raises:
        OSError: it cannot be written, or not without following a link (ELOOP).
    """
    if below is not None:
        inside = path.relative_to(below)
        if ".." in inside.parts:
            raise OSError(errno.EINVAL, _("it leads out of {below}", below=below))
        for length in range(1, len(inside.parts)):
            if below.joinpath(*inside.parts[:length]).is_symlink():
                raise OSError(errno.ELOOP, _("a folder on the way is a symbolic link, which is not followed"))
    path.parent.mkdir(parents=True, exist_ok=True)
    is_link = path.is_symlink()
    if is_link and (not path.exists() or stat.S_ISREG(path.stat().st_mode)):
        raise OSError(errno.ELOOP, _("it is a symbolic link, which is not followed"))
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | (0 if is_link else getattr(os, "O_NOFOLLOW", 0))
    with open(os.open(path, flags, 0o666), "w", encoding="utf-8") as file:  # noqa: PTH123 - of a descriptor
        file.write(text)
