"""What is said of a place that does not take or give what it is asked."""

from __future__ import annotations

import re
from urllib.error import HTTPError

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal


def refused(where: str, why: str) -> Refusal:
    """A place that does not take or give what it is asked."""
    hint = _("may these credentials put, list and delete objects there, and is that the bucket's region?")
    return Refusal([Finding("backup.target-refused", _("{where}: {why}", where=where, why=why), hint)])


def unreachable(where: str, why: str) -> Refusal:
    """A bucket that does not answer."""
    hint = _("is the bucket's region right, and does this machine reach it?")
    return Refusal([Finding("backup.target-unreachable", _("{where}: {why}", where=where, why=why), hint)])


def answer(wrong: HTTPError) -> tuple[str, str]:
    """What a bucket answered: in words, and its own name for it ("" where it gave none)."""
    try:
        body = wrong.read(4000).decode(errors="replace")
    except OSError:
        body = ""
    found = re.search(r"<Code>([A-Za-z0-9.]{1,60})</Code>", body)
    if found is None:
        return _("it answered {code}", code=wrong.code), ""
    return _("it answered {code}: {name}", code=wrong.code, name=found[1]), found[1]
