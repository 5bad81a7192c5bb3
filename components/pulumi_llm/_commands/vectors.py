"""`pulumi-llm vectors backup|restore|list -s STACK`: encrypted backups of a stack's vector store.

Each engine is saved by its own means: docs/backups.md says which, and whether it runs meanwhile. They go to the place
that `vectors.backup.to` names, or `--to`: a folder of this machine, or a bucket, with the credentials that are here.

Exit 0: done. Exit 1: it is refused, or the machine does not answer; the store is as it was. Exit 2: called wrongly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_llm._commands import WRONG_CALL, Command, option
from pulumi_llm._commands._options import JSON, PROJECT, SIMULATED, STACK
from pulumi_llm._texts import _

if TYPE_CHECKING:
    from argparse import Namespace

    from pulumi_llm._commands import Options

TO = option(
    "--to", metavar="PLACE", help="oss://, cos:// or s3://BUCKET/PREFIX, or a folder (default: vectors.backup.to)"
)


def _own(name: str, options: Options, line: str) -> Command:
    def body(asked: Namespace) -> int:
        from pulumi_llm._commands import _backup

        return _backup.ACTIONS[name](asked)

    return Command(
        name=name, help=line, about=line, options=options, body=body, wrong_call=WRONG_CALL, of_machines="vectors"
    )


def _key_file(text: str) -> object:
    from pathlib import Path

    from pulumi_llm._commands._values import unfit
    from pulumi_llm._language import tr

    path = Path(text)
    if not path.is_file():
        raise unfit(tr("{text} is not a file", text=text))
    return path


COMMAND = Command(
    name="vectors",
    help="back up a stack's vector store, restore it, list the backups",
    about=__doc__,
    commands=(
        _own("backup", (STACK, SIMULATED, TO, PROJECT, JSON), _("make a backup now, and delete those beyond `keep`")),
        _own(
            "restore",
            (
                STACK,
                SIMULATED,
                TO,
                option("--of", metavar="STACK", help="another stack of this project, whose backup it is"),
                option("--id", metavar="ID", help="which backup (default: the newest)"),
                option(
                    "--key", type=_key_file, metavar="FILE", help="the key that reads it (default: that stack's own)"
                ),
                PROJECT,
                JSON,
            ),
            _("put a backup in the place of all that the store has"),
        ),
        _own("list", (STACK, SIMULATED, TO, PROJECT, JSON), _("the backups, oldest first")),
    ),
)
