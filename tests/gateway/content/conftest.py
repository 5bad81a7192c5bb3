"""The gateway's package is the node's, so the tests have to find it."""

import sys

from pulumi_llm.roles.files import templates

sys.path.insert(0, str(templates() / "gateway"))
