"""Writes what follows from the models of spec/ and the rows of vendors and moderators: generate --help."""

from __future__ import annotations

import argparse
import difflib
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(Path(__file__).parent))

import guide  # noqa: E402
import schema  # noqa: E402
import typed  # noqa: E402

from pulumi_llm.spec import SECRETS, VENDORS  # noqa: E402

ARGS = ROOT / "components/pulumi_llm/_args.py"
PROJECT = ROOT / "Pulumi.yaml"
KINDS = ROOT / "templates/gateway/llm_gate/routes.py"
SCHEMA = ROOT / "tests/golden/schema.json"
PAGE = ROOT / "docs/components.md"
GUIDES = (ROOT / "docs/user-guide.md", ROOT / "docs/user-guide.zh.md")

LINE = 121
"""Characters of a line of Python, its end included."""

SECRETS_BEGIN = "  # Secrets, each set by `pulumi config set --secret NAME`."


def from_the_spec() -> dict[Path, str]:
    """Every file that follows from the spec and the rows, and what it holds."""
    made = {ARGS: typed.module(), PROJECT: _project(), KINDS: _kinds()}
    for page in GUIDES:
        each = guide.read(page)
        made[page] = guide.written(each)
        if each.said is not None:
            unused = [meaning for meaning in each.said if meaning not in each.used]
            if each.lacking or unused:
                problems = [f"no Chinese for {one!r}" for one in each.lacking]
                problems += [f"nothing has this meaning any more: {one!r}" for one in unused]
                where = f"a paragraph `zh: …` beneath a field's meaning, or {guide.ZH.relative_to(ROOT)}:"
                raise SystemExit("\n".join([where, *problems]))
    return made


def from_the_schema(text: str) -> dict[Path, str]:
    """The schema's own file, and the page that lists it."""
    return {SCHEMA: text, PAGE: schema.page(PAGE, json.loads(text))}


def _project() -> str:
    text = PROJECT.read_text(encoding="utf-8")
    head, found, rest = text.partition(SECRETS_BEGIN)
    if not found:
        raise SystemExit(f"Pulumi.yaml: there is no {SECRETS_BEGIN.strip()!r}, behind which the secrets stand")
    comment = rest.partition("\n")[0]
    rows = [
        f'  {each.config_key}:\n    description: {each.meaning.replace("``", "")}.\n    secret: true\n    default: ""\n'
        for each in SECRETS
    ]
    return f"{head}{found}{comment}\n{''.join(rows)}"


def _kinds() -> str:
    text = KINDS.read_text(encoding="utf-8")
    rows = ""
    for vendor in VENDORS.values():
        paths = [json.dumps(path) for path in vendor.endpoints]
        row = f'    "{vendor.name}": ({", ".join(paths)}{"," if len(paths) == 1 else ""}),\n'
        if len(row) > LINE:
            row = f'    "{vendor.name}": (\n{"".join(f"        {each},{chr(10)}" for each in paths)}    ),\n'
        rows += row
    # A function: what is put in may hold a backslash.
    made, count = re.subn(
        r'(    "gateway": (?:\([^)]*\)|\w+),\n).*?(?=^\})', lambda found: found[1] + rows, text, flags=re.S | re.M
    )
    if count != 1:
        raise SystemExit(f"{KINDS}: there is no table KINDS with a row for the kind gateway")
    return made


def _differences(made: Mapping[Path, str]) -> list[str]:
    found = []
    for path, text in made.items():
        now = path.read_text(encoding="utf-8") if path.exists() else ""
        if now != text:
            name = str(path.relative_to(ROOT))
            lines = difflib.unified_diff(
                now.splitlines(), text.splitlines(), name, f"{name} as generated", lineterm="", n=1
            )
            found.append("\n".join(list(lines)[:40]))
    return found


def _write(made: Mapping[Path, str]) -> None:
    for path, text in made.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stderr.write(f"generate: {path.relative_to(ROOT)} is new\n")


def _schema() -> str:
    # Another process: the components read `_args.py` as it is now.
    done = subprocess.run([sys.executable, __file__, "--schema"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return done.stdout


def main(arguments: list[str]) -> int:
    """Write the files, or say what is not as it would be. Exit 1: something differs; or a breaking change."""
    parser = argparse.ArgumentParser(prog="tools/generate", description="Writes what follows from spec/ and its rows.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file differs")
    parser.add_argument("--breaking", action="store_true", help="a change that breaks programs of others is meant")
    parser.add_argument("--schema", action="store_true", help="print the package's schema, and no more")
    given = parser.parse_args(arguments)
    if given.schema:
        sys.stdout.write(schema.of_the_host())
        return 0
    made = from_the_spec()
    if not given.check:
        _write(made)
    text = _schema()
    problems = list(schema.breaking(json.loads(SCHEMA.read_text(encoding="utf-8")), json.loads(text)))
    if problems and not given.breaking:
        sys.stderr.write("generate: this breaks programs that use the package:\n")
        sys.stderr.write("".join(f"  {each}\n" for each in problems))
        sys.stderr.write(
            "generate: if it is meant: tools/generate --breaking, and a line under Changed in CHANGELOG.md\n"
        )
        return 1
    if given.check:
        differences = _differences({**made, **from_the_schema(text)})
        sys.stderr.write("\n".join([*differences, "generate: run tools/generate\n"]) if differences else "")
        return 1 if differences else 0
    _write(from_the_schema(text))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
