"""A client with all that stands before the model: real Caddy, what is kept of the talk, the gateway, an upstream."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.installed import Client, node
from tests.clients.recorder import Recorder
from tests.clients.upstream import Upstream
from tests.gateway.front import Front, front
from tests.gateway.harness import KEY

PATIENCE = 80
"""Seconds until a client has to have been heard."""


def filled(text: str, **places: object) -> str:
    """A text of the table with these in it: ``$URL``, ``$CA``, ``$KEY``, ``$HOME``, ``$WORK``."""
    for name, value in places.items():
        text = text.replace(f"${name}", str(value))
    return text


def settings(url: str, ca: Path, key: str, home: Path) -> dict[str, str]:
    """What all clients read: the gateway's address, a key, and whose certificates to believe."""
    return {
        "PATH": f"{node().parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "SSL_CERT_FILE": str(ca),
        "REQUESTS_CA_BUNDLE": str(ca),
        "NODE_EXTRA_CA_CERTS": str(ca),
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_API_KEY": key,
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": key,
    }


@dataclass
class Session:
    """One client's home and working folder, and the gateway that it asks."""

    client: Client
    it: Front
    recorder: Recorder
    home: Path
    work: Path

    def fill(self, text: str) -> str:
        """A text of the table with this session's places in it."""
        return filled(text, URL=self.it.url, CA=self.it.ca, KEY=KEY, HOME=self.home, WORK=self.work)

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        """What all of them read: the gateway's address, a key, and whose certificates to believe."""
        common = settings(self.it.url, self.it.ca, KEY, self.home)
        return {**common, **{name: self.fill(value) for name, value in more.items()}}

    async def run(
        self, arguments: list[str], environment: dict[str, str], *, until: Callable[[], bool] | None = None
    ) -> str:
        """All that it prints. ``until``: hang up, as Ctrl-C does, as soon as this is true."""
        start = self.client.argv()
        assert start is not None
        process = await asyncio.create_subprocess_exec(
            *start, *[self.fill(each) for each in arguments], cwd=self.work, env=self.environment(environment),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            if until is not None:
                async with asyncio.timeout(PATIENCE):
                    while not until():
                        assert process.returncode is None, (await process.stdout.read()).decode()
                        await asyncio.sleep(0.05)
                process.send_signal(signal.SIGINT)
                for _ in range(100):
                    if process.returncode is not None or not self.it.fake.working:
                        break
                    await asyncio.sleep(0.05)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            out, _ = await process.communicate()
            return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.decode())
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@asynccontextmanager
async def session(
    root: Path,
    client: Client,
    kind: str,
    files: dict[str, str],
    *,
    upstream: Callable[[], Any] = Upstream,
    **limits: Any,
) -> AsyncIterator[Session]:
    """Everything started, the client's own files written, and nothing asked yet."""
    home, work = root / "home", root / "work"
    for each in (home, work):
        each.mkdir()
    (work / "hello.txt").write_text("hello from a file\n")
    recorders: list[Recorder] = []

    def relay(gate: str) -> Recorder:
        recorders.append(Recorder(gate))
        return recorders[0]

    async with front(root, kind=kind, upstream=upstream, relay=relay, **limits) as it:
        found = Session(client, it, recorders[0], home, work)
        for name, text in files.items():
            path = Path(found.fill(name))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(found.fill(text))
        yield found
