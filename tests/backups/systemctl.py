"""Stands for systemd in tests of backups: `start | stop | is-active UNIT` of what units.json tells.

A unit has ``argv``, ``env``, and perhaps ``before`` and ``after`` (argv, each run to its end); one with ``oneshot`` is
run to its end, and then its ``post``, however it ended, as ExecStopPost is.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def main(action: str, unit: str) -> int:
    told = json.loads((HERE / "units.json").read_text())[unit]
    if action == "is-active" or told.get("oneshot"):
        return done(action, unit, told)
    # A start waits for a stop under way, and so on: systemd has one job of a unit at a time.
    with (HERE / f"{unit}.lock").open("w") as job:
        fcntl.flock(job, fcntl.LOCK_EX)
        return done(action, unit, told)


def done(action: str, unit: str, told: dict[str, Any]) -> int:
    pid = HERE / f"{unit}.pid"
    env = {**os.environ, **told.get("env", {})}
    running = pid.exists() and alive(int(pid.read_text()))
    with (HERE / "systemctl.log").open("a") as log:
        log.write(f"{action} {unit}\n")
    if action == "is-active":
        print("active" if running else "inactive")
        return 0 if running else 3
    if action == "stop":
        if running:
            os.kill(int(pid.read_text()), signal.Signals[told.get("signal", "SIGTERM")])
            until = time.monotonic() + 60
            while alive(int(pid.read_text())) and time.monotonic() < until:
                time.sleep(0.02)
        return 0
    if running:
        while told.get("oneshot") and alive(int(pid.read_text())):
            time.sleep(0.02)  # a start joins the one that is under way
        return 0
    with Path(HERE / f"{unit}.log").open("ab") as out:
        if told.get("oneshot"):
            work = subprocess.Popen(told["argv"], stdout=out, stderr=out, env=env)
            pid.write_text(str(work.pid))
            code = work.wait()
            subprocess.run(told["post"], stdout=out, stderr=out, env=env)
            return code and 1
        if told.get("before"):
            subprocess.run(told["before"], stdout=out, stderr=out, env=env, check=True)
        begun = subprocess.Popen(
            told["argv"], stdout=out, stderr=out, env=env, cwd=told.get("cwd"), start_new_session=True
        )
        pid.write_text(str(begun.pid))
        if told.get("after"):
            until = time.monotonic() + 60
            while subprocess.run(told["after"], stdout=out, stderr=out, env=env).returncode:
                if time.monotonic() > until:
                    return 1
                time.sleep(0.3)
    return 0


if __name__ == "__main__":
    words = [each for each in sys.argv[1:] if not each.startswith("--")]
    sys.exit(main(words[0], words[1]))
