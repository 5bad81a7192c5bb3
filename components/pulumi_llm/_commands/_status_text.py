"""The status of nodes as text: a picture that is drawn anew on a terminal, and plain lines elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any, TextIO

from pulumi_llm._commands._status_ask import Answer
from pulumi_llm._language import told, tr
from pulumi_llm._tables import padded, width
from pulumi_llm._texts import _
from pulumi_llm.errors import explained

BAR = 24
LOG_LINES = 8


class Screen:
    """Where answers are shown. On a terminal that is watched, each picture replaces the one before; elsewhere only what
    changed is printed, so that a log stays readable.
    """

    def __init__(self, out: TextIO, *, live: bool) -> None:
        self.out, self.live = out, live
        self.drawn = 0
        self.told: dict[str, str] = {}

    def show(self, answers: list[Answer]) -> None:
        """Show what the nodes answered now."""
        if not self.live:
            self.out.write("\n".join(line for each in answers for line in picture(each)) + "\n")
        elif self.out.isatty():
            self._draw([line for each in answers for line in picture(each)])
        else:
            for each in answers:
                for name, line in changes(each):
                    if self.told.get(name) != line:
                        self.out.write(f"{line}\n")
                        self.told[name] = line
        self.out.flush()

    def _draw(self, lines: list[str]) -> None:
        columns, lines_high = shutil.get_terminal_size()
        fit = [line[: columns - 1] for line in lines][: lines_high - 1]
        back = f"\x1b[{self.drawn}F" if self.drawn else ""
        self.out.write(back + "".join(f"{line}\x1b[K\n" for line in fit) + "\x1b[J")
        self.drawn = len(fit)


def picture(answer: Answer) -> Iterator[str]:
    """A node: its stages with bars, what is in the way, and its last log lines."""
    document = answer.document
    if document is None:
        assert answer.problem is not None  # noqa: S101 - one of the two is there
        yield tr(
            "{target}: no answer: {printable}",
            target=answer.target.name,
            printable=printable(told(answer.problem.message)),
        )
        return
    state = _("ready") if answer.ready else _("not ready ({document})", document=_text(document, "state"))
    yield tr(
        "{target} {document}: {state}, as of {document_2}",
        target=answer.target.name,
        document=_text(document, "node"),
        state=state,
        document_2=_text(document, "updated") or "never",
    )
    columns = max((width(_text(each, "stage")) for each in document["stages"]), default=0)
    for each in document["stages"]:
        name, state = padded(_text(each, "stage"), columns), padded(_text(each, "state"), 8)
        yield f"  {name}  {state}{bar(each.get('progress'))}".rstrip()
        if _text(each, "code"):
            yield f"  {' ' * columns}  [{_text(each, 'code')}] {_text(each, 'message')}"
            if _text(each, "hint"):
                yield f"  {' ' * columns}  try: {_text(each, 'hint')}"
    yield from (f"  {line}" for line in _besides(document))
    lines = document.get("log") or []
    if isinstance(lines, list) and lines:
        yield tr("  last lines:")
        yield from (f"    {printable(str(line))}" for line in lines[-LOG_LINES:])


def changes(answer: Answer) -> Iterator[tuple[str, str]]:
    """A name and a line for each stage: printed when the line is another than before. Percents go by tens."""
    name, document = answer.target.name, answer.document
    if document is None:
        assert answer.problem is not None  # noqa: S101 - one of the two is there
        yield name, tr("{name}: no answer: {printable}", name=name, printable=printable(told(answer.problem.message)))
        return
    for each in document["stages"]:
        stage, state = _text(each, "stage"), _text(each, "state")
        if state == "waiting":
            continue
        progress = each.get("progress")
        percent = f" {_number(progress, 'percent') // 10 * 10} %" if state == "running" and progress else ""
        trouble = f" [{_text(each, 'code')}] {_text(each, 'message')}" if _text(each, "code") else ""
        yield f"{name} {stage}", f"{name}: {stage} {state}{percent}{trouble}"
    for number, line in enumerate(_changing(document)):
        yield f"{name} change {number}", f"{name}: {line}"
    for number, line in enumerate(_leaving(document)):
        yield f"{name} leave {number}", f"{name}: {line}"
    for number, line in enumerate(_waking(document)):
        yield f"{name} wake {number}", f"{name}: {line}"
    for number, line in enumerate(_backed_up(document)):
        yield f"{name} backup {number}", f"{name}: {line}"
    for number, line in enumerate(_kept(document)):
        yield f"{name} weights {number}", f"{name}: {line}"
    for number, line in enumerate(_named(document)):
        yield f"{name} name {number}", f"{name}: {line}"
    yield f"{name} ready", tr("{name}: {note}", name=name, note=_("ready") if answer.ready else _("not ready"))


def _besides(document: dict[str, Any]) -> Iterator[str]:
    """What there is to say of a node besides its stages."""
    for said in (_changing, _leaving, _waking, _backed_up, _kept, _named):
        yield from said(document)


CHANGES = {
    "loading": _("another model is loaded beside the one that serves"),
    "draining": _("another model serves; the one before finishes its answers"),
    "failed": _("the last change was taken back; the configuration before it runs"),
}


def _changing(document: dict[str, Any]) -> Iterator[str]:
    """How a change is that is under way, or why the last one was taken back."""
    change = document.get("change")
    if not isinstance(change, dict) or _text(change, "state") not in CHANGES:
        return
    yield told(CHANGES[_text(change, "state")])
    if _text(change, "code"):
        yield f"[{_text(change, 'code')}] {_text(change, 'message')}"
        if _text(change, "hint"):
            yield tr("try: {hint}", hint=_text(change, "hint"))


REASONS = {
    "idle": _("nobody asks it"),
    "hours": _("its hours are over"),
    "spot": _("its cloud takes it back"),
}


def _leaving(document: dict[str, Any]) -> Iterator[str]:
    """What a node says of stopping by itself, where there is more to say than that it watches."""
    leave = document.get("leave")
    if not isinstance(leave, dict) or _text(leave, "state") in ("", "watching"):
        return
    reason = told(REASONS.get(_text(leave, "reason"), ""))
    if _text(leave, "state") == "failed":
        yield tr("could not stop by itself ({reason}), and runs on", reason=reason)
    else:
        yield tr("stops and takes nothing new on: {reason}", reason=reason)
    if _text(leave, "code"):
        yield f"[{_text(leave, 'code')}] {_text(leave, 'message')}"
        if _text(leave, "hint"):
            yield tr("try: {hint}", hint=_text(leave, "hint"))


def _waking(document: dict[str, Any]) -> Iterator[str]:
    """What a node that starts further machines for requests did last."""
    wake = document.get("wake")
    if not isinstance(wake, dict):
        return
    machine, since, state = _text(wake, "machine"), _text(wake, "since"), _text(wake, "state")
    if state == "started":
        yield tr("started {machine} for a request ({time}); it takes no calls yet", machine=machine, time=since)
    elif state == "serving":
        yield tr("{machine} was started for a request, and has taken calls since {time}", machine=machine, time=since)
    elif state == "refused":
        yield tr("started no further machine for a request ({time})", time=since)
        yield f"[{_text(wake, 'code')}] {_text(wake, 'message')}"
        if _text(wake, "hint"):
            yield tr("try: {hint}", hint=_text(wake, "hint"))


def _backed_up(document: dict[str, Any]) -> Iterator[str]:
    """When the newest backup of a node's vectors was made, and how the timer's last one failed, if it did."""
    backup = document.get("backup")
    if not isinstance(backup, dict):
        return
    newest = _text(backup, "newest")
    yield tr("newest backup of the vectors: {time}", time=newest) if newest else tr("no backup of the vectors yet")
    if _text(backup, "code"):
        yield tr("the timer's last backup failed: [{code}]", code=_text(backup, "code"))
        if _text(backup, "hint"):
            yield tr("try: {hint}", hint=_text(backup, "hint"))


SOURCES = {
    "bucket": _("from the bucket"),
    "hub": _("from a hub"),
    "disk": _("on the disk already"),
}


def _kept(document: dict[str, Any]) -> Iterator[str]:
    """Where each model's weights came from, whether the bucket has them, and what is wrong with that."""
    found = document.get("weights")
    models = found.get("models") if isinstance(found, dict) else None
    for folder, each in models.items() if isinstance(models, dict) else ():
        if not isinstance(each, dict):
            continue
        yield tr(
            "weights {model}: {source}; {kept} in {bucket}",
            model=printable(str(folder).rpartition("/")[2]),
            source=told(SOURCES.get(_text(each, "source"), "")),
            kept=_("kept") if each.get("kept") is True else _("not kept yet"),
            bucket=_text(found, "bucket") if isinstance(found, dict) else "",
        )
        if _text(each, "code"):
            yield f"[{_text(each, 'code')}] {_text(each, 'message')}"
            if _text(each, "hint"):
                yield tr("try: {hint}", hint=_text(each, "hint"))


