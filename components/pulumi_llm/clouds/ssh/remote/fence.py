"""Who may call: our ports are closed to all others, and what others have in their firewalls is not touched."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import Any

from pulumi_llm.clouds.ssh.remote.machine import kept, run

CHAIN = "LLM-FENCE"
FENCE_UNIT = """[Unit]
Description=llm: who may call
Before=llm.target
After=nftables.service ufw.service firewalld.service
# Ubuntu's and Debian's nftables.service flushes every table as it starts and as it reloads, ours with them.
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/python3 -I /var/lib/pulumi-llm/host.py fence up
# In one step, so that a change of who may call opens the ports to nobody for a moment, as a restart would.
ExecReload=/usr/bin/python3 -I /var/lib/pulumi-llm/host.py fence up
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
        # nft wants a new line or a semicolon after each part, a chain's brace among them.
        text += "table inet llm_fence {{\nchain input {{\n{}\n}}\n}}\n".format("\n".join([chain, *lines]))
    return subprocess.run(["nft", "-f", "-"], input=text, universal_newlines=True).returncode


def iptables(rules: list[dict[str, Any]], word: str) -> int:
    """A chain of its own, first in the way in; to IPv6 nobody is let in."""
    failed = 0
    for tool, all_cidrs in (("iptables", False), ("ip6tables", True)):
        rc = filled(tool, rules, all_cidrs) if word == "up" else emptied(tool)
        failed |= rc and tool == "iptables"  # a machine without IPv6 has nothing to close
    return int(failed)


def filled(tool: str, rules: list[dict[str, Any]], closed: bool) -> int:
    """The chain is replaced as a whole, by one transaction of iptables-restore; then it is the first that is asked."""
    lines = ["*filter", f":{CHAIN} - [0:0]", f"-A {CHAIN} -i lo -j RETURN"]
    for each in rules:
        port = "-A {} -p tcp --dport {}".format(CHAIN, each["port"])
        lines += [f"{port} -s {cidr} -j RETURN" for cidr in ([] if closed else each["cidrs"])]
        lines.append(f"{port} -j DROP")
    text = "\n".join([*lines, "COMMIT", ""])
    restored = subprocess.run([f"{tool}-restore", "-w", "--noflush"], input=text, universal_newlines=True)
    if restored.returncode:
        return restored.returncode
    _, listed = run(tool, "-w", "-S", "INPUT")
    if [line for line in listed.splitlines() if line.startswith("-A")][:1] == [f"-A INPUT -j {CHAIN}"]:
        return 0
    rc, out = run(tool, "-w", "-I", "INPUT", "1", "-j", CHAIN)
    if rc:
        print(f"{tool}: {out}", file=sys.stderr)
    return rc


def emptied(tool: str) -> int:
    """No way leads into the chain, and it is gone."""
    while run(tool, "-w", "-D", "INPUT", "-j", CHAIN)[0] == 0:
        pass
    run(tool, "-w", "-F", CHAIN)
    run(tool, "-w", "-X", CHAIN)
    return 0
