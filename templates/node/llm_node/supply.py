"""What makes supply robust, and comes with the settings: which source answers, which one stalls, and why none does."""

from __future__ import annotations

import email.utils
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from llm_node.system import Failure, node

POLL = float(os.environ.get("LLM_POLL_SECONDS", "2"))
WINDOW = float(os.environ.get("LLM_STALL_SECONDS", "120"))  # seconds over which a program's pace is measured
PROBE = float(os.environ.get("LLM_PROBE_SECONDS", "5"))  # seconds that a source has to answer; 0: none is asked
SAMPLE = 2**16  # bytes that are read of the answer
SLOW = 2**18  # bytes per second: less, and the next source is tried; the last one may be slow, but not stand still
CLOCK = 600  # seconds by which a clock may be off; certificates and archives live at least for hours
TOO_SLOW = "ended: too slow"


def ranked(sources: Iterable[str]) -> list[str]:
    """The sources in their order, but those that do not answer last, and those far slower than the best before them."""
    order = list(sources)
    if not PROBE:
        return order
    took = together(answer_time, [address(each) for each in order], PROBE + 1, default=float("inf"))
    best = min(took, default=0)
    asked = [urlsplit(address(each)).hostname or "" for each in order if address(each)]
    dead = took.count(float("inf")) == len(asked)
    if asked and dead and all(together(unanswered, asked, 2 * PROBE, default=True)):
        # apt alone would take a quarter of an hour to find that out
        raise Failure("node.dns-dead", f"no name server answers to {', '.join(asked)}", True)
    limit = max(3 * best, 1)  # a second is no reason to pass over the cloud's own mirror, whose traffic is free
    rank = {each: (seconds == float("inf"), seconds > limit) for each, seconds in zip(order, took, strict=True)}
    return sorted(order, key=lambda each: rank[each])


def address(source: str) -> str:
    """What is asked of a source to see whether it answers; empty where only its own tool can tell."""
    if source.startswith("/"):
        return ""
    if source.startswith(("http:", "https:")):
        return source.rstrip("/") + "/"
    return f"https://{source.rstrip('/')}/v2/" if source else ""


def answer_time(url: str) -> float:
    """Seconds until the head of an answer was there; infinite if none came."""
    since = time.monotonic()
    try:
        if url:
            with urlopen(Request(url), timeout=PROBE) as reply:  # noqa: S310 - sources are http(s)
                while (got := reply.read1(SAMPLE)) and time.monotonic() - since < PROBE:
                    if len(got) >= SAMPLE:
                        break
    except HTTPError:
        pass  # it answers
    except (OSError, ValueError):
        return float("inf")
    return time.monotonic() - since if url else 0.0


def together(work: Callable[[str], Any], items: list[str], seconds: float, default: Any) -> list[Any]:
    """Work on all items at once; what is not done in time (a name server may hang for long) gives the default."""
    found = dict.fromkeys(range(len(items)), default)

    def job(number: int) -> None:
        found[number] = work(items[number])

    threads = [threading.Thread(target=job, args=(number,), daemon=True) for number in range(len(items))]
    for each in threads:
        each.start()
    deadline = time.monotonic() + seconds
    for each in threads:
        each.join(max(0.0, deadline - time.monotonic()))
    return [found[number] for number in range(len(items))]


def watched(last: bool, tell: Callable[[int], None], *argv: str, **env: str) -> tuple[int, str]:
    """Run a program that fetches, and end it when it stalls (or is slow, and another source is left).

    ``tell`` hears how many bytes it has written so far.
    """
    with tempfile.TemporaryFile() as out:
        try:
            child = subprocess.Popen(
                argv, env={**os.environ, **env}, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
        except FileNotFoundError:
            return 127, f"{argv[0]}: not found"
        verdict = paced(child, last, tell)
        out.seek(0)
        text = out.read().decode(errors="replace")
    return (124, f"{text}\n{verdict}") if verdict else (child.returncode, text)


def paced(child: subprocess.Popen[bytes], last: bool, tell: Callable[[int], None]) -> str:
    """Wait for a program; what was wrong with its pace, if it had to be ended."""
    since, mark = time.monotonic(), (0, 0.0)
    while True:
        try:
            child.wait(POLL)
            return ""
        except subprocess.TimeoutExpired:
            pass
        now, work = time.monotonic(), effort(child.pid)
        tell(work[0])
        if now - since < WINDOW:
            continue
        pace, busy = ((new - old) / (now - since) for new, old in zip(work, mark, strict=True))
        if 0 <= pace < (1024 if last else SLOW) and busy < 0.1:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            return f"{TOO_SLOW}, {pace / 1024:.0f} KiB/s over {WINDOW:.0f} s"
        since, mark = now, work


def effort(session: int) -> tuple[int, float]:
    """What the programs of a session have written (bytes), and the time that they computed (seconds)."""
    written, ticks = 0, 0
    for each in Path("/proc").glob("[0-9]*"):
        try:
            fields = (each / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                ticks += sum(map(int, fields[11:15]))
                written += int((each / "io").read_text().partition("wchar: ")[2].split()[0])
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
    return written, ticks / os.sysconf("SC_CLK_TCK")


def diagnosed(failure: Failure) -> Failure:
    """The same failure, or the cause that lies beneath every failure to fetch: no name server, or a clock far off."""
    if not PROBE or not failure.code.endswith((".index-unreachable", ".unreachable", "apt.failed")):
        return failure
    want = node()
    if "bundle" in want:
        return failure  # it has no network, and asks for none
    given = [*want.get("pypi", []), *want.get("apt", []), *(each["endpoint"] for each in want.get("hubs", []))]
    urls = list({urlsplit(each).hostname: each for each in given}.values())[:6]
    if not urls:
        return failure
    hosts = [urlsplit(each).hostname or "" for each in urls]
    if not any(together(resolves, hosts, 4 * PROBE, default=False)):
        return Failure("node.dns-dead", f"none of {', '.join(hosts)} can be resolved", True)
    off = min(
        (each for each in together(clock_offset, urls, 2 * PROBE, default=None) if each is not None), key=abs, default=0
    )
    if abs(off) > CLOCK:
        return Failure("node.clock-off", f"this machine's clock is {-off / 3600:+.1f} h off", True)
    return failure


def unanswered(host: str) -> bool:
    """Whether nobody says if a host has an address."""
    try:
        socket.getaddrinfo(host, None)
    except socket.gaierror as error:
        return error.errno == socket.EAI_AGAIN
    except OSError:
        pass
    return False


def resolves(host: str) -> bool:
    """Whether a host has an address."""
    try:
        return bool(socket.getaddrinfo(host, None))
    except OSError:
        return False


def clock_offset(url: str) -> float | None:
    """How many seconds a server's clock is ahead of ours; None if it does not say."""
    # Nothing is believed but the time: with a clock far off no certificate is valid.
    context = ssl._create_unverified_context()  # noqa: S323
    try:
        with urlopen(Request(url, method="HEAD"), timeout=PROBE, context=context) as reply:  # noqa: S310
            date = reply.headers["Date"]
    except HTTPError as error:
        date = error.headers["Date"]
    except (OSError, ValueError):
        return None
    try:
        return email.utils.parsedate_to_datetime(date).timestamp() - time.time()
    except (TypeError, ValueError):
        return None
