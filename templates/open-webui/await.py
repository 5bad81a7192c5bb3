"""Waits until an address on this machine answers well; systemd ends it if that takes too long."""

import sys
import time
from urllib.request import ProxyHandler, build_opener

opener = build_opener(ProxyHandler({}))  # loopback only
while True:
    try:
        opener.open(sys.argv[1], timeout=10).close()
        break
    except OSError:
        time.sleep(1)
