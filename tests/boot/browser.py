"""Chromium without a window, told what to do by its own protocol. As a program: browser.py <arguments >answer.

It runs in a root of its own, over the image of the machines, and trusts the authorities that it is given and no others.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PORT = 9222
PATIENCE = 60
START = r"""
root=$1/root
mkdir -p "$root"
mount -t overlay overlay -o "lowerdir=$2/browser:$2/base" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/root"
mount --bind "$1" "$root/mnt"
shift 2
exec chroot "$root" /usr/bin/env -i HOME=/root LC_ALL=C.UTF-8 PATH=/usr/bin:/bin sh -euc '
mkdir -p "$HOME/.pki/nssdb"
certutil -d "sql:$HOME/.pki/nssdb" -N --empty-password
certutil -d "sql:$HOME/.pki/nssdb" -A -t C,, -n authority -i /mnt/ca.pem
exec /usr/lib/chromium/chromium "$@"' sh "$@"
"""
READ = """fetch('/api/v1/files/', {headers: {Authorization: `Bearer ${localStorage.token}`}}).then(each => each.json())
.then(told => (told.items ?? told).some(each => each.filename == FILE && each.data?.status == 'completed'))"""
"""Whether a document was read to its end."""
GREETED = """document.querySelectorAll('[data-close-button]').forEach(each => each.click()),
!document.querySelector('[data-sonner-toast]')"""
"""Takes away the word of welcome, which would lie over what is looked at; whether it is away."""
SOURCES = r"[...document.querySelectorAll('button')].find(each => /^\s*1 (Source|个引用来源)/.test(each.innerText))"
SOURCE = "[...document.querySelectorAll('button[id^=source-]')].find(each => each.innerText.includes(FILE))"
SHOWN = "[...document.querySelectorAll('[role=dialog], .modal')].map(each => each.innerText).join()"
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--window-size=1000,700",
    "--user-data-dir=/tmp/user", f"--remote-debugging-port={PORT}",
)  # fmt: skip


class Tab:
    """One page of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, folder: Path) -> None:
        self.socket, self.folder, self.number = socket, folder, 0
        self.said: list[str] = []

    async def ask(self, method: str, **values: Any) -> Any:
        """One command of the protocol, and its result."""
        self.number += 1
        await self.socket.send_json({"id": self.number, "method": method, "params": values})
        while True:
            told = await self.socket.receive_json(timeout=PATIENCE)
            if told.get("id") == self.number:
                assert "error" not in told, f"{method}: {told['error']}"
                return told["result"]
            if told.get("method") == "Runtime.exceptionThrown":
                self.said.append(str(told["params"]["exceptionDetails"].get("exception", {}).get("description"))[:500])

    async def value(self, expression: str) -> Any:
        """What an expression of JavaScript gives."""
        told = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, f"{expression}: {told['exceptionDetails']}"
        return told["result"].get("value")

    async def until(self, expression: str, seconds: float = PATIENCE) -> Any:
        """Wait until an expression gives something."""
        deadline = time.monotonic() + seconds
        while not (found := await self.value(expression)):
            if time.monotonic() > deadline:
                await self.picture("failed")
                text = await self.value("location.href + '\\n' + document.body.innerText")
                raise AssertionError(f"{expression} did not come\n{text}\n{self.said}")
            await asyncio.sleep(0.2)
        return found

    async def go(self, url: str) -> None:
        """Open an address."""
        told = await self.ask("Page.navigate", url=url)
        assert not told.get("errorText"), f"{url}: {told['errorText']}"

    async def write(self, selector: str, text: str) -> None:
        """Type into a field."""
        await self.until(f"!!document.querySelector({json.dumps(selector)})")
        await self.value(f"document.querySelector({json.dumps(selector)}).focus()")
        await self.ask("Input.insertText", text=text)

    async def enter(self) -> None:
        """Press the key."""
        for kind in ("keyDown", "keyUp"):
            more = {"text": "\r"} if kind == "keyDown" else {}
            pressed = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
            await self.ask("Input.dispatchKeyEvent", type=kind, **pressed, **more)

    async def give(self, selector: str, file: str) -> None:
        """Choose a file, as a person would in the dialogue."""
        document = await self.ask("DOM.getDocument")
        node = await self.ask("DOM.querySelector", nodeId=document["root"]["nodeId"], selector=selector)
        await self.ask("DOM.setFileInputFiles", nodeId=node["nodeId"], files=[file])

    async def picture(self, name: str) -> None:
        """What a person would see."""
        told = await self.ask("Page.captureScreenshot", format="webp", quality=60)
        (self.folder / f"{name}.webp").write_bytes(base64.b64decode(told["data"]))


