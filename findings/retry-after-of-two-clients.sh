#!/usr/bin/env bash
# openai 3.57.0 and anthropic 2.14.0: the same `Retry-After: 130` ends a call at once in one, and holds it for 130 s in the other.
#
# Both clients come from one generator and retry a 429 by themselves. A gateway that tells callers when their minute or
# their day is over answers both with the same header.
#
# Guess, before it was run: both wait no longer than a minute for a header, then take their own delay of at most 8 s; and
# neither waits longer than the `timeout` that the caller set.
# Seen, 2026-11-29: openai obeys up to 120 s, and above that raises RateLimitError without a second request. anthropic
# sleeps for whatever it is told, up to 4,294,967 s, with `timeout=5` too: the timeout is of each request, not of the call.
# `x-should-retry: false` beside the header ends the call at once in both.
#
# So whoever refuses for longer than a caller would wait sends `x-should-retry: false` with the Retry-After.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openai==3.57.0 anthropic==2.14.0

"$folder/venv/bin/python" - <<'PYTHON'
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import anthropic
import openai

asked: list[str] = []
waits: list[float] = []
extra: dict[str, str] = {}


class Refusing(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(429)
        for name, value in {"Retry-After": "130", "Content-Type": "application/json", **extra}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


server = HTTPServer(("127.0.0.1", 0), Refusing)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
time.sleep = waits.append  # what a client would sleep is written down instead
plain = {"api_key": "none", "timeout": 5, "max_retries": 1}
talk = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
calls = {
    "openai": lambda: openai.OpenAI(base_url=f"{address}/v1", **plain).chat.completions.create(**talk),
    "anthropic": lambda: anthropic.Anthropic(base_url=address, **plain).messages.create(max_tokens=8, **talk),
}


def seen(name: str) -> tuple[int, list[float]]:
    asked.clear()
    waits.clear()
    try:
        calls[name]()
    except (openai.RateLimitError, anthropic.RateLimitError):
        return len(asked), [round(each) for each in waits if each >= 1]
    raise AssertionError("it was answered")


assert (openai.__version__, anthropic.__version__) == ("3.57.0", "2.14.0")
found = {name: seen(name) for name in calls}
print("Retry-After: 130 and timeout=5 -> requests sent, seconds slept:", found)
assert found == {"openai": (1, []), "anthropic": (2, [130])}, found
extra["x-should-retry"] = "false"
found = {name: seen(name) for name in calls}
print("with x-should-retry: false     -> requests sent, seconds slept:", found)
assert found == {"openai": (1, []), "anthropic": (1, [])}, found
PYTHON
