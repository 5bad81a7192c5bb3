"""Models that take turns on one card: a call for one that sleeps waits until the awake one has ended its answers.

vLLM's own sleep mode does it, by the routes that our middleware opens in each of these vLLMs (templates/vllm,
llm_turns.py). `card` says what is to be done; this does it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hmac
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from llm_gate.card import Card, Kind, Seen, Verdict, Waiter
from llm_gate.errors import Refused
from llm_gate.messages import Answer, Request, json_answer
from llm_gate.metrics import Metrics
from llm_gate.monitoring import Gauges
from llm_gate.routes import BY_THE_TOKENIZER, Upstream

HEADER = "x-llm-turns"
PATH = "/turns"
LOOK, SLEEP, WAKE = 5.0, 300.0, 900.0
"""Seconds that vLLM may take: to say whether it sleeps, to go to sleep, and to wake, from the disk say."""
LOADER = 30.0
"""Seconds beyond those that answers may take to end which a model that asks for the card waits. With fewer than those
it would ask anew, and the awake one would open anew, before long answers have ended: it would never load."""
LONGEST = 2**16
"""Bytes of an answer of these routes."""
_SAID: dict[Verdict | str, tuple[str, str]] = {
    "crowded": ("model_asleep", "another model is at work on this model's GPU, and its answers take long"),
    "late": ("model_asleep", "this model takes turns with another one, and its turn has not come"),
    "full": ("model_asleep", "this model takes turns with another one, and too many wait already"),
    "failed": ("model_not_woken", "this model does not wake; it is loaded anew"),
    "away": ("model_not_running", "this model does not run at the moment"),
}


class Turns:
    """The models of one card, as the routing table names them; without any, nothing is done and nothing asked."""

    def __init__(self, key: Path, metrics: Metrics) -> None:
        """``key``: the file with what opens vLLM's routes."""
        self._key, self._metrics = key, metrics
        self.card: Card | None = None
        self._wait = 120.0
        self._upstreams: dict[str, Upstream] = {}
        self._locks: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None
        self._stirred = asyncio.Event()

    def keep(self, table: Any, upstreams: Mapping[str, Upstream]) -> None:
        """Take what a new routing table says. Raises ValueError, KeyError or TypeError for a bad one."""
        table = table or {}
        locks = {str(name): str(lock) for name, lock in table.get("members", {}).items()}
        known = {name: upstreams[name] for name in locks}
        least, wait = float(table.get("awake_seconds", 30)), float(table.get("wait_seconds", 120))
        self._wait = wait
        if locks != self._locks or known != self._upstreams:
            old, self.card = self.card, Card(members=tuple(locks)) if locks else None
            self._locks, self._upstreams = locks, known
            if old is not None and self.card is not None:
                self.card.running.update({name: old.running[name] for name in locks if name in old.running})
            for each in old.queue if old is not None else ():
                if not each.over:
                    each.over = True
                    each.tell("away")
        if self.card is not None:
            self.card.least, self.card.drain = least, wait

    def needs(self, upstream: Upstream, endpoint: str) -> bool:
        """Whether a call needs the model awake: the tokenizer answers while it sleeps."""
        return upstream.name in self._upstreams and endpoint not in BY_THE_TOKENIZER

    async def enter(self, name: str, caller: str = "") -> None:
        """Wait until a model is awake. ``caller``: whose key asks.

        Raises `Refused` where that takes too long; `leave` ends what this begins.
        """
        card = self.card
        if card is None or name not in self._upstreams:
            return
        if card.open(name):
            card.enter(name)
            return
        told = asyncio.get_running_loop().create_future()
        waiter = Waiter(name, lambda verdict: None if told.done() else told.set_result(verdict), caller=caller)
        if not card.wait(waiter):
            raise self._refused("full")
        self._stir()
        try:
            async with asyncio.timeout(self._wait):
                verdict = await told
        except BaseException as error:
            waiter.over = True
            if told.done() and not told.cancelled() and told.result() == "granted":
                self.leave(name)  # its turn came as it went
            self._stir()
            if isinstance(error, TimeoutError):
                raise self._refused("late") from None
            raise
        if verdict != "granted":
            raise self._refused(verdict)

    def leave(self, name: str) -> None:
        """A call has come to its end at its model."""
        card = self.card
        if card is None or not card.running[name]:
            return
        card.leave(name)
        if not card.running[name] and card.queue:
            self._stir()

    def _refused(self, why: str) -> Refused:
        code, message = _SAID[why]
        seconds = max(1, min(60, round(self.card.least if self.card is not None else 30)))
        return Refused(503, "api_error", code, f"{message}; try again", {"Retry-After": str(seconds)})

    # -- the port for this machine alone

    async def answer(self, request: Request) -> Answer:
        """How it stands; or, to a POST with the key, whether the model that it names has the card to load."""
        if request.method != "POST":
            return json_answer(self.document())
        if not self._opens(request.headers.getall(HEADER, ())):
            return Answer(status=404)
        name = parse_qs(request.raw_path.partition("?")[2]).get("load", [""])[-1]
        card = self.card
        if card is None or name not in self._upstreams:
            return Answer(status=409)  # its settings and the gateway's are not the same yet
        told = asyncio.get_running_loop().create_future()
        waiter = Waiter(name, lambda verdict: None if told.done() else told.set_result(verdict), loads=True)
        card.wait(waiter)
        self._stir()
        try:
            async with asyncio.timeout(self._wait + LOADER):
                verdict = await told
        except TimeoutError:
            verdict = "late"
        finally:
            waiter.over = True
        return Answer(status=200 if verdict == "granted" else 503)

    def document(self) -> dict[str, Any]:
        """For the watch and for whoever looks: who is awake, how many wait, and what has failed."""
        card = self.card
        if card is None:
            return {}
        waiting = sum(not each.over and not each.loads for each in card.queue)
        return {"awake": card.awake, "waiting": waiting, "swaps": card.swaps, "failed": dict(card.codes)}

    def gauges(self) -> Gauges:
        """Who is awake, and how many wait."""
        card, found = self.card, Gauges()
        if card is not None:
            for name in card.members:
                found["llm_gateway_model_awake", (("upstream", name),)] = float(name == card.awake)
            found["llm_gateway_calls_waiting", ()] = float(self.document()["waiting"])
        return found

    def _opens(self, given: list[str] | tuple[str, ...]) -> bool:
        key = self._secret()
        return bool(key) and len(given) == 1 and hmac.compare_digest(given[0].encode(), key.encode())

    def _secret(self) -> str:
        try:
            return self._key.read_text().strip()
        except OSError:
            return ""

    # -- what is done

    def _stir(self) -> None:
        self._stirred.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._drive())

    async def _drive(self) -> None:
        while (card := self.card) is not None:
            self._stirred.clear()
            step = card.next()
            if step.kind == "rest":
                if step.wait is None:
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.01, step.wait)):
                        await self._stirred.wait()
                continue
            try:
                await self._do(card, step.kind, step.name)
            except Exception as error:
                sys.stderr.write(f"[gate.turns] {type(error).__name__}\n")
                await asyncio.sleep(1)

    async def _do(self, card: Card, kind: Kind, name: str) -> None:
        if kind == "look":
            seen = await asyncio.gather(*map(self._look, card.members))
            card.saw(dict(zip(card.members, seen, strict=True)))
            return
        since = time.monotonic()
        if kind == "sleep":
            well = await self._asked(name, "POST", "/sleep", SLEEP) is not None
            card.slept(name, well=well)
        else:
            well = await self._asked(name, "POST", "/wake_up", WAKE) is not None
            card.woke(name, well=well)
        took = time.monotonic() - since
        self._metrics.add("turns_total", upstream=name, what=kind, well=str(well).lower())
        self._metrics.add("turns_seconds_total", took, upstream=name, what=kind)
        sys.stderr.write(f"[gate.turns] {kind} {name}: {'done' if well else 'failed'} in {took:.1f} s\n")

    async def _look(self, name: str) -> Seen:
        said = await self._asked(name, "GET", "/is_sleeping", LOOK)
        if said is not None and isinstance(sleeps := said.get("is_sleeping"), bool):
            return "asleep" if sleeps else "awake"
        return "busy" if _held(self._locks[name]) else "away"

    async def _asked(self, name: str, method: str, path: str, limit: float) -> dict[str, Any] | None:
        """What one of vLLM's routes answers; None: it does not answer as it should."""
        where = urlsplit(self._upstreams[name].base_url)
        # Of HTTP 1.0, so that the answer comes in one piece and ends with the connection.
        lines = [f"{method} {path} HTTP/1.0", f"Host: {where.netloc}", f"{HEADER}: {self._secret()}"]
        lines += ["Content-Length: 0"] if method == "POST" else []
        try:
            async with asyncio.timeout(limit):
                reader, writer = await asyncio.open_connection(where.hostname, where.port or 80)
                try:
                    writer.write("\r\n".join([*lines, "", ""]).encode())
                    answer = await reader.read(LONGEST)
                    while block := await reader.read(LONGEST):
                        answer += block
                        if len(answer) > LONGEST:
                            return None
                finally:
                    writer.close()
            head, __, body = answer.partition(b"\r\n\r\n")
            said = json.loads(body)
        except (OSError, ValueError):
            return None
        return said if head.split(b" ", 2)[1:2] == [b"200"] and isinstance(said, dict) else None

    async def close(self) -> None:
        """Do nothing any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def _held(path: str) -> bool:
    """Whether a model's process holds its lock: it is there, whether it answers or not."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False
