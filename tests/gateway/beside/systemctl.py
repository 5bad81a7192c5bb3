"""systemd as far as a change of the main model sees it: its units are processes, stages and the watch are done at once.

``python systemctl.py ROOT COMMAND…``; what a unit says goes to ``ROOT/log/UNIT``, as to a journal. ``ROOT/how.json``
has more arguments for the server of each context length.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

ENGINE = Path(__file__).with_name("engine.py")
UNIT = re.compile(r"llm-vllm2?\.service")


def main(root: Path, command: str, *more: str) -> int:
    units = [each for each in more if not each.startswith("-")]
    code = 0
    for unit in units:
        if command in ("start", "restart"):
            start(root, unit, anew=command == "restart")
        if command == "stop" or (command == "disable" and "--now" in more):
            end(root, unit)
        if command == "show" and UNIT.fullmatch(unit):
            state = "active" if alive(root, unit) else "failed" if pid(root, unit) else "inactive"
            sys.stdout.write(f"ActiveState={state}\nSubState=running\nNRestarts=0\n")
        if command == "is-active":
            code = 0 if alive(root, unit) else 3
        if command == "is-failed":
            code = 1
        if command == "cat":
            code = 0 if file(root, unit).exists() else 1
    return code


def file(root: Path, unit: str) -> Path:
    return root / "etc/systemd/system" / unit


def start(root: Path, unit: str, *, anew: bool) -> None:
    name = unit.removeprefix("llm-").removesuffix(".service")
    if not UNIT.fullmatch(unit):
        if not unit.endswith(".socket"):
            stage = root / "run/llm/stages" / f"{'serve' if name == 'watch' else name}.json"
            stage.parent.mkdir(parents=True, exist_ok=True)
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            stage.write_text(json.dumps({"stage": stage.stem, "state": "done", "started": now, "updated": now}))
        return
    if alive(root, unit) and not anew:
        return
    end(root, unit)
    text = file(root, unit).read_text().replace("\\\n", " ")
    (line,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    argv = [sys.executable, str(ENGINE), *shlex.split(line)[2:]]
    how = json.loads((root / "how.json").read_text()) if (root / "how.json").exists() else {}
    argv += how.get(argv[argv.index("--max-model-len") + 1], [])
    with (root / "log" / unit).open("a") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    (root / "log" / f"{unit}.pid").write_text(str(process.pid))


def end(root: Path, unit: str) -> None:
    if alive(root, unit):
        os.kill(pid(root, unit), signal.SIGTERM)
        while alive(root, unit):
            time.sleep(0.01)
    (root / "log" / f"{unit}.pid").unlink(missing_ok=True)


def pid(root: Path, unit: str) -> int:
    path = root / "log" / f"{unit}.pid"
    return int(path.read_text()) if path.exists() else 0


def alive(root: Path, unit: str) -> bool:
    try:
        state = Path(f"/proc/{pid(root, unit)}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return pid(root, unit) > 0 and state != "Z"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
