"""What is said of a place that does not take or give what it is asked."""

from __future__ import annotations

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal


def refused(where: str, why: str) -> Refusal:
    """A place that does not take or give what it is asked."""
    hint = _("may these credentials put, list and delete objects there, and is that the bucket's region?")
    return Refusal([Finding("backup.target-refused", _("{where}: {why}", where=where, why=why), hint)])
