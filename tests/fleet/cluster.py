"""A real Kubernetes on loopback: etcd, API server, controllers, scheduler, and kwok, which plays the nodes.

``tools/fetch fleet`` builds the programs. In the pods nothing runs: kwok says of each that it does. What is real
is what Kubernetes decides: what is valid, who may, where a pod lands, what is made anew, what goes with what.
"""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fleet.api import Api, Object, Refused, until
from tests.gateway.front import free_port

CHECKOUT = Path(__file__).parents[2]
PROGRAMS = Path(os.environ.get("PULUMI_LLM_TOOLS", CHECKOUT / ".tools")) / "fleet"
NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "ray-operator")

LEASE = 24
"""Seconds that a played node's lease holds: kwok renews it each quarter, so 200 nodes ask 33 times a second."""
GRACE = 16
"""Seconds without a word from a node until the controllers call it lost. Real clusters have 50."""
EVICT = 2
"""Seconds that a pod stays on a lost node, where it says nothing of its own. Real clusters have 300."""


def is_built() -> bool:
    """Whether ``tools/fetch fleet`` was here."""
    return all((PROGRAMS / name).exists() for name in NAMES)


def _ends_with_its_parent() -> None:
    """In the child: should the tests be killed, this process ends too (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@dataclass
class Cluster:
    """A cluster that runs; its processes, and what talks to it."""

    folder: Path
    api: Api
    operator: Api
    """The same API, asked as KubeRay's operator: it may what its own role says."""
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig of the cluster's administrator."""
        return self.folder / "admin.kubeconfig"

    def start(self, name: str, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start one of the programs; its words go into ``NAME.log``."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(PROGRAMS / name), *arguments],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder,
                env={"PATH": os.defpath, "HOME": str(self.folder), **(environment or {})},
                preexec_fn=_ends_with_its_parent,
            )  # fmt: skip
        self.running.append(process)
        self.started.append(process)
        return process

    def stop(self, process: subprocess.Popen[bytes], patience: float = 5) -> None:
        """End one process of the cluster's own: asked first, then made to."""
        self.running.remove(process)
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @contextmanager
    def without_api(self) -> Iterator[None]:
        """The API server is away as long as the block lasts, and is then the same again: etcd keeps what it knew."""
        (server,) = [each for each in self.running if "kube-apiserver" in str(each.args)]
        arguments = [str(each) for each in server.args] if isinstance(server.args, list) else []
        self.stop(server, patience=20)
        try:
            yield
        finally:
            self.start("kube-apiserver", *arguments[1:])
            until(self.answers, "the API server is ready again", 120)

    def answers(self) -> bool:
        """Whether the API server is ready; fails where a program has ended."""
        self.alive()
        try:
            return self.api.authority.exists() and self.api.ask("GET", "/readyz") == "ok"
        except (OSError, Refused):
            return False

    def said(self, name: str, lines: int = 12) -> str:
        """The last lines of what a program said."""
        return "\n".join((self.folder / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])

    def alive(self) -> None:
        """Fail with a program's last words if one has ended."""
        for process in self.running:
            name = Path(str(process.args[0])).name if isinstance(process.args, list) else ""
            assert process.poll() is None, f"{name} has ended with {process.returncode}:\n{self.said(name)}"

    def add_nodes(self, nodes: list[Object]) -> None:
        """Make nodes, which kwok plays from then on, and wait until the scheduler may use them."""
        for node in nodes:
            self.api.apply(node)
        names = {node["metadata"]["name"] for node in nodes}
        until(lambda: names <= self.ready(), f"{len(names)} nodes are ready", 120)

    def play_alone(self, node: Object) -> subprocess.Popen[bytes]:
        """A node that a kwok of its own plays: when that ends, the node is silent."""
        name = node["metadata"]["name"]
        node = {**node, "metadata": {**node["metadata"], "annotations": {}}}
        process = self.start_kwok(f"--manage-single-node={name}")
        self.add_nodes([node])
        return process

    def start_kwok(self, which: str) -> subprocess.Popen[bytes]:
        """A kwok, which plays the nodes that the flag ``which`` chooses."""
        return self.start(
            "kwok", f"--kubeconfig={self.kubeconfig}", f"--config={self.folder / 'stages.yaml'}", which,
            f"--node-lease-duration-seconds={LEASE}",
        )  # fmt: skip

    def ready(self) -> set[str]:
        """Names of the nodes that are ready."""
        return {
            node["metadata"]["name"]
            for node in self.api.all("Node")
            if not any(each["key"].startswith("node.kubernetes.io/") for each in node["spec"].get("taints", ()))
            and any(
                each["type"] == "Ready" and each["status"] == "True" for each in node["status"].get("conditions", ())
            )
        }

    def cordon(self, name: str) -> None:
        """Keep new pods off a node, as `kubectl cordon` does."""
        patch = {"spec": {"unschedulable": True}}
        self.api.ask("PATCH", f"/api/v1/nodes/{name}", patch, kind="application/merge-patch+json")

    def evict(self, pod: str, namespace: str) -> None:
        """Ask for a pod to leave its node, as `kubectl drain` does."""
        wanted = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
        self.api.ask("POST", f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction", wanted)

    def known(self) -> set[str]:
        """Names of the nodes that there are."""
        return {each["metadata"]["name"] for each in self.api.all("Node")}

    def remove_nodes(self, names: set[str]) -> None:
        """Take nodes away, as a cloud does with a machine that is given back."""
        for name in names:
            self.api.delete("Node", name)
        until(
            lambda: not names & {each["metadata"]["name"] for each in self.api.all("Node")},
            f"{len(names)} nodes are gone",
        )


@contextmanager
def run_cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster without nodes, as long as the block lasts; then its processes are ended, and no other."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = {name: secrets.token_urlsafe(24) for name in ("admin", "kuberay-operator")}
    groups = {"admin": "system:masters", "kuberay-operator": "operators"}
    _private(
        folder / "tokens.csv", "".join(f'{token},{name},{name},"{groups[name]}"\n' for name, token in tokens.items())
    )
    _service_account_keys(folder)
    port, etcd, peers = free_port(), free_port(), free_port()
    authority = folder / "certificates/apiserver.crt"
    made = Cluster(folder, Api(port, tokens["admin"], authority), Api(port, tokens["kuberay-operator"], authority))
    try:
        _start_etcd(made, etcd, peers)
        _start_api(made, port, etcd)
        _start_controllers(made)
        yield made
        made.alive()
    finally:
        for process in reversed(made.running[:]):
            made.stop(process)


def write_kubeconfig(path: Path, api: Api) -> None:
    """A kubeconfig with a token; only its owner may read it."""
    text = json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "fleet",
        "clusters": [{"name": "fleet", "cluster": {
            "server": f"https://127.0.0.1:{api.port}", "certificate-authority": str(api.authority)}}],
        "users": [{"name": "fleet", "user": {"token": api.token}}],
        "contexts": [{"name": "fleet", "context": {"cluster": "fleet", "user": "fleet"}}],
    })  # fmt: skip
    _private(path, text)


