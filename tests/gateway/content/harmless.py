"""Ten thousand sentences that hold none of the words of words.txt, though many hold their letters.

Real ones: English from the documentation strings of Python's standard library (PSF license), Chinese from those of
Tencent Cloud's SDK for CVM (Apache-2.0). Both come with the environment that the tests run in. Composed ones, of
harmless.json: frames around words that have a listed word inside, and around two words whose meeting makes one.
"""

from __future__ import annotations

import ast
import json
import re
import sysconfig
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import product
from pathlib import Path


@cache
def sentences() -> tuple[str, ...]:
    """All of them, each once, in the same order every time."""
    data = json.loads(Path(__file__).with_name("harmless.json").read_text(encoding="utf-8"))
    found = [*english(), *chinese()]
    found += [frame.replace("{}", word) for word, frame in product(data["near"], data["frames"])]
    found += [frame.replace("{}", each) for each, frame in product(data["meetings"], data["frames"][:12])]
    found += [frame.replace("{}", each) for each, frame in product(data["chinese_meetings"], data["chinese_frames"])]
    return tuple(dict.fromkeys(found))


def english() -> Iterator[str]:
    """Sentences of the standard library's documentation strings."""
    top = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted([*top.glob("*.py"), *top.glob("email/*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8", errors="replace"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
                for each in re.split(r"(?<=[.!?])\s+(?=[A-Z])|\n\n", text):
                    if 20 < len(each) < 400 and re.search("[a-z]{4}", each):
                        yield each


def chinese() -> Iterator[str]:
    """Sentences of the SDK's documentation strings."""
    source = (files("tencentcloud.cvm") / "v20170312/models.py").read_text(encoding="utf-8")
    for line in source.splitlines():
        text = re.sub(r"<[^>]+>|^\s*(?::param \w+:|:r?type.*|r?\"\"\")", " ", line)
        for each in re.split("(?<=[。；！？])", text):
            if len(re.findall("[\u4e00-\u9fff]", each)) >= 5:
                yield each.strip()
