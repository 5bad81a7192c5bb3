"""The package's schema as the component host gives it, and what in a new one breaks programs that use the old one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Schema = dict[str, Any]


def of_the_host() -> str:
    """The schema that the component host serves, as it stands in tests/golden/schema.json."""
    import pulumi_llm
    from pulumi_llm._component import PACKAGE
    from pulumi_llm._hosting import COMPONENTS, Components

    host = Components([getattr(pulumi_llm, name) for name in COMPONENTS], PACKAGE, pulumi_llm.__version__)
    return json.dumps(json.loads(host.schema or "{}"), indent=2, sort_keys=True) + "\n"


def breaking(old: Schema, new: Schema) -> Iterator[str]:
    """What a program that was written for ``old`` may trip over: one sentence each."""
    for section in ("resources", "types"):
        for token, row in old.get(section, {}).items():
            name = token.rsplit(":", 1)[-1]
            other = new.get(section, {}).get(token)
            if other is None:
                yield f"{name} is gone"
                continue
            if section == "types":
                yield from _inputs(name, row, other, ("properties", "required"))
            else:
                yield from _inputs(name, row, other, ("inputProperties", "requiredInputs"))
                yield from _outputs(name, row, other)


def _inputs(name: str, before: Schema, other: Schema, sections: tuple[str, str]) -> Iterator[str]:
    at, needs = sections
    new, required = other.get(at, {}), before.get(needs, [])
    for key, row in before.get(at, {}).items():
        if key not in new:
            yield f"{name}.{key} is gone"
        elif _kind(row) != _kind(new[key]):
            yield f"{name}.{key} was {_kind(row)}, and is {_kind(new[key])}"
        elif new[key].get("plain") and not row.get("plain"):
            yield f"{name}.{key} took an Output, and takes none"
    for key in other.get(needs, []):
        if key not in required:
            yield f"{name}.{key} is required, and was not"


def _outputs(name: str, old: Schema, new: Schema) -> Iterator[str]:
    for key, row in old.get("properties", {}).items():
        found = new.get("properties", {}).get(key)
        if found is None:
            yield f"the output {name}.{key} is gone"
        elif _kind(row) != _kind(found):
            yield f"the output {name}.{key} was {_kind(row)}, and is {_kind(found)}"
        elif key in old.get("required", []) and key not in new.get("required", []):
            yield f"the output {name}.{key} may be absent, and was always there"


def _kind(row: Mapping[str, Any]) -> str:
    if "items" in row:
        return f"list of {_kind(row['items'])}"
    if "additionalProperties" in row:
        return f"map of {_kind(row['additionalProperties'])}"
    reference = str(row.get("$ref", ""))
    return reference.rsplit(":", 1)[-1].rsplit("/", 1)[-1] if reference else str(row.get("type", "any"))


# -- docs/components.md


def page(path: Path, schema: Schema) -> str:
    """The page of the components with its tables made anew."""
    text = path.read_text(encoding="utf-8")
    for token, resource in schema["resources"].items():
        for part, table in (("arguments", _arguments(resource)), ("outputs", _results(resource))):
            name = token.rsplit(":", 1)[-1]
            begin, end = f"<!-- {name} {part} -->\n", f"\n<!-- end of {name} {part} -->"
            if begin not in text or end not in text:
                raise SystemExit(f"{path}: there is no {begin.strip()}, behind which a table stands")
            text = text.partition(begin)[0] + begin + table + end + text.partition(end)[2]
    return text


PLACES = {
    "Server": "server",
    "Access": "access",
    "Vectors": "vectors",
    "Proxy": "proxy",
    "NetworkChoice": "network",
    "Key": "keys-and-limits",
    "Route": "routes",
    "Service": "services",
    "Content": "content",
    "Upstream": "upstreams",
    "Price": "upstreams",
}
"""Where the user guide explains a type."""


def _arguments(resource: Schema) -> str:
    required = resource.get("requiredInputs", [])
    rows = resource["inputProperties"]
    order = [*required, *(name for name in rows if name not in required)]
    return _markdown(
        ("argument", "type", "required", "meaning"),
        [
            (f"`{_snake(name)}`", _shown(rows[name]), "yes" if name in required else "", _words(rows[name]))
            for name in order
        ],
    )


def _results(resource: Schema) -> str:
    always = resource.get("required", [])
    rows = resource["properties"]
    return _markdown(
        ("output", "type", "", "meaning"),
        [
            (f"`{_snake(name)}`", _shown(row), "" if name in always else "may be absent", _words(row))
            for name, row in rows.items()
        ],
    )


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda match: f"_{match[1].lower()}", name)


def _shown(row: Mapping[str, Any]) -> str:
    text = _kind(row)
    for name, place in PLACES.items():
        text = re.sub(rf"\b{name}\b", f"[{name}](user-guide.md#{place})", text)
    return text


def _words(row: Mapping[str, Any]) -> str:
    # A row of a table is one line.
    return " ".join(str(row["description"]).split()).replace("``", "`").replace("|", "\\|")


def _markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, tuple("---" for _ in head), *rows])
