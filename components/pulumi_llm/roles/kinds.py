"""What the texts and numbers of a ``role.yaml`` may be."""

from __future__ import annotations

import re
from typing import Annotated

from pulumi_llm.roles.reading import Between, Like

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
"""A role, a service, a stage: part of file names and of systemd's."""

Name = Annotated[str, Like(NAME.pattern, "a name: 1 to 31 small letters, digits and dashes, a letter first")]
Secret = Annotated[str, Like(r"[a-z][a-z0-9_]{0,62}", "a name: small letters, digits and underscores")]
Title = Annotated[str, Like(r"[\w .,:;'()+/&-]{1,100}", "one line of words, which systemd and Caddy take as it is")]
Port = Annotated[int, Between(1, 65535)]
Loopback = Annotated[str, Like(r"127\.0\.0\.1:[0-9]{1,5}", "127.0.0.1 and a port")]
Text = Annotated[str, Like(r"[^\x00-\x1f\x7f]+", "one line of text")]
Gib = Annotated[int, Between(0, 16000)]
Code = Annotated[str, Like(r"[a-z0-9-]+\.[a-z0-9-]+", "a code: service.what-it-is")]
Version = Annotated[str, Like(r"\d+\.\d+", "a major and a minor version")]
NodePath = Annotated[str, Like(r"/(opt/llm|etc)(/(?!\.\.)[\w.@-]+)+", "a file under /opt/llm or /etc")]
FolderPath = Annotated[str, Like(r"(?!\.\.)[\w.-]+(/(?!\.\.)[\w.-]+)*", "a file of a folder, by its path in it")]
ImageName = Annotated[
    str,
    Like(r"[a-z0-9.-]+(:\d+)?/[\w./-]+(:[\w.-]+)?(@sha256:[0-9a-f]{64})?", "an image by its full name, registry too"),
]

ODD = r"^[^?]*(//|/\.\.?(/|$)|%2[ef]|%2[EF])"
"""A doubled slash, a dot or two for a folder, and either of them in disguise."""
