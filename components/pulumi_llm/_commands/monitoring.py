"""`pulumi-llm monitoring --out DIR`: alerts for Prometheus and a board for Grafana; with `-s STACK` what to scrape too.

Written are llm-alerts.yml (rules) and llm-board.json. With `-s STACK` also llm-ends.yml (the days on which vendors
switch the stack's models off, from the program) and, from the outputs of the stack that is up, llm-scrape.yml (a part
of prometheus.yml) and each node's certificate authority. No key is written: make them, which can do nothing else,

  pulumi-llm keys add monitoring -s STACK --at server --endpoint /metrics --source-cidr ADDRESS/32 > llm-server.key

Exit 0: written. Exit 1: a file cannot be written, or the stack tells no outputs. Exit 2: called wrongly.
"""

from __future__ import annotations

from pathlib import Path

from pulumi_llm._commands import WRONG_CALL, Command, option
from pulumi_llm._commands._options import PROJECT, SIMULATED
from pulumi_llm._texts import _

COMMAND = Command(
    name="monitoring",
    help="alerts for Prometheus, a board for Grafana, and what to scrape",
    about=_("Alerts for Prometheus, a board for Grafana, and what to scrape."),
    options=(
        option("--out", type=Path, required=True, metavar="DIR", help="where to write; it is made"),
        option("-s", "--stack", help="the stack: its models' ends, and what is to be scraped"),
        SIMULATED,
        PROJECT,
    ),
    wrong_call=WRONG_CALL,
    long=True,
    of_machines="monitoring",
)
