"""Web pages that may ask a gateway from a browser, by their origins."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from pulumi_llm._addresses import without_secrets
from pulumi_llm._texts import _
from pulumi_llm.spec.fields import Text, invalid

_ORIGIN = re.compile(
    r"https?://(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*(?::[0-9]{1,5})?"
)


def _origin(value: str) -> str:
    # A browser sends it in small letters, without the scheme's own port and without a path.
    standard = re.sub(r"^(http://[^:/]*):80$|^(https://[^:/]*):443$", r"\1\2", value.lower().rstrip("/"))
    if value != standard or not _ORIGIN.fullmatch(value):
        raise invalid(
            "spec.bad-origin",
            _("{value!r} is not an origin as browsers send it", value=without_secrets(value)),
            standard
            if _ORIGIN.fullmatch(standard)
            else _("scheme, host and port of each page that may ask: https://chat.example.com"),
        )
    return value


Origin = Annotated[Text, AfterValidator(_origin)]
