"""The component host: `pulumi package add` runs this module so that other languages can use the components.

The engine passes the address at which it listens. Who starts it by hand wants the command `pulumi-llm`, and is told so:
the host would wait for calls that never come.
"""

import re
import sys
from collections.abc import Sequence

ADDRESS = re.compile(r"[^\s/=-][^\s/=]*:[0-9]{1,5}")
"""An engine's address, such as 127.0.0.1:41235."""

BY_HAND = """\
pulumi_llm is run by the Pulumi engine here, as the host of the components: it waits for the engine's calls, and was not
given the engine's address.
  the command:                  pulumi-llm --help   (or python -m pulumi_llm.cli --help)
  from Python:                  import pulumi_llm as llm
  from another language:        docs/components.md tells how, with pulumi package add
"""


def main(arguments: Sequence[str]) -> int:
    """Host the components until the engine is done. Exit 2 where no engine's address is given."""
    if not any(ADDRESS.fullmatch(each) for each in arguments):
        sys.stderr.write(BY_HAND)
        return 2
    import pulumi_llm
    from pulumi_llm._component import PACKAGE
    from pulumi_llm._hosting import COMPONENTS, serve

    serve([getattr(pulumi_llm, name) for name in COMPONENTS], PACKAGE, pulumi_llm.__version__, arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
