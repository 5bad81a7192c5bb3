"""`pulumi-llm bundle -s STACK --to FOLDER`: all that a machine installs, collected into one folder.

Packages with what they need, wheels, container images and weights, each held against its digest, with a manifest. A
machine of your own installs from the folder alone once the stack's file says where it lies there: `server.host.bundle`.
A machine of a cloud takes it from the bucket of `server.weights`: `--upload` sends it there, signed with
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and says its digest for `server.weights.bundle`. What is there already is
neither fetched nor sent again. `HF_TOKEN` is read for models whose terms have to be accepted.

Exit 0: done, and everything is there. Exit 1: refused, or something could not be had. Exit 2: called wrongly.
"""

from __future__ import annotations

from pathlib import Path

from pulumi_llm._commands import WRONG_CALL, Command, option
from pulumi_llm._commands._options import JSON, PROJECT, STACK

COMMAND = Command(
    name="bundle",
    help="collect all that a machine without a network installs",
    about=__doc__,
    options=(
        STACK,
        option("--to", type=Path, metavar="FOLDER", help="the folder to collect into"),
        option("--list", action="store_true", help="only tell what it would be; asks nobody"),
        option(
            "--packages", nargs="+", action="extend", default=[], metavar="NAME", help="further packages of Ubuntu's"
        ),
        option(
            "--kernel",
            nargs="+",
            action="extend",
            default=[],
            metavar="RELEASE",
            help="NVIDIA's driver too, for machines of a cloud whose image has this kernel (uname -r) and no driver",
        ),
        option("--upload", action="store_true", help="send it to the bucket that server.weights names"),
        option(
            "--from",
            dest="sources",
            action="append",
            default=[],
            metavar="KIND=URL",
            help="fetch from there alone: pypi=URL, apt=URL, registry=PREFIX/, hub=KIND=URL",
        ),
        PROJECT,
        JSON,
    ),
    wrong_call=(*WRONG_CALL, "bundle.bad-source", "bundle.no-folder", "bundle.no-bucket"),
    long=True,
    of_machines="bundle",
)
