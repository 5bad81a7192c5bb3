"""Locks of the wheels that booted nodes install, and what is changed in those of others."""

from __future__ import annotations

import base64
import email.parser
import hashlib
import json
import re
import zipfile
from pathlib import Path

import front


def for_any_python(file: Path) -> None:
    """Drop the Pythons that a wheel allows from its metadata: Open WebUI names none above 3.12; the image has 3.13."""
    new = file.with_suffix(".new")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        changed = next(each for each in old.namelist() if each.endswith(".dist-info/METADATA"))
        text = re.sub(r"^Requires-Python:.*\n", "", old.read(changed).decode(), flags=re.MULTILINE)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for each in old.infolist():
            data = old.read(each)
            if each.filename == changed:
                data = text.encode()
            elif each.filename.endswith(".dist-info/RECORD"):
                row = f"{changed},sha256={digest},{len(text.encode())}"
                data = re.sub(rf"^{re.escape(changed)},.*$", row, data.decode(), flags=re.MULTILINE).encode()
            made.writestr(each, data)
    new.replace(file)


def vllm_name(site_packages: Path, version: str) -> None:
    """Metadata alone: vLLM asks for the version of a package called vllm, and takes to CPUs where that ends in +cpu."""
    info = site_packages / f"vllm-{version}+cpu.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(front.metadata(f"{version}+cpu"))


def lock(root: Path) -> None:
    """``NAME.txt`` for each folder of wheels, and ``pins.json``: what templates/ has of them."""
    pins = {}
    for folder in sorted(each for each in root.iterdir() if each.is_dir()):
        rows, lines, unpacked = [], [], 0
        for each in sorted(folder.glob("*.whl")):
            digest = hashlib.sha256(each.read_bytes()).hexdigest()
            with zipfile.ZipFile(each) as wheel:
                entry = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
                told = email.parser.Parser().parsestr(wheel.read(entry).decode())
                unpacked += sum(-(-info.file_size // 4096) * 4096 for info in wheel.infolist())
            name = re.sub(r"[-_.]+", "-", told["Name"]).lower()
            rows.append(f"{name} {told['Version']} {digest}")
            lines.append(f"{name}=={told['Version']} --hash=sha256:{digest}\n")
        (root / f"{folder.name}.txt").write_text("".join(lines))
        pins[folder.name] = {
            "digest": hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest(),
            "count": len(rows),
            "download_bytes": sum(each.stat().st_size for each in folder.glob("*.whl")),
            "unpacked_bytes": unpacked,
        }
    (root / "pins.json").write_text(json.dumps(pins))
