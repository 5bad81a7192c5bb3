"""`pulumi-llm keys add|list|rotate|revoke -s STACK`: keys of a gateway that runs, with no restart and no loss.

Exit 0: done. Exit 1: it is refused, or the machine does not answer. Exit 2: called wrongly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_llm._commands import Command, Options, option
from pulumi_llm._commands._options import JSON, PROJECT, SIMULATED, STACK
from pulumi_llm._commands._values import one_of, places, unfit, whole
from pulumi_llm._language import tr
from pulumi_llm._texts import _

if TYPE_CHECKING:
    import datetime
    from argparse import Namespace
    from collections.abc import Callable


def _today() -> datetime.date:
    import datetime

    return datetime.datetime.now(datetime.UTC).date()


def _day(text: str) -> int:
    import datetime

    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        raise unfit(tr("{text!r} is not a day such as 2027-12-31", text=text)) from None
    if day < _today():
        raise unfit(tr("{text} is over: the key would never work", text=text))
    midnight = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
    return int(midnight.timestamp()) + 86400


NAME = option("name", help="1 to 31 lower-case letters, digits and dashes")
COMMON = (
    STACK,
    SIMULATED,
    option(
        "--at",
        type=one_of("place", lambda: (*places(), "vectors")),
        default="server",
        help="server or proxy; list also: vectors",
    ),
    PROJECT,
)


def _own(name: str, options: Options | Callable[[], Options], line: str) -> Command:
    def body(asked: Namespace) -> int:
        from pulumi_llm._commands import _keys

        return _keys.ACTIONS[name](asked)

    return Command(name=name, help=line, about=line, options=options, body=body, of_machines="keys")


def _of_a_new_one() -> Options:
    from pulumi_llm._commands._limits import limits

    return (
        NAME,
        *COMMON,
        *(option(f"--{name.replace('_', '-')}", type=kind) for name, kind in limits().items()),
        option("--model", action="append", default=[], help="a model that it may ask; may be repeated"),
        option("--endpoint", action="append", default=[], help="a path that it may use; may be repeated"),
        option("--source-cidr", action="append", default=[], help="from where; may be repeated"),
        option(
            "--ask-twice",
            action="store_true",
            help="a paid request goes out once more where its upstream closes without a word, and both count",
        ),
        option("--expires", type=_day, help="the last day (UTC) on which it works: 2027-12-31"),
    )


COMMAND = Command(
    name="keys",
    help="add, list, rotate and revoke keys of a gateway that runs",
    about=__doc__,
    commands=(
        _own("add", _of_a_new_one, _("a new key, with limits of its own")),
        _own("list", (*COMMON, JSON), _("the keys, their limits and how they were made")),
        _own(
            "rotate",
            (
                NAME,
                *COMMON,
                option("--overlap-minutes", type=whole(0, 10080), default=60, help="how long the old one works on"),
            ),
            _("a new key in place of an old one, which works on for a while"),
        ),
        _own("revoke", (NAME, *COMMON), _("a key that works no more from now on")),
    ),
)