def _start_etcd(made: Cluster, port: int, peers: int) -> None:
    here, others = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
    # What is stored need not outlive the tests.
    made.start(
        "etcd", f"--data-dir={made.folder / 'etcd'}", "--unsafe-no-fsync", "--log-level=warn",
        f"--listen-client-urls={here}", f"--advertise-client-urls={here}", f"--listen-peer-urls={others}",
        f"--initial-advertise-peer-urls={others}", f"--initial-cluster=default={others}",
    )  # fmt: skip


def _start_api(made: Cluster, port: int, etcd: int) -> None:
    folder = made.folder
    made.start(
        "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{etcd}", f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", f"--cert-dir={folder / 'certificates'}",
        "--allow-privileged=true",
        "--authorization-mode=RBAC", f"--token-auth-file={folder / 'tokens.csv'}", "--anonymous-auth=false",
        "--service-cluster-ip-range=10.0.0.0/16", "--service-account-issuer=https://fleet.test",
        f"--service-account-key-file={folder / 'accounts.pub'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        f"--default-not-ready-toleration-seconds={EVICT}", f"--default-unreachable-toleration-seconds={EVICT}",
    )  # fmt: skip

    until(made.answers, "the API server is ready", 120)
    write_kubeconfig(made.kubeconfig, made.api)


def _start_controllers(made: Cluster) -> None:
    talk = (f"--kubeconfig={made.kubeconfig}", "--kube-api-qps=300", "--kube-api-burst=600")
    alone = ("--leader-elect=false", "--secure-port=0")
    made.start(
        "kube-controller-manager", *talk, *alone, "--node-monitor-period=2s",
        f"--node-monitor-grace-period={GRACE}s",
        f"--service-account-private-key-file={made.folder / 'accounts.key'}",
        f"--root-ca-file={made.api.authority}",
    )  # fmt: skip
    made.start("kube-scheduler", *talk, *alone)
    stages = "---\n".join(path.read_text() for path in sorted((PROGRAMS / "kwok-stages").glob("*.yaml")))
    (made.folder / "stages.yaml").write_text(stages)
    made.start_kwok("--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake")
    until(lambda: made.api.get("ServiceAccount", "default", "default"), "the controllers work")


@contextmanager
def ray_operator(made: Cluster) -> Iterator[subprocess.Popen[bytes]]:
    """KubeRay's operator and its CRDs, with no right but its own role's; CRDs stay when it has ended."""
    for path in sorted((PROGRAMS / "kuberay").glob("*.yaml")):
        made.api.create(yaml.load(path.read_text(), yaml.CSafeLoader))
    made.api.apply({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "kuberay-operator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "kuberay-operator"},
        "subjects": [{"kind": "User", "name": "kuberay-operator", "apiGroup": "rbac.authorization.k8s.io"}],
    })  # fmt: skip
    until(lambda: made.api.get("RayService", "none", "default", "ray.io/v1") is None, "RayService is served")
    kubeconfig = made.folder / "operator.kubeconfig"
    write_kubeconfig(kubeconfig, made.operator)
    probe = free_port()
    process = made.start(
        "ray-operator", f"--kubeconfig={kubeconfig}", "--enable-leader-election=false", "--metrics-addr=0",
        f"--health-probe-bind-address=127.0.0.1:{probe}",
    )  # fmt: skip
    try:
        yield process
        made.alive()
    finally:
        made.stop(process)


def _service_account_keys(folder: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _private(folder / "accounts.key", private.decode())
    _private(folder / "accounts.pub", public.decode())


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def wait_until_ended(pid: int, seconds: float = 10) -> bool:
    """Whether a process has ended within that time."""
    end = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
