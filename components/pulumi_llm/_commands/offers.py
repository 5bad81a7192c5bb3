"""`pulumi-llm offers`: machines with GPUs and what they cost per hour, cheapest first.

List prices without disks, addresses and traffic; a price that is not known is shown as unknown, last. Exit 2 when
called wrongly or with a name that is not known.
"""

from __future__ import annotations

from pulumi_llm._commands import EVERY, Command, option
from pulumi_llm._commands._values import currency, number, whole

COMMAND = Command(
    name="offers",
    help="GPU machines and what they cost, cheapest first",
    about=__doc__,
    options=(
        option("--gpu", help="a GPU, such as T4 or A100-80GB"),
        option("--count", type=whole(1, 64), metavar="N", help="GPUs in one machine"),
        option("--cloud", help="a cloud, such as aliyun"),
        option("--region", help="a region"),
        option("--model", help="only what this model fits on, at the defaults of `pulumi-llm check`"),
        option("--max-price", type=number(0, 1e9), metavar="P", help="per hour, in the currency shown"),
        option("--currency", type=currency, default="CNY", help="CNY (default) or USD"),
        option("--spot", action="store_true", help="spot prices"),
        option("--limit", type=whole(1, 100_000), default=20, metavar="N", help="rows to show (default: %(default)s)"),
        option("--all", action="store_true", help="every row"),
        option("--json", action="store_true", help="every row as JSON"),
    ),
    wrong_call=EVERY,
)