def _named(document: dict[str, Any]) -> Iterator[str]:
    """That a node's name does not lead to it, so that no authority signs for it."""
    name = document.get("name")
    if not isinstance(name, dict) or not _text(name, "code"):
        return
    yield f"[{_text(name, 'code')}] {_text(name, 'message')}"
    if _text(name, "hint"):
        yield tr("try: {hint}", hint=_text(name, "hint"))


def verdict(answer: Answer) -> str:
    """Why a node is not ready, with code and hint."""
    document = answer.document
    if document is None:
        return "" if answer.problem is None else answer.problem.text()
    code = _text(document, "code")
    if not code:
        return tr(
            "{target}: not ready: {document} is {document_2}",
            target=answer.target.name,
            document=_text(document, "stage"),
            document_2=_text(document, "state"),
        )
    hint = "\n    " + tr("try: {hint}", hint=_text(document, "hint")) if _text(document, "hint") else ""
    said = f"[{code}] {answer.target.name}: {_text(document, 'stage')}: {_text(document, 'message')}{hint}"
    return f"{said}\n    {tr('see: {place}', place=explained(code))}"


def bar(progress: Any) -> str:
    """A bar with percent and GiB; empty where there is no progress to show."""
    if not isinstance(progress, dict):
        return ""
    percent = max(0, min(100, _number(progress, "percent")))
    full = BAR * percent // 100
    done, total = (_number(progress, each) / 2**30 for each in ("done", "total"))
    return tr(
        "[{note}{note_2}] {percent:3} %  {done:.1f} of {total:.1f} GiB",
        note="#" * full,
        note_2="-" * (BAR - full),
        percent=percent,
        done=done,
        total=total,
    )


def printable(said: str) -> str:
    """Text from elsewhere, without what a terminal would obey."""
    return "".join(each if each.isprintable() else " " for each in said)


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    return printable(value) if isinstance(value, str) else ""


def _number(row: Any, name: str) -> int:
    value = row.get(name) if isinstance(row, dict) else None
    return int(value) if isinstance(value, (int, float)) else 0
