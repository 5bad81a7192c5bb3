"""What a character counts as when words are looked for.

Every character folds by itself, whatever stands beside it, to none, one or several symbols. So the place of each symbol
in the original text is known, and text may come in any pieces. The rules, in order:

- Invisible characters (default-ignorable ones, format and control characters, combining marks that go with any
  letter) count as nothing at all.
- Compatibility decomposition (NFKD), then case folding: width, ligatures, enclosed, superscript and mathematical
  letters come down to plain ones, and accents fall off. Two texts with the same NFKC form fold to the same symbols.
- Letters with strokes and hooks, small capitals, regional-indicator and negative enclosed letters become their plain
  letters, which Unicode does not decompose them to.
- Han characters become the simplified form (OpenCC's tables of characters, the Taiwan and Hong Kong variants
  included); radicals become the characters that they look like.
- All that is no letter, number or mark of a script is a separator.

Two more views of a text exist: `LOOKALIKE`, in which letters of other scripts that look like Latin ones become those
(Unicode's confusables), and `LEET`, in which digits and signs become letters too. Each is searched apart, with rules
of its own.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import lru_cache
from pathlib import Path

TABLE = json.loads(Path(__file__).with_name("fold.json").read_text(encoding="utf-8"))

IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Default_Ignorable_Code_Point of Unicode 16.0 (DerivedCoreProperties.txt)."""

LOOSE_MARK = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u064b-\u065f\u0670\u0640\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
"""Marks that may be put on any letter, and the vowel points that Hebrew and Arabic are usually written without. The
marks of Indic scripts and the Japanese voicing marks make another letter, so they count."""

EXTENDING = re.compile("[\u3099\u309a\u1160-\u11ff]")
"""Voicing marks, and the vowels and finals of Hangul syllables in parts: the end of a letter that began before."""

LETTER_NAME = re.compile(r"LATIN (?:SMALL |CAPITAL )?LETTER (?:SMALL CAPITAL )?([A-Z])(?: WITH .*)?")

NEGATIVE = {0x1F150: 26, 0x1F170: 26, 0x1F1E6: 26}
"""Where the alphabets of white letters on black discs and squares, and of regional indicators, begin."""

SPACELESS = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u2e80-\u2fdf\u3005-\u3007"
    "\u3021-\u3029\u3041-\u318f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)
"""Scripts that put no spaces between words (Han, kana, Thai, Lao, Khmer, Burmese, Tibetan), or that tie endings to
words (Hangul): a word of theirs is looked for within any text."""

LEET_LETTERS = {
    "0": "o",
    "1": "i",
    "3": "e",
    "4": "a",
    "5": "s",
    "7": "t",
    "@": "a",
    "$": "s",
    "!": "i",
    "|": "i",
    "+": "t",
}

_SIMPLIFIED = dict(zip(TABLE["traditional"], TABLE["simplified"], strict=True))
_SIMPLIFIED |= dict(zip(TABLE["radicals"], TABLE["radicals_to"], strict=True))
_LOOKS_LIKE = {each: letter for letter, row in TABLE["lookalikes"].items() for each in row}


HAN = ((0x4E00, 0xA000), (0x3400, 0x4DC0), (0x20000, 0x2FA1E), (0x30000, 0x40000))
"""Ideographs, two in three of all letters. None but the compatibility ones (U+2F800 and after) decomposes."""

MOST = 1 << 18
"""Characters that a view remembers. All that have symbols are fewer; what has none is not remembered where it is told
at once, so that a text made of all of Unicode neither fills the memory nor makes later texts slow."""


class Fold(dict[int, str]):
    """Code point to symbols, ``""`` for what is invisible or a separator; fit for `str.translate`."""

    def __missing__(self, point: int) -> str:
        char = chr(point)
        if unicodedata.category(char) in ("Cn", "Co", "Cs"):
            return ""
        symbols = self._symbols(char)
        if len(self) < MOST:
            self[point] = symbols
        return symbols

    def _symbols(self, char: str) -> str:
        return fold_character(char)


class _Lookalike(Fold):
    def _symbols(self, char: str) -> str:
        return _looked_at(char)


