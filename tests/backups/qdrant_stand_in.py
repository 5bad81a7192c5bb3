"""Qdrant's REST API as far as a backup calls it, by its documentation; a snapshot is a file with the collection in it.

Run as a program: PORT STORAGE KEY. Who has not the key is refused, as Qdrant does.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

PORT, STORAGE, KEY = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
STATE, SNAPSHOTS = STORAGE / "collections.json", STORAGE / "snapshots"


class Handler(BaseHTTPRequestHandler):
    def state(self) -> dict:
        return json.loads(STATE.read_text()) if STATE.exists() else {"collections": {}, "aliases": []}

    def answer(self, result: object, code: int = 200, bare: bool = False) -> None:
        body = json.dumps(result if bare else {"result": result, "status": "ok", "time": 0}).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_any(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        path = [unquote(each) for each in urlsplit(self.path).path.split("/")[1:]]
        state = self.state()
        if path == ["readyz"]:
            return self.answer("all shards are ready", bare=True)
        if self.headers.get("api-key") != KEY:
            return self.answer({"status": {"error": "Must provide an API key"}}, 401, bare=True)
        match [self.command, *path]:
            case ["GET", ""]:
                self.answer({"title": "qdrant - vector search engine", "version": "1.19.1"}, bare=True)
            case ["GET", "collections"]:
                self.answer({"collections": [{"name": each} for each in state["collections"]]})
            case ["GET", "aliases"]:
                self.answer({"aliases": state["aliases"]})
            case ["POST", "collections", "aliases"]:
                state["aliases"] += [each["create_alias"] for each in body["actions"]]
                STATE.write_text(json.dumps(state))
                self.answer(True)
            case ["POST", "collections", name, "points", "count"]:
                self.answer({"count": len(state["collections"][name])})
            case ["POST", "collections", name, "snapshots"]:
                made = f"{name}-{time.time_ns()}.snapshot"
                (SNAPSHOTS / name).mkdir(parents=True, exist_ok=True)
                (SNAPSHOTS / name / made).write_text(json.dumps(state["collections"][name]))
                self.answer({"name": made})
            case ["DELETE", "collections", name, "snapshots", which]:
                (SNAPSHOTS / name / which).unlink()
                self.answer(True)
            case ["PUT", "collections", name, "snapshots", "recover"]:
                prefix = "file:///qdrant/storage/"
                if not body["location"].startswith(prefix + "snapshots/") or body["priority"] != "snapshot":
                    return self.answer({"status": {"error": "forbidden"}}, 403, bare=True)
                state["collections"][name] = json.loads((STORAGE / body["location"].removeprefix(prefix)).read_text())
                STATE.write_text(json.dumps(state))
                self.answer(True)
            case _:
                self.answer({"status": {"error": "not found"}}, 404, bare=True)
        return None

    do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - the names that the base class calls

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
