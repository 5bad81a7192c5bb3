"""The node's own code, and squeezing code for user data."""

from __future__ import annotations

import ast
import base64
import io
import lzma
import sys
import tokenize
from collections.abc import Iterator
from functools import cache

from pulumi_llm import _kept
from pulumi_llm._kept import kept
from pulumi_llm.roles.files import templates, text


def node_code() -> dict[str, str]:
    """The node's own Python package, as it is: relative path to source."""
    folder = templates() / "node" / "llm_node"
    names = sorted(each.name for each in folder.iterdir() if each.name.endswith(".py"))
    return {f"llm_node/{name}": text(f"node/llm_node/{name}") for name in names}


@cache
def squeezed(source: str) -> str:
    """Python source without docstrings, comments, annotations and needless blanks, for user data, where bytes are few.

    What is cut is cut by its position, and what stays is never written anew, so the result is the same under every
    Python version.
    """
    return kept("squeezed", (_kept.source(sys.modules[__name__]), source), lambda: _squeezed(source))


def _squeezed(source: str) -> str:
    tree = ast.parse(source)
    lines = source.encode().splitlines()
    cuts: list[tuple[int, int, int, int]] = []
    for item in _statements(tree):
        for argument in _arguments(item):
            if (end := argument.annotation) is not None:
                start = argument.col_offset + len(argument.arg.encode())
                cuts.append((argument.lineno, start, end.end_lineno or 0, end.end_col_offset or 0))
        if isinstance(item, ast.ImportFrom):
            if item.module in ("__future__", "typing", "collections.abc"):
                cuts.append((item.lineno, 0, item.end_lineno or item.lineno, len(lines[(item.end_lineno or 1) - 1])))
        elif isinstance(item, (ast.Module, ast.FunctionDef, ast.ClassDef)):
            if ast.get_docstring(item, clean=False) is not None:
                quote = item.body[0]
                # A body that is nothing but its docstring would be left empty.
                if len(item.body) > 1 or isinstance(item, ast.Module):
                    cuts.append(
                        (quote.lineno, 0, quote.end_lineno or quote.lineno, len(lines[(quote.end_lineno or 1) - 1]))
                    )
            if isinstance(item, ast.FunctionDef) and item.returns is not None:
                back = lines[item.returns.lineno - 1].rfind(b" ->", 0, item.returns.col_offset)
                cuts.append((item.returns.lineno, back, item.returns.end_lineno or 0, item.returns.end_col_offset or 0))
    for top, start, bottom, stop in sorted(cuts, reverse=True):
        lines[top - 1 : bottom] = [lines[top - 1][:start] + lines[bottom - 1][stop:], *[b""] * (bottom - top)]
    return _tight(b"\n".join(lines).decode() + "\n")


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """The module and all its statements. Expressions, which are most of a tree, are not gone through."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        item = waiting.pop()
        yield item
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(item, block, ())


def _arguments(item: ast.AST) -> Iterator[ast.arg]:
    """The arguments that a statement declares; only those of functions have annotations."""
    if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
        yield from (each for each in ast.iter_child_nodes(item.args) if isinstance(each, ast.arg))


def _tight(source: str) -> str:
    """Source as one line a statement, with a blank only where two words would run together."""
    lines = source.splitlines(keepends=True)
    kept: list[str] = []
    level = inside = 0
    begun = (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind, text = tokenize.tok_name[token.type], token.string
        # From Python 3.12 on an f-string is many tokens. It is kept as it stands, as it is one token before.
        if kind == "FSTRING_START":
            begun = begun if inside else token.start
            inside += 1
        elif kind == "FSTRING_END":
            inside -= 1
            text = _between(lines, begun, token.end)
        if inside or kind in ("NL", "ENDMARKER"):
            continue
        if kind in ("INDENT", "DEDENT"):
            level += 1 if kind == "INDENT" else -1
        elif kind == "COMMENT":
            kept += [text, "\n"] if text.startswith("#!") else []
        elif kind == "NEWLINE":
            kept.append("\n")
        else:
            if not kept or kept[-1] == "\n":
                kept.append(" " * level)
            elif _wordy(kept[-1][-1:]) and _wordy(text[:1]):
                kept.append(" ")
            kept.append(text)
    return "".join(kept)


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """The text from one position (line from 1, column from 0) to another."""
    rows = lines[start[0] - 1 : end[0]]
    rows[-1] = rows[-1][: end[1]]
    rows[0] = rows[0][start[1] :]
    return "".join(rows)


def _wordy(character: str) -> bool:
    return character.isalnum() or character == "_"


def packed(files: dict[str, str]) -> str:
    """Files as one line of text that cloud-init cannot mistake: path, NUL, text, NUL, path…; LZMA, base 85.

    Tighter than gz+b64 by a tenth, which is what keeps a node within Tencent Cloud's 12,288 bytes.
    """
    # Sorted: what is alike stands together.
    plain = "\0".join(part for pair in sorted(files.items()) for part in pair).encode()
    # A small dictionary: the preset's own is 64 MiB, which takes longer to make than all the rest. No container: it
    # costs sixty bytes, and the node's decompressor tells the two apart by itself.
    level = {"preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 20, "lc": 3, "lp": 0, "pb": 0}
    filters = [{"id": lzma.FILTER_LZMA1, **level}]
    return base64.b85encode(lzma.compress(plain, format=lzma.FORMAT_ALONE, filters=filters)).decode()


def unpacked(line: str) -> dict[str, str]:
    """The files that `packed` made a line of."""
    parts = lzma.decompress(base64.b85decode(line)).decode().split("\0")
    return dict(zip(parts[::2], parts[1::2], strict=True))
