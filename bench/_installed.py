"""The same Python packages with some of the clouds' SDKs left out, as if they had not been installed."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).parents[1]
SIX = (
    "ediri_vultr",
    "pulumi_azure_native",
    "pulumi_cloudflare",
    "pulumi_digitalocean",
    "pulumi_gcp",
    "pulumi_volcengine",
)
"""The SDKs of the clouds that came after the first three."""


def environment(folder: Path, without: Collection[str] = ()) -> dict[str, str]:
    """The environment of a process that finds all installed packages but these, when it is started with ``-S``.

    ``folder``: where links to them are made, those of their metadata too, which are read for entry points.
    """
    folder.mkdir()
    packages = Path(sysconfig.get_path("purelib"))
    lacking = [each for each in without if not (packages / each).is_dir()]
    if lacking:
        raise FileNotFoundError(f"not installed here, so that nothing would be left out: {', '.join(lacking)}")
    for each in packages.iterdir():
        name = each.name.partition("-")[0] if each.name.endswith(".dist-info") else each.name
        if name not in without and not each.name.endswith(".pth") and each.name != "__pycache__":
            (folder / each.name).symlink_to(each)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT / "components")])}
