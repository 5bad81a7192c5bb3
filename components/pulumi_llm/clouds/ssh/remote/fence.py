"""Who may call: our ports are closed to all others, and what others have in their firewalls is not touched."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import Any

from pulumi_llm.clouds.ssh.remote.machine import kept, run

FENCE_UNIT = """[Unit]
Description=llm: who may call
Before=llm.target
After=nftables.service ufw.service firewalld.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/python3 -I /var/lib/pulumi-llm/host.py fence up
ExecStop=/usr/bin/python3 -I /var/lib/pulumi-llm/host.py fence down

[Install]
WantedBy=multi-user.target
"""


def fence(word: str) -> int:
    """Close our ports to all but those who may call; what others have in their firewalls is not touched."""
    rules = (kept() or {}).get("fence", []) if word == "up" else []
    return nft(rules, word) if shutil.which("nft") else iptables(rules, word)


def nft(rules: list[dict[str, Any]], word: str) -> int:
    """A table of its own."""
    text = "add table inet llm_fence\ndelete table inet llm_fence\n"
    if word == "up":
        lines = ['iifname "lo" accept']
        for each in rules:
            lines += ["tcp dport {} ip saddr {} accept".format(each["port"], cidr) for cidr in each["cidrs"]]
            lines.append("tcp dport {} drop".format(each["port"]))
        chain = "type filter hook input priority -10; policy accept; "
        text += "table inet llm_fence {{ chain input {{ {}{} }} }}\n".format(chain, "; ".join(lines))
    return subprocess.run(["nft", "-f", "-"], input=text, universal_newlines=True).returncode


def iptables(rules: list[dict[str, Any]], word: str) -> int:
    """A chain of its own, first in the way in; to IPv6 nobody is let in."""
    failed = 0
    for tool, all_cidrs in (("iptables", False), ("ip6tables", True)):
        while run(tool, "-w", "-D", "INPUT", "-j", "LLM-FENCE")[0] == 0:
            pass
        run(tool, "-w", "-F", "LLM-FENCE")
        run(tool, "-w", "-X", "LLM-FENCE")
        if word != "up":
            continue
        steps = [["-N", "LLM-FENCE"], ["-A", "LLM-FENCE", "-i", "lo", "-j", "RETURN"]]
        for each in rules:
            port = ["-p", "tcp", "--dport", str(each["port"])]
            if not all_cidrs:
                steps += [["-A", "LLM-FENCE", *port, "-s", cidr, "-j", "RETURN"] for cidr in each["cidrs"]]
            steps.append(["-A", "LLM-FENCE", *port, "-j", "DROP"])
        for step in [*steps, ["-I", "INPUT", "1", "-j", "LLM-FENCE"]]:
            rc, out = run(tool, "-w", *step)
            if rc and tool == "iptables":  # a machine without IPv6 has nothing to close
                print("{}: {}".format(" ".join(step), out), file=sys.stderr)
                failed = 1
    return failed
