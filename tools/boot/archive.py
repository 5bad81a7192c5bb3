"""The machines' apt archive and container image: indexes, signatures, stand-in packages."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
from email.utils import formatdate
from pathlib import Path
from typing import Any

from authority import gpg

POCKETS = ("", "-updates", "-security")
NVIDIA_SMI = """\
#!/bin/sh
# Stands in for NVIDIA's, on a machine whose PCI bus says that it has GPUs.
# Where /etc/llm-boot/reboot-first is, the driver is of no use before the next boot.
if [ -e /etc/llm-boot/reboot-first ]; then
    read -r boot </proc/sys/kernel/random/boot_id
    [ -s /etc/llm-boot/reboot-first ] || echo "$boot" >/etc/llm-boot/reboot-first
    if [ "$(cat /etc/llm-boot/reboot-first)" = "$boot" ]; then
        echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18
    fi
fi
version=$(cat /usr/lib/llm-boot/driver 2>/dev/null) || {
    echo "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."; exit 9
}
number=0
for device in /sys/bus/pci/devices/*; do
    [ "$(cat "$device/class" 2>/dev/null)" = 0x030200 ] || continue
    case $* in
        *driver_version*) echo "$version" ;;
        -L) echo "GPU $number: a stand-in (UUID: GPU-$number)" ;;
    esac
    number=$((number + 1))
done
[ $number -gt 0 ] || { echo "No devices were found"; exit 6; }
"""


def real_packages(parts: dict[str, Any], versions: dict[str, Any]) -> list[str]:
    """What Debian has of that which a node asks for, and what stands behind the other names."""
    asked = [name for names in versions["packages"].values() if isinstance(names, list) for name in names]
    behind = [name for each in parts["stand_ins"].values() for name in each.get("depends", "").split(", ") if name]
    return sorted({*asked, *behind} - parts["stand_ins"].keys())


def make(root: Path, parts: dict[str, Any], versions: dict[str, Any], signing: Path) -> None:
    """Add the stand-ins to ``root/pool``, then index and sign."""
    kernel = os.uname().release
    driver = versions["driver"]
    rows = {name: parts["stand_ins"].get(name, {}) for name in parts["stand_ins"]}
    for pattern in (*driver["signed"], *driver["compiled"], *driver["nvswitch"]):
        rows.setdefault(pattern.format(kernel=kernel), {})
    for name, row in rows.items():
        files = {}
        if name.startswith("nvidia-headless"):
            files = {"usr/lib/llm-boot/driver": f"{driver['branch']}.95.05\n"}
        elif name.startswith("nvidia-utils"):
            files = {"usr/bin/nvidia-smi": NVIDIA_SMI}
        stand_in(root / "pool", name, row.get("depends", ""), files, row.get("links", {}))
    (root / "nvidia-smi").write_text(NVIDIA_SMI)
    (root / "nvidia-smi").chmod(0o755)
    index(root, parts["suite"], signing)


def stand_in(pool: Path, name: str, depends: str, files: dict[str, str], links: dict[str, str]) -> None:
    """A package with that name and next to nothing in it. ``links``: paths, and where each leads."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
            (root / path).chmod(0o755 if "/bin/" in path else 0o644)
        for path, target in links.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(target)
        control = f"Package: {name}\nVersion: 1.0-0standin\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\n"
        control += (f"Depends: {depends}\n" if depends else "") + "Description: stands in on a machine without a GPU\n"
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN/control").write_text(control)
        made = pool / f"{name}_1.0-0standin_all.deb"
        argv = ["dpkg-deb", "--root-owner-group", "--build", folder, str(made)]
        subprocess.run(argv, check=True, capture_output=True)


def index(root: Path, suite: str, signing: Path) -> None:
    """Packages and a signed InRelease for the suite and its pockets. All is in main; the other parts are empty."""
    entries = []
    for each in sorted((root / "pool").glob("*.deb")):
        control = subprocess.run(["dpkg-deb", "-f", each], check=True, capture_output=True, text=True).stdout
        data = each.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        entries.append(f"{control.rstrip()}\nFilename: pool/{each.name}\nSize: {len(data)}\nSHA256: {digest}\n")
    for pocket in POCKETS:
        folder = root / "dists" / (suite + pocket)
        rows = []
        for part in ("main", "restricted", "universe", "multiverse"):
            text = "\n".join(entries) if part == "main" and not pocket else ""
            for name, data in (("Packages", text.encode()), ("Packages.gz", gzip.compress(text.encode(), mtime=0))):
                path = folder / part / "binary-amd64" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                rows.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} {path.relative_to(folder)}")
        release = (
            f"Origin: booted-machines\nSuite: {suite}{pocket}\nCodename: {suite}{pocket}\n"
            f"Date: {formatdate(usegmt=True)}\n"
            "Architectures: amd64 all\nComponents: main restricted universe multiverse\nSHA256:\n"
            + "\n".join(rows)
            + "\n"
        )
        (folder / "InRelease").write_bytes(gpg(signing / "gnupg", "--clearsign", data=release.encode()))


def weaviate_image(root: Path, binary: Path, name: str) -> None:
    """The image that a registry serves under ``name``: ``manifest.json`` and ``blobs/sha256/*``."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for folder, mode in (("bin", 0o755), ("tmp", 0o1777), ("etc", 0o755), ("var", 0o755), ("var/lib", 0o755)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        entry = tarfile.TarInfo("bin/weaviate")
        entry.size, entry.mode = binary.stat().st_size, 0o755
        with binary.open("rb") as file:
            tar.addfile(entry, file)
    plain = layer.getvalue()
    packed = gzip.compress(plain, 1, mtime=0)
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Entrypoint": ["/bin/weaviate"],
                "Cmd": ["--host", "0.0.0.0", "--port", "8080", "--scheme", "http"],
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(plain).hexdigest()}"]},
        }
    ).encode()
    blobs = root / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    rows = []
    for kind, data in (("container.image.v1+json", config), ("image.rootfs.diff.tar.gzip", packed)):
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        media = f"application/vnd.docker.{kind}"
        rows.append({"mediaType": media, "size": len(data), "digest": f"sha256:{digest}"})
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": rows[0],
        "layers": rows[1:],
    }
    (root / "manifest.json").write_text(json.dumps(manifest))
    (root / "name").write_text(name)