class _Leet(Fold):
    def _symbols(self, char: str) -> str:
        return "".join(LEET_LETTERS.get(each, "") for each in unicodedata.normalize("NFKD", char)) or _looked_at(char)


def fold_character(char: str) -> str:
    """The symbols of one character."""
    if any(first <= ord(char) < end for first, end in HAN) and not unicodedata.decomposition(char):
        return _SIMPLIFIED.get(char, char) if unicodedata.category(char) == "Lo" else ""
    if is_invisible(char):
        return ""
    for first, count in NEGATIVE.items():
        if first <= ord(char) < first + count:
            return chr(ord("a") + ord(char) - first)
    symbols = "".join(map(_plain, _SIMPLIFIED.get(char) or unicodedata.normalize("NFKD", char)))
    symbols = unicodedata.normalize("NFKD", symbols.casefold())
    return "".join(_SIMPLIFIED.get(each, each) for each in symbols if _counts(each))


def _plain(char: str) -> str:
    named = LETTER_NAME.fullmatch(unicodedata.name(char, "")) if ord(char) > 127 else None
    return named[1] if named else char


def _counts(char: str) -> bool:
    return unicodedata.category(char)[0] in "LNM" and not is_invisible(char)


def is_invisible(char: str) -> bool:
    """Whether a character counts as if it were not there."""
    if IGNORABLE.match(char) or LOOSE_MARK.match(char):
        return True
    return unicodedata.category(char) in ("Cf", "Cc") and not char.isspace()


def _looked_at(char: str) -> str:
    plain = PLAIN[ord(char)]
    if plain == char and SPACELESS.match(char):
        return plain  # no letter of such a script is taken for a Latin one
    bases = [each for each in unicodedata.normalize("NFKD", char) if not is_invisible(each)]
    letters = [_LOOKS_LIKE.get(each) or _LOOKS_LIKE.get(each.casefold()) for each in bases]
    return "".join(each or fold_character(base) for each, base in zip(letters, bases, strict=True))


def extends(char: str) -> bool:
    """Whether a character belongs to the letter before it, and makes another letter of it."""
    first = PLAIN[ord(char)][:1]
    return bool(first) and (EXTENDING.match(first) is not None or unicodedata.category(first)[0] == "M")


PLAIN, LOOKALIKE, LEET = Fold(), _Lookalike(), _Leet()


def is_substituted(view: Fold, char: str) -> bool:
    """Whether a view takes a character for something else than it is."""
    return view is not PLAIN and view[ord(char)] != PLAIN[ord(char)]


def script(char: str) -> str:
    """The script of a letter, by the first word of its name; ASCII letters and digits are a script of their own."""
    return "ASCII" if PLAIN[ord(char)].isascii() else _script(char)


@lru_cache(65536)
def _script(char: str) -> str:
    return unicodedata.name(char, "?").split()[0]


class _Seen(dict[int, str]):
    """Code point to the character, ``""`` where it is invisible; fit for `str.translate`."""

    def __missing__(self, point: int) -> str:
        char = chr(point)
        seen = "" if is_invisible(char) else char
        if len(self) < 65536:
            self[point] = seen
        return seen


_SEEN = _Seen()


def visible(text: str) -> str:
    """A text without what is invisible."""
    return text if text.isascii() and text.isprintable() else text.translate(_SEEN)


def is_seen(char: str) -> bool:
    """Whether a character is visible; the remembered form of `is_invisible`."""
    return _SEEN[ord(char)] != ""


_LEET_SIGNS = re.compile(f"[{re.escape(''.join(LEET_LETTERS))}]")


def views(text: str, *, leet: bool) -> list[tuple[Fold, str]]:
    """The views of a text that differ from each other, each with the text's symbols in it.

    One pass for each: `unicodedata.normalize` takes the square of the length of a run of marks.
    """
    plain = text.translate(PLAIN)
    found: list[tuple[Fold, str]] = [(PLAIN, plain)]
    if not text.isascii():
        looked_at = text.translate(LOOKALIKE)
        if looked_at != plain:
            found.append((LOOKALIKE, looked_at))
    if leet and (not text.isascii() or _LEET_SIGNS.search(text)):
        found.append((LEET, text.translate(LEET)))
    return found