@asynccontextmanager
async def tab(folder: Path, parts: str, ca: str, names: dict[str, str]) -> AsyncIterator[Tab]:
    """A browser with one page. ``names``: where a name leads."""
    (folder / "ca.pem").write_text(ca)
    rules = ", ".join(f"MAP {name} {address}" for name, address in names.items())
    own = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "sh", "-euc", START]
    argv = [*own, "sh", str(folder), parts, *OPTIONS, f"--host-resolver-rules={rules}", "about:blank"]
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
    try:
        async with aiohttp.ClientSession() as session:
            deadline = time.monotonic() + PATIENCE
            while True:
                stands = process.poll() is None and time.monotonic() < deadline
                assert stands, (folder / "chromium.log").read_text()[-3000:]
                try:
                    async with session.get(f"http://127.0.0.1:{PORT}/json/list") as answer:
                        pages = [each for each in await answer.json() if each["type"] == "page"]
                    if pages:
                        break
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)
            async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                made = Tab(socket, folder)
                for each in ("Page", "Runtime", "DOM"):
                    await made.ask(f"{each}.enable")
                yield made
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


TRIES = 3


async def ask(it: Tab, model: str, file: str, question: str) -> None:
    """Put a document in, ask, and wait for an answer that has a source."""
    await it.until("location.pathname == '/' && !!document.querySelector('#chat-input')")
    # Whom nothing is said to asks the machine's own chat model, and not the one beside it for vectors.
    await it.until(f"document.body.innerText.includes({json.dumps(model)})")
    await it.until("!!document.querySelector('input[type=file]')")
    await it.give("input[type=file]", f"/mnt/{file}")
    await it.until(f"document.body.innerText.includes({json.dumps(file)})")
    await it.until(READ.replace("FILE", json.dumps(file)))
    await asyncio.sleep(1)  # the page asks for that now and then, and sends nothing before it knows
    await it.write("#chat-input", question)
    await it.until(GREETED)
    await it.picture("question")
    await it.enter()
    await it.until(f"!!{SOURCES}", 45)


async def visit(
    folder: str, parts: str, ca: str, names: dict[str, str], url: str, language: str, email: str, password: str,
    model: str, file: str, fact: str, question: str,
) -> dict[str, Any]:  # fmt: skip
    """Log in, put a document in, ask about it; what the page then shows. Pictures are left in the folder."""
    async with tab(Path(folder), parts, ca, names) as it:
        script = f"localStorage.setItem('locale', {json.dumps(language)})"
        await it.ask("Page.addScriptToEvaluateOnNewDocument", source=script)
        await it.go(f"{url}/auth")
        await it.write("input[type=email], #email", email)
        await it.picture("log-in")
        await it.write("input[type=password]", password)
        await it.enter()
        for left in reversed(range(TRIES)):
            try:
                await ask(it, model, file, question)
            except AssertionError:
                if not left:
                    raise
                await it.go(url)  # on a busy machine the page has shown a question, and sent none: as a person would
            else:
                break
        await it.value(f"{SOURCES}.click()")
        await it.until(f"!!{SOURCE.replace('FILE', json.dumps(file))}")
        await it.picture("answer")
        await it.value(f"{SOURCE.replace('FILE', json.dumps(file))}.click()")
        await it.until(f"{SHOWN}.includes({json.dumps(fact)})")
        await asyncio.sleep(0.5)  # it unfolds
        await it.picture("source")
        return {"text": await it.value("document.body.innerText"), "errors": it.said}


if __name__ == "__main__":
    json.dump(asyncio.run(visit(**json.load(sys.stdin))), sys.stdout)
