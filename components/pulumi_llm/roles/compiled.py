"""Templates' compiled code, kept where Python keeps that of modules: in a `__pycache__`, and under the same switches.

To compile the templates of a stack is a thirtieth of its plan. Jinja's own cache (`BytecodeCache`) wants a loader and a
name for each template; ours are texts out of folders, wheels and other packages. So one file beside this module's own
has the code of all, each under the digest of its source. It is Python's own code format, and is as much trusted as the
modules' files beside it. A file that cannot be read or written, or is of another Python or Jinja, is as none.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import sys
import tempfile
from functools import cache
from hashlib import sha256
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

MOST = 300
"""Templates that are kept. A checkout whose templates change fills it up; then it begins anew."""


def compiled(environment: Environment, source: str) -> CodeType:
    """A template's code.

    Raises:
        jinja2.TemplateSyntaxError: it is no template.
    """
    import jinja2  # only where something is filled in

    file = _file()
    settings = (environment.trim_blocks, environment.lstrip_blocks, environment.keep_trailing_newline)
    digest = sha256(MAGIC_NUMBER + repr((jinja2.__version__, settings, source)).encode()).hexdigest()
    found = _kept(file).get(digest) if file else None
    if isinstance(found, CodeType):
        return found
    made = environment.compile(source)
    if file:
        _kept(file)[digest] = made
        _keep(file)
    return made


def _file() -> Path | None:
    try:
        return Path(cache_from_source(str(Path(__file__).with_name("templates.py"))))
    except NotImplementedError:  # a Python without such files
        return None


@cache
def _kept(file: Path) -> dict[str, CodeType]:
    try:
        found = marshal.loads(file.read_bytes())  # noqa: S302 - in the folder of the modules' own code
    except (OSError, EOFError, ValueError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _keep(file: Path) -> None:
    if sys.dont_write_bytecode:
        return
    kept = _kept(file)
    while len(kept) > MOST:
        kept.pop(next(iter(kept)))
    # As Python does it: another process reads the old one or the new one whole.
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as written:
                written.write(marshal.dumps(kept))
            Path(name).replace(file)
        except OSError:
            Path(name).unlink()
