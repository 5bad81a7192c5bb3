"""Writes docs/ports.md and its Chinese twin: every port of a node, from the roles' role.yaml.

    python tools/ports/write.py [--check]    --check: write nothing, exit 1 where a page is not what would be written

What surrounds the tables stands in tools/ports/*.md.in.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "components"))

from pulumi_llm.roles import registry  # noqa: E402
from pulumi_llm.roles.caddy import CHALLENGE_PORTS  # noqa: E402
from pulumi_llm.spec import AccessSpec  # noqa: E402

if TYPE_CHECKING:
    from pulumi_llm.roles.manifest import Listener

PLACE = TOP / "tools/ports"
PAGES = {"en": TOP / "docs/ports.md", "zh": TOP / "docs/ports.zh.md"}
Words = Mapping[str, Mapping[str, str]]


def table(head: Mapping[str, str], rows: Iterator[tuple[str, ...]]) -> str:
    """Rows below the columns' names."""
    lines = ["| " + " | ".join(row) + " |" for row in (tuple(head.values()), ("---",) * len(head), *rows)]
    return "\n".join(lines)


def listeners() -> list[tuple[str, Listener]]:
    """Each role's listeners, by their ports."""
    found = [(role.name, each) for role in registry.built_in().values() for each in role.manifest.listeners.values()]
    return sorted(found, key=lambda row: (row[1].port, row[0]))


def opened(words: Words) -> Iterator[tuple[str, ...]]:
    """What may be reached from outside."""
    who = words["who"]
    access = AccessSpec(allowed_cidrs=("192.0.2.0/24",))
    yield ("22", "SSH", "node", "sshd", who["ssh"], words["key"]["ssh"])
    for challenge, asked in CHALLENGE_PORTS.items():
        yield (str(asked), "ACME", "caddy", "Caddy", who[challenge], words["key"][challenge])
    for name, each in listeners():
        port = str(each.port)
        if name == "gateway":
            port = words["ports"]["gateway"].format(
                port=access.port(in_china=False), mainland=access.port(in_china=True)
            )
        server = each.title if each.protocol == "tls" else "Caddy"
        alone = each.protocol != "tls" and each.to is None
        title = words["ports"]["status"].format(title=each.title) if alone else each.title
        key = words["key"]["status" if alone else each.key]
        yield (port, title, name, server, who["alone" if alone else "listed"], key)


def closed(words: Words) -> Iterator[tuple[str, ...]]:
    """What listens on loopback alone."""
    for name, role in sorted(registry.built_in().items(), key=lambda row: row[1].manifest.loopback[:1]):
        ports = role.manifest.loopback
        if ports:
            ahead = [str(each.port) for each in role.manifest.listeners.values()]
            yield (", ".join(map(str, ports)), role.manifest.title, name, ", ".join(ahead) or words["ports"]["behind"])


def page(language: str) -> str:
    """A page as it should be."""
    words = json.loads((PLACE / "words.json").read_text(encoding="utf-8"))[language]
    text = (PLACE / f"{language}.md.in").read_text(encoding="utf-8")
    for name, rows in (("opened", opened(words)), ("closed", closed(words))):
        text = text.replace(f"@{name}@", table(words[name], rows))
    return text


def main() -> int:
    """Write the pages, or say which are not as they should be."""
    wrong = [(path, text) for name, path in PAGES.items() if (text := page(name)) != _read(path)]
    for path, text in wrong:
        if "--check" in sys.argv:
            print(f"{path.relative_to(TOP)} is not what role.yaml says: run `make generate`", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
    return 1 if wrong and "--check" in sys.argv else 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
