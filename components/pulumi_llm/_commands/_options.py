"""The options that several commands have."""

from __future__ import annotations

from pathlib import Path

from pulumi_llm._commands import option

STACK = option("-s", "--stack", required=True, help="the stack")
PROJECT = option("--project", type=Path, default=Path(), help="a folder in the project (default: this one)")
SIMULATED = option("--sim", action="store_true", help="the stack of `pulumi-llm sim`")
JSON = option("--json", action="store_true", help="as JSON")

HUB = (
    option("--hub", action="append", default=[], metavar="H", help="huggingface, hf-mirror, modelscope or KIND=URL"),
    option("--revision", metavar="R", help="a branch, tag or commit of the model at the hub"),
    option("--refresh", action="store_true", help="ask the hub again, and for models of the catalogue too"),
    option("--offline", action="store_true", help="ask no hub: the catalogue, and what was fetched before"),
)
"""Of the commands that look for a model which the catalogue does not have."""

REVIEW = (
    option("--lang", choices=("en", "zh"), help="the comment's language (default: as for all commands)"),
    option("--marker", default="", metavar="NAME", help="tells several comments on one pull request apart"),
    option("--json", action="store_true", help="data in place of the comment"),
    option("--out", type=Path, metavar="FILE", help="write to a file (default: standard output)"),
    option(
        "--fail-on",
        nargs="+",
        action="extend",
        metavar="GATE",
        help="exit 1 at any of: errors (the default), warnings, changes, callers, dearer, never, or an impact or "
        "worse, such as replaces-machine",
    ),
)
"""Of the commands that review a change."""
