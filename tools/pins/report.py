"""Tell how old each pin of the project is, by asking the registries. Run by hand, with the network; no test or CI does.

exit codes:
  0  every pin that can be asked about is the newest, and no advisory is known
  1  something is newer, or an advisory is known
  2  wrong usage, or the table of places (tools/pins/places.toml) is wrong
  3  not every question was answered, whatever the other answers say
"""

from __future__ import annotations

import argparse
import concurrent.futures
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reading import Pin, PlaceError, pins
from registries import Answer, NoAnswerError, Registries, newer

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Row:
    """One pin, where it stands, and what its registry said: an answer, or why there is none."""

    pin: Pin
    paths: tuple[str, ...]
    answer: Answer | None = None
    failure: str = ""

    @property
    def newer(self) -> bool:
        return self.answer is not None and (
            bool(self.answer.newest_name) or newer(self.answer.newest, self.pin.version)
        )

    @property
    def unanswered(self) -> bool:
        return bool(self.failure) or (self.answer is not None and (self.answer.silent or bool(self.answer.unknown)))


def main(arguments: Sequence[str] | None = None, *, root: Path = ROOT) -> int:
    """Ask and print; see the exit codes above."""
    words = (__doc__ or "").split("\n\n", 1)
    parser = argparse.ArgumentParser(
        prog="tools/outdated",
        description=words[0],
        epilog=words[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    usual = Registries()
    parser.add_argument("--all", action="store_true", help="also what is locked below the pins that a person chose")
    parser.add_argument("--pypi", default=usual.pypi, metavar="URL", help="the Python index (%(default)s)")
    parser.add_argument("--go", default=usual.go, metavar="URL", help="the Go module proxy (%(default)s)")
    parser.add_argument("--debian", default=usual.debian, metavar="URL", help="Debian's archive (%(default)s)")
    parser.add_argument(
        "--advisories",
        action="store_true",
        help="write what is known of weaknesses into the data of `pulumi-llm outlook`; asks as --all does",
    )
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="for one answer (%(default)g)")
    asked = parser.parse_args(arguments)
    if not 0 < asked.seconds <= 3600:
        parser.error("--seconds must be more than 0, and at most 3600")
    try:
        found = pins(root, locked=asked.all or asked.advisories)
    except PlaceError as error:
        print(f"outdated: {error}", file=sys.stderr)
        return 2
    at = Registries(asked.pypi.rstrip("/"), asked.go.rstrip("/"), asked.debian.rstrip("/"), asked.seconds)
    rows = answers(found, at)
    now = datetime.now(UTC)
    print("\n".join(report(rows, len(found), now)))
    if asked.advisories:
        import advisories  # it reads rows of this module

        print(f"written: {advisories.write(root, rows, now).relative_to(root)}")
    return code(rows)


def answers(found: Sequence[Pin], at: Registries) -> list[Row]:
    """One row for each thing and version, asked once, wherever it stands."""
    places: dict[tuple[str, str, str], list[Pin]] = {}
    for each in found:
        places.setdefault(each.key, []).append(each)

    def row(group: list[Pin]) -> Row:
        pin, paths = group[0], tuple(dict.fromkeys(each.path for each in group))
        if not pin.registry:
            return Row(pin, paths)
        try:
            return Row(pin, paths, at.ask(*pin.key))
        except NoAnswerError as error:
            return Row(pin, paths, failure=str(error))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(row, places.values()))


def code(rows: Sequence[Row]) -> int:
    """The exit code that the rows are worth."""
    if any(row.unanswered for row in rows):
        return 3
    return int(any(row.newer or (row.answer and row.answer.advisories) for row in rows))


def report(rows: Sequence[Row], places: int, now: datetime) -> list[str]:
    """The lines that are printed: each pin, then the advisories, then the sums."""
    width = max(len(f"{row.pin.name} {row.pin.version}") for row in rows)
    lines = [f"{row.pin.name} {row.pin.version}".ljust(width) + "  " + _said(row, now) for row in rows]
    known = [(row, each) for row in rows if row.answer for each in row.answer.advisories or ()]
    lines += ["", "Advisories:" if known else "Advisories: none is known of what was answered"]
    for row, each in known:
        fixed = f"fixed in {', '.join(each.fixed_in)}" if each.fixed_in else "no fixed release is named"
        lines.append(f"  {row.pin.name} {row.pin.version}: {each.name}; {fixed}; {each.summary}".rstrip("; "))
    silent = [row for row in rows if row.answer and row.answer.silent]
    if silent:
        lines.append(f"Not known, for {len(silent)}: whether there are advisories. The first: {_why(silent[0])}")
        lines.append("  " + ", ".join(f"{row.pin.name} {row.pin.version}" for row in silent))
    count = {
        "newest": sum(row.answer is not None and not row.newer for row in rows),
        "with a newer release": sum(row.newer for row in rows),
        "with advisories": len({row.pin.key for row, _ in known}),
        "not answered": sum(bool(row.failure) for row in rows),
        "answered in part": sum(row.unanswered and not row.failure for row in rows),
        "not asked": sum(not row.pin.registry for row in rows),
    }
    sums = ", ".join(f"{number} {what}" for what, number in count.items())
    return [*lines, "", f"{now:%Y-%m-%d}: {len(rows)} pins at {places} places: {sums}."]


def _why(row: Row) -> str:
    return row.answer.no_advisories if row.answer else row.failure


def _said(row: Row, now: datetime) -> str:
    where = f"[{', '.join(row.paths)}]"
    if not row.pin.registry:
        return f"not asked: {row.pin.not_asked}  {where}"
    if row.answer is None:
        return f"NOT ANSWERED: {row.failure}  {where}"
    said = [_dated(row.answer.released, now)]
    if row.newer:
        name = f"{row.answer.newest_name} " if row.answer.newest_name else ""
        said.append(f"NEWER: {name}{row.answer.newest} of {_dated(row.answer.newest_released, now)}")
    else:
        said.append("newest")
    if row.answer.unlisted:
        said.append(row.answer.unlisted)
    if row.answer.unknown:
        said.append(f"LATER MAJOR VERSIONS NOT ANSWERED: {row.answer.unknown}")
    if row.answer.advisories:
        said.append(f"{len(row.answer.advisories)} ADVISORIES")
    return f"{'; '.join(said)}  {where}"


def _dated(moment: datetime | None, now: datetime) -> str:
    return f"{moment:%Y-%m-%d} ({(now - moment).days} days)" if moment else "date not known"


if __name__ == "__main__":
    sys.exit(main())
