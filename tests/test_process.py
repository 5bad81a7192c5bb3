"""The end of a process of ours: everything that a process does at its end, but for taking apart what it holds."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def ended(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options, "-c", f"from pulumi_llm._process import end\n{code}"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_what_was_written_and_registered_and_other_threads_come_first() -> None:
    done = ended("""
import atexit, sys, threading, time
atexit.register(lambda: sys.stdout.write("registered "))
def late():
    time.sleep(0.2)
    sys.stdout.write("thread ")
threading.Thread(target=late).start()
sys.stderr.write("error")
end(3)
""")
    assert (done.returncode, done.stdout, done.stderr) == (3, "thread registered ", "error")


def test_an_executor_that_nobody_shut_down_keeps_no_process_open() -> None:
    done = ended("""
from concurrent.futures import ThreadPoolExecutor
print(ThreadPoolExecutor(1).submit(lambda: 7).result())
end(0)
""")
    assert (done.returncode, done.stdout) == (0, "7\n")


def test_who_traces_or_profiles_sees_the_usual_end() -> None:
    done = ended("import sys\nsys.setprofile(lambda *_: None)\ntry:\n    end(4)\nfinally:\n    print('usual')")
    assert (done.returncode, done.stdout) == (4, "usual\n")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no /dev/full")
def test_an_output_that_takes_no_more_is_told_by_the_exit_code() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        code = "from pulumi_llm._process import end\nimport sys\nsys.stdout.write('x')\nend(0)"
        buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, check=False, env=buffered
        )
    assert done.returncode == 120
