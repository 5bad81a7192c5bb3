"""What a cloud's folder says of itself. Plain data: nothing here imports Pulumi or a cloud's SDK.

A folder is a Python package that holds `adapter.py` (its resources, the only part that imports the cloud's SDK),
`data/` (its facts, machines, prices, what its provider does, how it is judged), and where there is any, `simulated/`
(what the cloud refuses and answers, for `pulumi-llm sim`) and `refresh.py` (how its prices are asked for). Its
`__init__` gives a :class:`CloudFolder`, to which the entry point leads.
"""

from __future__ import annotations

import importlib
from dataclasses import field
from pathlib import Path
from types import ModuleType
from typing import Any

from pulumi_llm import _json
from pulumi_llm._dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshOption:
    """What a cloud has to be told for a refresh: ``--<cloud>-<name>``."""

    name: str
    choices: tuple[str, ...]
    help: str


@dataclass(frozen=True, kw_only=True)
class CloudFolder:
    """One cloud: its names, where its folder is, and how its provider finds its region."""

    name: str
    """As users write it: ``aliyun``."""
    package: str
    """The Pulumi package whose provider it uses: ``alicloud``."""
    sdk: str
    """The Python package of that: ``pulumi_alicloud``."""
    distribution: str
    """What pip calls it: ``pulumi-alicloud``."""
    module: str
    """The folder as Python imports it."""
    path: Path
    sells: bool = True
    """Whether machines are bought there. Otherwise they are the user's own: nothing of it is simulated, priced by rows,
    asked for prices or rehearsed."""
    provider_has_region: bool = True
    """Whether its provider is for one region. Otherwise each resource names its own, and many are of none at all."""
    region_variables: tuple[str, ...] = ()
    """Where its provider looks for a region that the program does not name."""
    fallback_region: str = ""
    """What its provider takes where no region is named at all; empty: it refuses."""
    credential_variables: tuple[str, ...] = ()
    """How the names of the variables start that hold its credentials. A simulation is not given them."""
    refresh_option: RefreshOption | None = None
    """What its `refresh` takes besides the scope."""
    _files: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def data(self) -> Path:
        """The folder with its rows."""
        return self.path / "data"

    def read(self, name: str) -> dict[str, Any]:
        """One of its own data files, read once; empty where it has none of that name. Not to be changed."""
        if name not in self._files:
            file = self.data / name
            self._files[name] = _json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        found: dict[str, Any] = self._files[name]
        return found

    def part(self, name: str) -> ModuleType | None:
        """A module of the folder, imported now: ``refresh``, ``simulated.lookups``. None where it has none."""
        at = self.path.joinpath(*name.split("."))
        if not at.with_suffix(".py").is_file() and not at.is_dir():
            return None
        return importlib.import_module(f"{self.module}.{name}")
