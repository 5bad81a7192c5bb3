"""Addresses that users give: whether they are one, and how they are shown without the secrets that some carry."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_UNFIT = re.compile(r"[\s\x00-\x1f@]")


def host_of(address: str, *schemes: str) -> str | None:
    """Host and port of an address of one of the schemes (``https`` where none is named), else None.

    None too where it carries a name and a password: no address here takes them, and they would be shown.
    """
    try:
        parts = urlsplit(address)
        named = parts.hostname and parts.port != 0 and all(parts.hostname.removesuffix(".").split("."))
    except ValueError:  # half an IPv6 address, or a port that is none
        return None
    fits = parts.scheme in (schemes or ("https",)) and named and not _UNFIT.search(parts.netloc)
    return parts.netloc if fits else None


def without_secrets(address: str) -> str:
    """An address as messages show it: without a name and a password, a query and a fragment, as keys stand there."""
    return re.sub(r"[?#].*", "…", re.sub(r"//[^/?#]*@", "//…@", address), flags=re.DOTALL)
