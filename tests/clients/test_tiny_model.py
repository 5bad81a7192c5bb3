"""What the tiny model knows of letters: texts for vectors differ by their last one, and each of them begins an answer."""

from __future__ import annotations

import json
import math

from llm_boot import model
from llm_boot.script import script, start_of


def numbers() -> tuple[dict[str, int], list[list[float]], list[list[float]]]:
    return json.loads(model.files()["tokenizer.json"])["model"]["vocab"], *model._signs()


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / math.hypot(*one) / math.hypot(*other)


def test_no_two_letters_have_the_same_vector() -> None:
    vocabulary, known, __ = numbers()
    rows = [known[vocabulary[each]] for each in "abcdefghijklmnopqrstuvwxyz"]
    assert max(cosine(one, other) for place, one in enumerate(rows) for other in rows[:place]) < 0.98


def test_an_answer_begins_after_any_of_them() -> None:
    vocabulary, known, wanted = numbers()
    begin = vocabulary[model._spelt(script().follows[start_of("answer")])]
    said = [place for place, row in enumerate(wanted) if any(row)]
    spoken = {model._spelt(each) for each in script().follows}
    for letter in model._letters().values():
        if letter in spoken:
            continue  # what it says itself goes on as it was told
        of_letter = known[vocabulary[letter]]
        marks = {place: sum(a * b for a, b in zip(of_letter, wanted[place], strict=True)) for place in said}
        best = sorted(said, key=lambda place: -marks[place])[:2]
        assert best[0] == begin, letter
        assert marks[begin] > 1.2 * marks[best[1]]
