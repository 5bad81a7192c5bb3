"""What people ask for as a GPU and is none of NVIDIA's: known by its name, and refused with what exists for it.

The rows hold where vLLM runs on it, each with the source that says so; nothing of this library runs there. TPUs that
have a row among the GPUs are found before one looks here.
"""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from pulumi_llm._texts import Text, _
from pulumi_llm.errors import Finding, Refusal

DATA = Path(__file__).parent / "data" / "accelerators.json"

_MAKER = re.compile(r"^(huawei|google|cloud|groq|amd|intel|habana|aws|amazon|cambricon)+")


@cache
def _rows() -> tuple[tuple[str, str, str | None], ...]:
    rows = json.loads(DATA.read_text(encoding="utf-8"))["rows"]
    return tuple((pattern, row["title"], row["runs"]) for row in rows for pattern in row["patterns"])


def refuse_accelerator(name: str) -> None:
    """Raise Refusal ``catalog.not-nvidia`` where ``name`` is that of an accelerator that is no NVIDIA GPU."""
    folded = re.sub(r"[^a-z0-9]", "", name.casefold())
    keys = (folded, _MAKER.sub("", folded))
    for pattern, title, runs in _rows():
        if any(fnmatchcase(key, pattern) for key in keys):
            message = _(
                "{name!r} is {title}: nodes here run vLLM on NVIDIA's driver and CUDA, and besides that on "
                "TPU-v6e alone",
                name=name,
                title=Text(title),
            )
            if runs is None:
                hint = _(
                    "a GPU that `pulumi-llm offers` lists; vLLM does not run on it, its maker serves models by an API"
                )
            else:
                hint = _(
                    "a GPU that `pulumi-llm offers` lists; vLLM runs on it with {runs}, on machines set up by hand",
                    runs=Text(runs),
                )
            raise Refusal([Finding("catalog.not-nvidia", message, hint)])
