"""What was made of a text, kept where Python keeps modules' code: in a `__pycache__`, and under the same switches.

To compile the templates of a stack, to squeeze its nodes' first code, to parse the roles' files and to take a dozen
classes out of an SDK's thousands is a tenth of a plan, and all of it follows from texts that seldom change. Files
beside this module's own code have it all, each thing under the digest of what it was made of, and of what made it. They
are in the format of Python's own code, and are as much trusted as the modules' files beside them. One that cannot be
read or written, or is of another Python, is as none.
"""

from __future__ import annotations

import atexit
import contextlib
import marshal
import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

Made = TypeVar("Made")
MOST = 400
"""Things that are kept. A checkout whose texts change fills it up; then the oldest go."""


def kept(kind: str, made_of: tuple[object, ...], make: Callable[[], Made], *, apart: str = "kept") -> Made:
    """What ``make`` makes: code, a text, or plain data that nobody changes. ``apart``: a file of its own.

    It has to follow from ``kind`` and ``made_of`` alone, whose representation says all about them: the texts, and the
    release or :func:`source` of whatever reads them. What ``make`` raises is raised.
    """
    file = _file(apart)
    if file is None:
        return make()
    digest = sha256(MAGIC_NUMBER + repr((kind, *made_of)).encode("utf-8", "surrogatepass")).digest()
    known = _known(file)
    if digest not in known:
        made = make()
        _later(file)
        known[digest] = made
    found: Made = known[digest]
    return found


@cache
def source(module: ModuleType) -> str:
    """The digest of a module's text, which stands for what it does. One without a file is another at each start."""
    try:
        return sha256(Path(str(module.__file__)).read_bytes()).hexdigest()
    except OSError:
        return os.urandom(8).hex()


@cache
def _file(name: str = "kept") -> Path | None:
    try:
        return Path(cache_from_source(str(Path(__file__).with_name(f"{name}.py"))))
    except NotImplementedError:  # a Python without such files
        return None


@cache
def _known(file: Path) -> dict[bytes, Any]:
    try:
        found = marshal.loads(file.read_bytes())  # noqa: S302 - in the folder of the modules' own code
    except (OSError, EOFError, ValueError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


@cache
def _later(file: Path) -> None:
    if not sys.dont_write_bytecode:
        atexit.register(_keep, file)  # all that a process made at once


def _keep(file: Path) -> None:
    known = _known(file)
    while len(known) > MOST:
        known.pop(next(iter(known)))
    # As Python does it: another process reads the old one or the new one whole.
    with contextlib.suppress(OSError, ValueError):
        content = marshal.dumps(known)
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as written:
                written.write(content)
            Path(name).replace(file)
        except OSError:
            Path(name).unlink()
