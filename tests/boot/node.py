"""One node without engine and cloud, for what breaks on it: rendered, booted, told its settings over SSH."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from llm_boot import variant
from llm_boot.machine import Machine, MachineSpec, ssh
from llm_boot.world import World
from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm._bootstrap.settings import digest as settings_digest
from pulumi_llm.roles import files as templates
from pulumi_llm.roles import registry
from tests.bootstrap.samples import gateway_of, gpu_node

ADDRESS = "203.0.113.1"
PATIENCE = 240
"""Seconds that anything may take; a wait ends as soon as it is there."""


def quiet_node(**changes: Any) -> bootstrap.NodeRequest:
    """The smallest node: a data disk, Caddy, the status page."""
    gateway = gateway_of(gpu_node())
    return gpu_node(roles=(replace(gateway, routes=(), keys=gateway.keys[:1]),), **changes)


@contextmanager
def of_booted_machines(folder: Path, parts: Path) -> Iterator[None]:
    """Render with the templates that booted machines get, and with the shipped ones again afterwards."""
    caches = [templates.templates, templates.text, templates.data, templates._compiled]

    def clear() -> None:
        for each in caches:
            each.cache_clear()
        registry.forget()

    made = variant.make(folder, parts)
    before = os.environ.get(templates.VARIABLE)
    os.environ[templates.VARIABLE] = str(made)
    clear()
    try:
        yield
    finally:
        if before is None:
            del os.environ[templates.VARIABLE]
        clear()


@cache
def key() -> tuple[str, str]:
    """A private key as a PEM text, and its public line."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ed25519

    made = ed25519.Ed25519PrivateKey.generate()
    private = made.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption()).decode()
    public = made.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH).decode()
    return private, public


@cache
def certificate() -> tuple[str, str]:
    """A certificate for the node's address, signed by itself, and its key; PEM."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "node")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ADDRESS))]), critical=False)
        .sign(private, hashes.SHA256())
    )
    plain = (form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    return made.public_bytes(form.Encoding.PEM).decode(), private.private_bytes(*plain).decode()


@dataclass
class Applied:
    """How an `apply` ended."""

    code: int
    said: str


class Node:
    """A machine that was rendered from one request."""

    def __init__(self, world: World, folder: Path, request: bootstrap.NodeRequest, **spec: Any) -> None:
        self.world, self.folder, self.request = world, folder, request
        with of_booted_machines(folder / "templates", world.parts):
            text, self.settings = bootstrap.user_data(request), bootstrap.settings(request)
        private, public = key()
        self.key = folder / "key"
        self.key.touch(mode=0o600)
        self.key.write_text(private)
        more = {"gpus": 1 if request.asked("vllm") else 0} | spec
        self.machine: Machine = world.machine(
            MachineSpec(name="node", user_data=text, login_user=request.login_user, public_key=public, **more)
        )
        self.machine.give_address(ADDRESS)

    def boot(self, disk: bool = True) -> Node:
        """Switch it on, by default with the data disk that its request asks for."""
        if disk and not self.machine.attached():
            self.machine.attach_disk(self.world.disk("data", self.request.data_disk_gib))
        self.machine.start()
        return self

    def impatient(self, seconds: int = 10) -> Node:
        """Let it call a source stalled or slow after so many seconds, in place of one or two minutes. Before `boot`."""
        file = self.machine.path("/etc/systemd/system.conf.d/impatient.conf")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"[Manager]\nDefaultEnvironment=LLM_STALL_SECONDS={seconds}\n")
        return self

    # -- what it says

    @property
    def status(self) -> dict[str, Any]:
        """The status document."""
        return dict(json.loads(self.machine.inside("cat", "/run/llm/status.json")))

    def stage(self, name: str) -> dict[str, Any]:
        """A stage's record; empty before it began, and while the machine is off."""
        leader = self.machine.leader
        try:
            return dict(json.loads(Path(f"/proc/{leader}/root/run/llm/stages/{name}.json").read_text()))
        except (OSError, ValueError):
            return {}

    def until(
        self, stage: str, state: str | None = None, code: str | None = None, seconds: float = PATIENCE
    ) -> dict[str, Any]:
        """Wait until a stage is in a state, or says a code; its record."""

        def holds() -> bool:
            now = self.stage(stage)
            return bool(now) and (state is None or now["state"] == state) and (code is None or now.get("code") == code)

        self.wait(holds, f"{stage} {state or ''} {code or ''}", seconds)
        return self.stage(stage)

    def wait(self, holds: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        """Wait until something holds, or fail with all that the machine says."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"{what} did not come within {seconds} s\n{self.story()}"
            time.sleep(0.1)

    def story(self) -> str:
        """All that it says, for a failure's message."""
        asked = "cat /run/llm/stages/*.json; journalctl -u 'llm-*' -n 60 -o cat --no-pager; systemctl list-jobs"
        inside = self.machine.inside("sh", "-c", asked, check=False) if self.machine.is_running else "it is off"
        return f"{inside[-6000:]}\n{self.machine.console(15)}"

    # -- what it is told

    def edit_settings(self, old: str, new: str) -> None:
        """Let other settings come next time, in which a text stands for another; nobody checks whether that is wise."""
        changed = json.loads(json.dumps(self.settings).replace(old, new))
        assert changed != self.settings, f"the settings do not hold {old}"
        self.settings = changed | {"digest": settings_digest(changed)}

    def over_ssh(self, line: str, stdin: str = "", seconds: float = 900) -> Applied:
        """Run a line over SSH, as pulumi-command would: dialling until the machine answers."""
        deadline = time.monotonic() + PATIENCE
        while True:
            asked = ssh(self.world.name, self.request.login_user, ADDRESS, self.key, line)
            done = subprocess.run(asked, input=stdin, capture_output=True, text=True, timeout=seconds, check=False)
            if done.returncode != 255:
                return Applied(done.returncode, done.stdout + done.stderr)
            assert time.monotonic() < deadline, f"SSH does not answer: {done.stderr}\n{self.story()}"
            time.sleep(1)

    def send_settings(self) -> None:
        """`llm-node stage`."""
        done = self.over_ssh(bootstrap.stage_command(), json.dumps(self.settings))
        assert done.code == 0, f"{done.said}\n{self.story()}"

    def secrets(self, **given: str) -> str:
        """The secrets document, with made-up secrets where none are given."""
        crt, private = certificate()
        names = self.settings["secrets"]["required"]
        made = {name: f"sk-made-up-{name}" for name in names} | {name: crt for name in names if name.endswith("_ca")}
        made |= {"tls_certificate": crt, "tls_private_key": private}
        return bootstrap.secrets_document(self.settings, made | given)

    def apply(self, minutes: int = 10, **given: str) -> Applied:
        """`llm-node apply`; it ends when the node is ready, or with a code."""
        self.send_settings()
        return self.over_ssh(bootstrap.apply_command(minutes), self.secrets(**given))

    @contextmanager
    def applying(self, minutes: int = 30, **given: str) -> Iterator[subprocess.Popen[str]]:
        """`llm-node apply` beside whatever is done meanwhile; it is ended with the block."""
        self.send_settings()
        asked = ssh(self.world.name, self.request.login_user, ADDRESS, self.key, bootstrap.apply_command(minutes))
        running = subprocess.Popen(
            asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert running.stdin is not None
        running.stdin.write(self.secrets(**given))
        running.stdin.close()
        try:
            yield running
        finally:
            running.kill()
            running.wait()
