"""A model waits for those that load before it on its card: each of their addresses has to answer.

vLLM calls `hold` in each of its processes (its group of plug-ins `vllm.general_plugins`). There it puts the wait right
before a worker looks at its card (`WorkerWrapperBase.init_device`, read in vLLM 0.32.0; every executor calls it), so
that all is imported by the time the card is free: that is most of what a start takes on the processor.
As a program it waits before all of that.
"""

import multiprocessing
import os
import sys
import time
from urllib.request import ProxyHandler, build_opener

URLS = "LLM_WAITS_FOR"
HAVE_CARDS = ("EngineCore", "VllmWorker")
"""How the names of those processes begin that may have a worker in them: one card's is in the engine's own process."""


def wait(urls):
    """Return once each of them has answered."""
    opener = build_opener(ProxyHandler({}))  # loopback only
    for url in urls:
        while True:
            try:
                opener.open(url, timeout=10).close()
                break
            except OSError:
                time.sleep(1)


def hold():
    """The plug-in. It may be called more than once in a process, and asks again what has answered by then."""
    if not multiprocessing.current_process().name.startswith(HAVE_CARDS):
        return
    from vllm.v1.worker.worker_base import WorkerWrapperBase

    looks = WorkerWrapperBase.init_device

    def waits_and_looks(self):
        wait(os.environ[URLS].split())
        return looks(self)

    WorkerWrapperBase.init_device = waits_and_looks


if __name__ == "__main__":
    wait(sys.argv[1:])
