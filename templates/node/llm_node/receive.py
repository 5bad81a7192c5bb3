"""`llm-node stage`: take the settings that arrive on standard input, check them, and bring this code up to date."""
# ruff: noqa: T201 - a command talks by printing

from __future__ import annotations

import hashlib
import json
import sys

from llm_node.system import Failure, at, write


def main() -> None:
    """Keep the settings as /opt/llm/staged.json. Nothing that runs is touched, except the code of llm-node itself."""
    text = sys.stdin.read()
    try:
        settings = json.loads(text)
        digest = settings.pop("digest")
        found = hashlib.sha256(json.dumps(settings, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise Failure("stage.malformed", f"the settings are not a settings document: {error!r}") from error
    if found != digest:
        raise Failure("stage.wrong-digest", f"the settings came with digest {digest} and have {found}")
    for name, content in settings["code"].items():
        write(at(f"/opt/llm/lib/{name}"), content)
    write(at("/opt/llm/hints.json"), json.dumps(settings["hints"]))
    write(at("/opt/llm/staged.json"), text, 0o600)
    print(json.dumps({"staged": digest}))
