"""`pulumi-llm compare MODEL --input-tokens 50M --output-tokens 10M`: a machine of your own, managed services and
vendors' APIs, side by side per month.

Machines: on each cloud the cheapest that the model fits on, with the bill of a stack that has it, as `pulumi-llm bill`
makes it. Services: the catalogue's prices per token. Each figure has a source and a date, and what has no price is
"not known". Of vendors' APIs those are shown that have a model of that name; another one is compared where --with names
it. Whether one machine writes so many tokens is not known: no rate of a model on a card is in the catalogue.

Exit 0: done. Exit 2: called wrongly, or a name that is not known.
"""

from __future__ import annotations

from collections.abc import Sequence

from pulumi_llm._commands import EVERY, Command, Option, option
from pulumi_llm._commands._values import amount, many, whole


def _options() -> Sequence[Option]:
    from decimal import Decimal

    from pulumi_llm._review.item import DEFAULT_TRAFFIC_GIB
    from pulumi_llm._review.money import HOURS_PER_MONTH

    return (
        option("model", help="a model of the catalogue, or of the project's own rows"),
        option("--input-tokens", type=many, required=True, metavar="N", help="tokens of prompts a month, such as 50M"),
        option("--output-tokens", type=many, required=True, metavar="N", help="tokens of answers a month, such as 10M"),
        option(
            "--hours",
            type=amount(int(HOURS_PER_MONTH), zero=False),
            default=HOURS_PER_MONTH,
            metavar="H",
            help="hours a month in which a machine runs (default: %(default)s)",
        ),
        option("--cloud", help="machines of this cloud alone"),
        option("--region", help="and of this region of it"),
        option("--spot", action="store_true", help="machines at spot prices"),
        option("--max-model-len", type=whole(1, 100_000_000), metavar="N", help="as for `pulumi-llm check`"),
        option(
            "--traffic-gib",
            type=amount(10**7),
            default=Decimal(DEFAULT_TRAFFIC_GIB),
            metavar="N",
            help="GiB a month out of a machine's address, an assumption (default: %(default)s)",
        ),
        option(
            "--with",
            dest="chosen",
            action="append",
            default=[],
            metavar="VENDOR/MODEL",
            help="another model of a vendor's, such as openai/gpt-6-luna; may be repeated",
        ),
        option("--json", action="store_true", help="everything as JSON, each line of a bill and each source"),
    )


COMMAND = Command(
    name="compare",
    help="a machine of your own, managed services and vendors' APIs per month",
    about=__doc__,
    options=_options,
    wrong_call=EVERY,
)
