"""The same question to gpuhunt and to SkyPilot: which machines have a T4, on AWS, cheapest first.

Each is asked in a cold process, as `pulumi-llm offers` is. Both download their catalogue, from S3 and from GitHub. As
these may be out of reach, and so that all answer from the same rows, each is given ours for AWS in its own format.
Each is installed into an environment of its own, `bench/<name>` in the folder of the fetched programs, from the Python
package index; where that cannot be done, this says so.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench._ratio import alternately, report
from pulumi_llm import catalog
from pulumi_llm.catalog import Offer

ROOT = Path(__file__).parents[1]
RUNS = 5
QUESTION = ("offers", "--gpu", "T4", "--count", "1", "--cloud", "aws", "--currency", "USD", "--all")


@dataclass(frozen=True)
class Peer:
    """Another program that knows machines and prices."""

    name: str
    pinned: str
    catalogue: str
    """Where its own catalogue is; some address that answers where that can be had."""
    write: Callable[[Path], dict[str, str]]
    """Write our rows for it into a folder; what its environment needs for finding them."""
    ask: str
    """The Python program that asks it and prints type, region and price of each answer."""


def main() -> None:
    peers = {
        "gpuhunt": GPUHUNT,
        "SkyPilot": Peer(
            "SkyPilot",
            "skypilot==0.14.1",
            "https://raw.githubusercontent.com/skypilot-org/skypilot-catalog/master/catalogs/v8/aws/vms.csv",
            _for_skypilot,
            "from sky import catalog\n"
            "found = catalog.list_accelerators(gpus_only=True, name_filter='^T4$', quantity_filter=1, clouds='aws',"
            " all_regions=True)\n"
            "rows = sorted(((i.price, i.instance_type, i.region) for each in found.values() for i in each))\n"
            "for price, name, region in rows: print(name, region, price)\n",
        ),
    }
    for peer in peers.values():
        _compare(peer)


def _compare(peer: Peer) -> None:
    own = "can be had" if _reachable(peer.catalogue) else "cannot be had here"
    python = _installed(peer)
    if python is None:
        print(f"{peer.name}: not compared, as {peer.pinned} could not be installed", flush=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "HOME": folder, **peer.write(Path(folder))}
        command = [str(python), "-c", peer.ask]
        quiet = subprocess.DEVNULL
        answer = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        if answer.returncode or not answer.stdout.strip():
            said = (answer.stderr.strip() or "nothing").splitlines()[-1]
            print(f"{peer.name}: not compared, as it did not answer from our rows: {said[:200]}", flush=True)
            return
        told = {(name, region) for name, region, _ in map(str.split, answer.stdout.splitlines())}
        ours = {(each.instance.instance_type, each.region) for each in _offers() if _asked_for(each)}
        common, apart = len(told & ours), len(told ^ ours)
        agree = "the same machines" if not apart else f"{common} machines in common, {apart} not"
        of_ours, of_theirs = alternately(
            lambda: subprocess.run([sys.executable, "-m", "pulumi_llm.cli", *QUESTION], stdout=quiet, check=True),
            lambda: subprocess.run(command, env=environment, cwd=folder, stdout=quiet, stderr=quiet, check=True),
            RUNS,
        )
    report(
        f"CPU of a cold `offers` / of {peer.pinned} asked the same of the same rows",
        of_ours.cpu / of_theirs.cpu,
        1.0,
        f"{of_ours.cpu:.2f} s / {of_theirs.cpu:.2f} s; {agree}; its own catalogue {own}",
    )


def _reachable(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.read(1))
    except OSError:
        return False


def _installed(peer: Peer) -> Path | None:
    """The Python of the peer's environment, made where it is not there yet; None where it cannot be made."""
    tools = Path(os.environ.get("PULUMI_LLM_TOOLS") or ROOT / ".tools")
    folder = tools / "bench" / peer.name.lower()
    python, done = folder / "bin" / "python", folder / peer.pinned
    if done.is_file():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{peer.name}: installing {peer.pinned} into {folder}, once", file=sys.stderr, flush=True)
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", peer.pinned],
    ):
        if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
            return None
    done.touch()
    return python


def _offers() -> list[Offer]:
    """Everything with a GPU and a price on AWS."""
    return [each for each in catalog.load().offers(cloud="aws") if each.price is not None and each.instance.gpu]


def _asked_for(offer: Offer) -> bool:
    return (offer.instance.gpu, offer.instance.gpu_count) == ("T4", 1)


def _for_gpuhunt(folder: Path) -> dict[str, str]:
    gpus = catalog.load().gpus
    rows = [
        {
            "instance_name": each.instance.instance_type,
            "location": each.region,
            "price": each.price.amount if each.price else "",
            "cpu": int(each.instance.vcpu),
            "memory": each.instance.memory_gib,
            "gpu_count": each.instance.gpu_count,
            "gpu_name": each.instance.gpu,
            "gpu_memory": round(gpus[str(each.instance.gpu)].memory_gib),
            "spot": "False",
            "disk_size": "",
            "gpu_vendor": "nvidia",
            "flags": "",
            "cpu_arch": "arm" if each.instance.arch == "arm64" else "x86",
            "provider_data": "{}",
        }
        for each in _offers()
    ]
    _write(folder / "aws.csv", rows)
    return {"GPUHUNT_CATALOG_DIR": str(folder)}


def _for_skypilot(folder: Path) -> dict[str, str]:
    gpus = catalog.load().gpus
    rows = []
    for each in _offers():
        memory = {"SizeInMiB": round(gpus[str(each.instance.gpu)].memory_gib * 1024)}
        rows.append(
            {
                "InstanceType": each.instance.instance_type,
                "AcceleratorName": each.instance.gpu,
                "AcceleratorCount": each.instance.gpu_count,
                "vCPUs": each.instance.vcpu,
                "MemoryGiB": each.instance.memory_gib,
                "GpuInfo": {"Gpus": [{"MemoryInfo": memory}]},
                "Price": each.price.amount if each.price else "",
                "SpotPrice": "",
                "Region": each.region,
                "AvailabilityZone": f"{each.region}a",
                "Arch": each.instance.arch,
            }
        )
    place = folder / ".sky" / "catalogs" / "v8" / "aws"
    place.mkdir(parents=True)
    _write(place / "vms.csv", rows)
    return {"SKYPILOT_DISABLE_USAGE_COLLECTION": "1"}


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


GPUHUNT = Peer(
    "gpuhunt",
    "gpuhunt==0.1.34",
    "https://dstack-gpu-pricing.s3.eu-west-1.amazonaws.com/v3/aws/version",
    _for_gpuhunt,
    "from gpuhunt import Catalog\n"
    "found = Catalog(auto_reload=False).query(provider='aws', gpu_name='T4', min_gpu_count=1, max_gpu_count=1,"
    " spot=False)\n"
    "for each in found: print(each.instance_name, each.location, each.price)\n",
)


if __name__ == "__main__":
    main()
