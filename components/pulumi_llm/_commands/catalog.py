"""`pulumi-llm catalog show | refresh | add`: how old the catalogue is, today's prices from the clouds, your own models.

The package's catalogue has a date on each row. `refresh` asks the clouds' APIs for list prices, spot prices and stock,
with the vendors' SDKs (the extra refresh) and your credentials, and writes a catalogue of its own. It
is used where the environment variable PULUMI_LLM_CATALOG names its folder, by every command and by `pulumi up`:

  export PULUMI_LLM_CATALOG=~/.local/share/pulumi-llm/catalog

It was tested with recorded answers and the vendors' SDKs against a server on the same machine; it was never run
against a real account. Look at the changes that it tells before you rely on them. A stack that names neither its zone
nor its instance type may be given others by another catalogue: see `pulumi preview` before `pulumi up`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pulumi_llm._commands import Command, Options, option
from pulumi_llm._commands._options import HUB, JSON
from pulumi_llm._texts import _

if TYPE_CHECKING:
    from argparse import Namespace

REFRESH = _(
    "Fetch list prices, spot prices and stock, and write a catalogue with them.\n\nClouds "
    "without credentials are named and skipped. Exit 0: everything asked was answered; "
    "1: something failed (what was\nanswered is written, what was not is kept), or "
    "nothing could be asked; 2: called wrongly.\n\nAliyun is asked twice for each type in "
    "each region, some two thousand calls for all of them: name regions or a GPU.\n\nIt "
    "was never run against a real account, only against recorded answers and a server on "
    "the same machine.\n"
)

ADD = _(
    """Ask a hub about a model, and write its row into the models of your project.

The row goes into pulumi-llm.models.json beside Pulumi.yaml: commit it with the project. Stacks, `check` and the others
then know the model as they know those of the package, and ask no network. Where the hub's answers contradict each
other, or two hubs have different files under the name, nothing is written. Exit 0: written; 1: refused; 2: called
wrongly.
"""
)

SHOW = _("Tell what the catalogue holds, how old it is, and the guide's prices beside today's.")

UNKNOWN_NAMES = ("catalog.unknown-*",)
"""A cloud, a region or a GPU that is called something else."""


def _show(asked: Namespace) -> int:
    from pulumi_llm._commands import _catalog

    return _catalog.show(asked)


def _refresh(asked: Namespace) -> int:
    from pulumi_llm._commands import _catalog

    return _catalog.refresh(asked)


def _add(asked: Namespace) -> int:
    from pulumi_llm._commands import _catalog

    return _catalog.add(asked)


def _refresh_options() -> Options:
    from pulumi_llm import clouds

    own = [(name, each.refresh_option) for name, each in clouds.folders().items() if each.refresh_option]
    return (
        option("--cloud", help="one cloud, such as aliyun (default: each that this machine has credentials for)"),
        option(
            "--region",
            action="append",
            default=[],
            help="a region; may be repeated (default: all that have the types)",
        ),
        option("--gpu", help="only machines with this GPU (default: all, and the CPU hosts for proxies)"),
        option(
            "--out", type=Path, metavar="DIR", help="where to write (default: pulumi-llm/catalog in your data folder)"
        ),
        *(option(f"--{name}-{each.name}", choices=each.choices, help=each.help) for name, each in own),
        option(
            "--accept-jumps",
            action="store_true",
            help="take list prices that are four times those known, or a quarter",
        ),
        option("--json", action="store_true", help="changes, stock and findings as JSON"),
    )


COMMAND = Command(
    name="catalog",
    help="how old the catalogue is, and today's prices from the clouds' APIs",
    about=__doc__,
    commands=(
        Command(
            name="show",
            help="what it holds and how old that is",
            about=SHOW,
            options=(JSON,),
            body=_show,
        ),
        Command(
            name="refresh",
            help="a new one, from the clouds' own APIs",
            about=REFRESH,
            options=_refresh_options,
            body=_refresh,
            wrong_call=UNKNOWN_NAMES,
        ),
        Command(
            name="add",
            help="a model that it does not have, for your project",
            about=ADD,
            options=(
                option("model", help="the model's id at the hub, such as org/name, or the path of its config.json"),
                *HUB,
                option("--id", metavar="ID", help="with a path: the model's id at the hub, by which a node fetches it"),
                option("--out", type=Path, metavar="FILE", help="default: pulumi-llm.models.json beside Pulumi.yaml"),
            ),
            body=_add,
        ),
    ),
)
