"""Prints comments of some changes, for `test_callers.py`: run under several PYTHONHASHSEEDs, it prints the same."""

from __future__ import annotations

import sys
import tempfile
from datetime import date
from pathlib import Path

from pulumi_llm import catalog
from pulumi_llm._review.comment import render
from pulumi_llm._review.stack_review import review
from tests.review.cases import CASES, base, compared


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before = base(folder, "aws")
        for each in sys.argv[1:]:
            found = review(
                compared(folder, "aws", before, CASES[each].edit),
                catalog.load(),
                today=date(2026, 11, 25),
                environment={},
            )
            sys.stdout.write(render([found]))


if __name__ == "__main__":
    main()
