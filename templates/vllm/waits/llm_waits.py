"""A model waits for those that load before it on its card: each of their addresses has to answer.

vLLM calls `hold` in each of its processes (its group of plug-ins `vllm.general_plugins`; read in 0.32.0). In the one
that will use the card it is called once all is imported and before the card is looked at (`EngineCore.__init__`), so
that what takes longest on the processor is done by the time the card is free. As a program it waits before all of that.
"""

import multiprocessing
import os
import sys
import time
from urllib.request import ProxyHandler, build_opener

URLS = "LLM_WAITS_FOR"


def wait(urls):
    """Return once each of them has answered."""
    opener = build_opener(ProxyHandler({}))  # loopback only
    for url in urls:
        while True:
            try:
                opener.open(url, timeout=10).close()
                break
            except OSError:
                time.sleep(2)


def hold():
    """The plug-in. Other processes of vLLM's (the server, the one that looks at the model's class) have no card."""
    if multiprocessing.current_process().name.startswith("EngineCore"):
        wait(os.environ[URLS].split())


if __name__ == "__main__":
    wait(sys.argv[1:])
