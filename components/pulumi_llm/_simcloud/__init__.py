"""The simulated clouds: engine plugins for each cloud's package, and for command, random and tls.

They check a program as the real providers do (by the SDKs' own schemas and a table of facts), keep what it makes in
one file, and refuse what the clouds refuse, in the clouds' words. Nothing is bought and nothing is contacted.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .store import Record


def left_over(home: str | os.PathLike[str]) -> list[Record]:
    """What still exists in the simulated clouds of ``home``: nothing, after everything was destroyed.

    Values that a program keeps for itself (random values, keys, commands) count too: they are resources.
    """
    from pathlib import Path

    from .store import FILE, Store

    file = Path(home) / FILE
    return Store(file).everything() if file.exists() else []
