"""`llm-node serve-status`: the status document over HTTP on loopback, for whoever has one of the gateway's keys."""

from __future__ import annotations

import hashlib
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from llm_node import status
from llm_node.system import at

PORT = int(os.environ.get("LLM_STATUS_PORT", "4100"))


def document() -> bytes:
    """The document; with what others say: who stops the machine (`leave`) or starts others (`wake`), who backs its
    vectors up (`backup`), of the bucket of weights (`weights`), of a change under way or taken back (`change`), and of
    a name that does not lead here (`name`)."""
    plain = at("/run/llm/status.json").read_bytes()
    names = ("leave", "wake", "backup", "weights", "change", "name")
    if not at("/opt/llm/wake.json").exists():
        names = tuple(each for each in names if each != "wake")  # that was taken back: nobody starts others any more
    more = {each: said for each in names if (said := status.read(at(f"/run/llm/{each}.json")))}
    return json.dumps(json.loads(plain) | more, indent=1).encode() if more else plain


class Page(BaseHTTPRequestHandler):
    """GET /status."""

    server_version = "llm"
    sys_version = ""

    def do_GET(self) -> None:
        """The document; 401 without a key, 404 elsewhere."""
        key = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        known = status.read(at("/srv/llm/secrets/gateway-keys.json"))
        if self.path != "/status":
            self.reply(404, b'{"error": {"message": "there is only /status"}}\n')
        elif not key or hashlib.sha256(key.encode()).hexdigest() not in known:
            self.reply(401, b'{"error": {"message": "a valid key is needed: Authorization: Bearer KEY"}}\n')
        else:
            self.reply(200, document())

    def reply(self, code: int, body: bytes) -> None:
        """One JSON answer."""
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name for it
        """Nothing is logged."""


def main() -> None:
    """Serve for good."""
    ThreadingHTTPServer(("127.0.0.1", PORT), Page).serve_forever()
