"""The real Caddy with the configuration that the node gets, before a real gateway process."""

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm._bootstrap import GatewayRole, Route
from pulumi_llm.roles import caddy as files
from tests.bootstrap.samples import MINI, OPENAI, proxy_node
from tests.gateway.fake import Fake
from tests.gateway.harness import Home, Running

CHECKOUT = Path(__file__).parents[2]


@dataclass
class Front:
    url: str
    port: int
    ca: Path
    gate: Running
    fake: Fake
    caddy: asyncio.subprocess.Process

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))

    async def raw(self, request: bytes, *, wait: float = 10) -> bytes:
        """What a connection answers to bytes that no client library would send."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls)
        try:
            writer.write(request)
            await writer.drain()
            found = b""
            async with asyncio.timeout(wait):
                while piece := await reader.read(65536):
                    found += piece
            return found
        except (ConnectionResetError, ssl.SSLError):
            return found
        finally:
            writer.close()

    async def logged(self) -> str:
        """Stop Caddy, and all that it wrote."""
        self.caddy.terminate()
        await self.caddy.wait()
        return (self.ca.parent / "caddy.log").read_text()


def program(name: str) -> str:
    """Where `make tools` puts it, else on PATH."""
    folder = Path(os.environ.get("PULUMI_LLM_TOOLS", CHECKOUT / ".tools")) / "bin"
    found = shutil.which(name, path=f"{folder}:{os.environ['PATH']}")
    assert found, f"{name} is neither in {folder} nor on PATH: run `make tools`"
    return found


def nodes_caddy(root: Path) -> str:
    """The Caddy that nodes have, out of the archive of the boot tests; skips the test where that is not there."""
    pool = Path(os.environ.get("PULUMI_LLM_TOOLS", CHECKOUT / ".tools")) / "boot/archive/pool"
    packages = [*pool.glob("caddy_2.6.2*_amd64.deb")]
    if not packages or shutil.which("dpkg-deb") is None:
        pytest.skip("the node's Caddy is not here: tools/boot fetches it")
    subprocess.run(["dpkg-deb", "-x", packages[0], root / "caddy-of-nodes"], check=True)
    return str(root / "caddy-of-nodes/usr/bin/caddy")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def caddyfile(root: Path, port: int, gate_url: str, origins: tuple[str, ...] = ()) -> str:
    """The node's own, with its paths and ports moved."""
    role = GatewayRole(
        https_port=port, upstreams=(OPENAI,), routes=(Route(name="mini", targets=(MINI,)),), origins=origins
    )
    text = files.caddyfile(proxy_node(roles=(role,)))
    moved = text.replace("/srv/llm/secrets", str(root)).replace("/var/lib/llm-caddy", str(root / "caddy"))
    moved = moved.replace("127.0.0.1:4000", gate_url.removeprefix("http://"))
    # The tests are on loopback, and so is everything else.
    return moved.replace(f":{port} {{", f":{port} {{\n\tbind 127.0.0.1")


def certificate(root: Path) -> None:
    """An authority and what it signs, as a node has them: some clients take none that is its own."""
    new = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    authority = ["-keyout", root / "ca.key", "-out", root / "ca.crt", "-subj", "/CN=llm authority"]
    signed = ["-CA", root / "ca.crt", "-CAkey", root / "ca.key", "-keyout", root / "tls.key", "-out", root / "tls.crt",
              "-subj", "/CN=llm", "-addext", "subjectAltName=IP:127.0.0.1",
              "-addext", "basicConstraints=critical,CA:FALSE"]  # fmt: skip
    for more in (authority, signed):
        subprocess.run([*new, *more], check=True, capture_output=True)


@asynccontextmanager
async def front(
    root: Path,
    *,
    kind: str = "openai",
    talkative: bool = False,
    upstream: Callable[[], Fake] = Fake,
    relay: Callable[[str], AbstractAsyncContextManager[Any]] | None = None,
    origins: tuple[str, ...] = (),
    caddy: str | None = None,
    held: socket.socket | None = None,
    **limits: Any,
) -> AsyncIterator[Front]:
    """Caddy, gateway and fake upstream, each for itself.

    ``talkative``: Caddy logs all that it can. ``relay``: what stands between Caddy and the gateway, made of the
    gateway's address. ``caddy``: another than the tools' own. ``held``: the socket that the gateway is given.
    """
    port = free_port()
    certificate(root)
    async with upstream() as fake:
        home = Home(root / "gate").key(**limits).routes(fake.url, kind=kind)
        async with home.running(held=held) as gate, relay(gate.url) if relay else nullcontext(gate) as behind:
            config = root / "Caddyfile"
            text = caddyfile(root, port, behind.url, origins)
            config.write_text(text.replace("{\n\tadmin off", "{\n\tdebug\n\tadmin off", 1) if talkative else text)
            log = (root / "caddy.log").open("wb")
            server = await asyncio.create_subprocess_exec(
                caddy or program("caddy"), "run", "--config", str(config), "--adapter", "caddyfile",
                stdout=log, stderr=log, env={**os.environ, "HOME": str(root)},
            )  # fmt: skip
            try:
                while True:
                    try:
                        _, writer = await asyncio.open_connection("127.0.0.1", port)
                        writer.close()
                        break
                    except ConnectionRefusedError:
                        assert server.returncode is None, (root / "caddy.log").read_text()
                        await asyncio.sleep(0.02)
                yield Front(f"https://127.0.0.1:{port}", port, root / "ca.crt", gate, fake, server)
            finally:
                if server.returncode is None:
                    server.kill()
                    await server.wait()
                log.close()
