"""What the operating system says of a file or a connection, in words that can be told in another language."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from pulumi_llm._texts import _

WORDS: Mapping[int, str] = {
    errno.EACCES: _("Permission denied"),
    errno.ECONNREFUSED: _("Connection refused"),
    errno.ECONNRESET: _("Connection reset by peer"),
    errno.EEXIST: _("File exists"),
    errno.EHOSTUNREACH: _("No route to host"),
    errno.EISDIR: _("Is a directory"),
    errno.ENAMETOOLONG: _("File name too long"),
    errno.ENETUNREACH: _("Network is unreachable"),
    errno.ENOENT: _("No such file or directory"),
    errno.ENOSPC: _("No space left on device"),
    errno.ENOTDIR: _("Not a directory"),
    errno.EROFS: _("Read-only file system"),
}
"""By number, as Linux words it (glibc 2.39, strerror)."""


def why(error: OSError) -> str:
    """The reason of an error, as the system words it; a reason of our own, or one that is not known here, as it is."""
    known = WORDS.get(error.errno or 0)
    return known if known is not None and error.strerror == known else error.strerror or str(error)
