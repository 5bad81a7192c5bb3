"""The parts of a comment: the summary, and what is said of one stack."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pulumi_llm._review import caller_parts, growth_parts
from pulumi_llm._review.alternative_parts import alternatives
from pulumi_llm._review.bill import Bill
from pulumi_llm._review.changes import Change, TextChange
from pulumi_llm._review.difference import Difference
from pulumi_llm._review.impact import impact_table
from pulumi_llm._review.markdown import code, fenced, folded, html_code, html_words, names
from pulumi_llm._review.markdown import words as plain_words
from pulumi_llm._review.money import Amounts
from pulumi_llm._review.openings import Open
from pulumi_llm._review.picture import mermaid
from pulumi_llm._review.stack_review import StackReview
from pulumi_llm._tables import markdown
from pulumi_llm.errors import Finding

if TYPE_CHECKING:
    from pulumi_llm._review.comment import Budget, LeftOut, Words

_SIGNS = {
    "🔴": ("refused", "deletes-data", "replaces-machine", "deletes-machine", "replaces-system-disk"),
    "🟠": ("not-established", "stops-and-starts", "reboots", "changes-address", "may-take-effect"),
    "🟡": ("restarts-service", "stops-service", "replaces-secret"),
}
MOST_FILES_IN_A_ROW = 6
MOST_TABLES = 8
"""Machines that have a table each; more of them share one."""
_WEIGHTY = ("machine", "disk", "address", "storage", "secret")


def sign(impact: str) -> str:
    """A coloured dot for an impact: red, orange, yellow, or white for what nobody notices."""
    return next((dot for dot, codes in _SIGNS.items() if impact in codes), "⚪")


def summary(reviews: Sequence[StackReview], words: Words) -> list[str]:
    """The table that comes first: each stack with its worst, its cost and its findings."""
    rows = [[code(each.stack), *_summary_cells(each, words)] for each in reviews]
    return markdown([words("stack"), words("worst"), words("per-month"), words("findings")], rows)


def _summary_cells(review: StackReview, words: Words) -> list[str]:
    if review.refused:
        return [f"🔴 {words('refused-stack')}", "", words("errors", count=len(review.refused))]
    counted: dict[str, int] = {}
    for row in grouped(review.changes.rows):
        counted[row[0].impact.code] = counted.get(row[0].impact.code, 0) + 1
    if (review.opened or review.closed) and "in-place" not in counted:
        counted["in-place"] = 1
    told = sorted(counted, key=impact_table().order.index)[:4]
    worst = "<br>".join(
        f"{sign(each)} {words.of('impacts', each)}{f' ×{counted[each]}' if counted[each] > 1 else ''}" for each in told
    )
    if not worst:
        worst = f"⚪ {words.of('impacts', 'recorded')}" if review.changed else words("no-change")
    if review.broken:
        worst += f"<br>🟠 {words('breaks-callers')} ×{len(review.broken)}"
    return [worst, _money(review, words), _finding_counts(review.findings, words)]


def _money(review: StackReview, words: Words) -> str:
    if review.difference is None:
        return ""
    if not review.difference.changes:
        return words("no-bill-change")
    amount = review.difference.per_month
    kept = "" if review.difference.complete else f"<br>{words('without-unknown')}"
    return f"**{_signed(amount.cny)} CNY**<br>{_signed(amount.usd)} USD{kept}"


def _finding_counts(findings: Iterable[Finding], words: Words) -> str:
    counted = {"error": 0, "warning": 0, "info": 0}
    for each in findings:
        counted[each.severity] += 1
    kinds = {"error": "errors", "warning": "warnings", "info": "infos"}
    said = [words(kinds[kind], count=count) for kind, count in counted.items() if count]
    return "<br>".join(said) or words("no-findings")


def stack(review: StackReview, words: Words, budget: Budget, left_out: LeftOut, *, opened: bool) -> list[str]:
    """Everything about one stack."""
    lines = [f"### {words('stack')} {code(review.stack)}", ""]
    if review.refused:
        return [*lines, *_findings(review.refused, words, budget)]
    if not review.changed:
        return [*lines, *_findings(review.errors, words, budget)]
    lines += _asked(review, words, budget)
    lines += caller_parts.for_callers(review, words, budget)
    lines += growth_parts.step_up(review, words, budget)
    lines += caller_parts.room(review, words, budget)
    lines += _changes(review, words, budget, left_out)
    if review.findings:
        counts = _finding_counts(review.findings, words).replace("<br>", words("comma"))
        title = f"{words('findings')}{words('colon')}{counts}"
        lines += folded(title, _findings(review.findings, words, budget), opened=bool(review.errors))
    lines += _texts(review.changes.texts, words, budget, left_out)
    lines += _bill(review, words, budget)
    lines += alternatives(review, words, budget, left_out)
    if review.picture is not None and budget.pictures:
        told = {**words.content["kinds"]}
        drawn = fenced(mermaid(review.picture, told), "mermaid")
        if review.picture.left_out:
            drawn += ["", words("picture-left-out", count=review.picture.left_out)]
        lines += folded(words("picture"), drawn, opened=opened)
    elif review.picture is not None:
        left_out.add("pictures", 1)
    lines += _resources(review, words, budget)
    lines += _sources(review, words)
    return lines


def grouped(rows: Iterable[Change]) -> list[list[Change]]:
    """Rows that say the same of a node, together: its files that restart the same, its lesser resources."""
    found: dict[tuple[object, ...], list[Change]] = {}
    for row in rows:
        key: tuple[object, ...] = (row.urn, row.what)
        if row.files and row.resource and not row.what.startswith("userData"):
            key = (row.node, row.urn, row.impact, row.services)
        elif not row.what or row.operation == "replace":
            known = impact_table().types.get(row.type)
            if known is None or known.role not in _WEIGHTY or row.impact.code in ("creates", "recorded"):
                weighty = known is not None and known.role in ("machine", "disk", "address")
                key = (row.urn, row.what) if weighty else (row.node, row.impact, row.operation)
        found.setdefault(key, []).append(row)
    return sorted(found.values(), key=lambda each: (each[0].impact.rank, each[0].node))


def _asked(review: StackReview, words: Words, budget: Budget) -> list[str]:
    asked = review.changes.asked
    if not asked:
        return []
    shown = [f"{code(path)}: {_step(before, after)}" for path, before, after in asked[: budget.rows]]
    rest = [path for path, _, _ in asked[budget.rows :]]
    if rest:
        shown.append(words("more-rows", count=len(rest), names=names(rest, budget.names, words.content["and-others"])))
    return [f"**{words('asked')}**", "", *(f"- {each}" for each in shown), ""]


def _step(before: str | None, after: str | None) -> str:
    if before is None:
        return f"+ {code(after or '')}"
    if before == after:
        return code(before)
    return f"{code(before)} → {code(after)}" if after is not None else f"− {code(before)}"


def _changes(review: StackReview, words: Words, budget: Budget, left_out: LeftOut) -> list[str]:
    groups = grouped(review.changes.rows)
    by_node: dict[str, list[list[str]]] = {}
    for group in groups:  # the worst comes first, and its machine with it
        by_node.setdefault(group[0].node, []).append([_what(group, words, budget), _does(group, words)])
    for node, row in _firewall(review.opened, review.closed, words, budget):
        by_node.setdefault(node, []).append(row)
    if not by_node:
        return [words("no-change") if not review.changed else words.of("impacts", "recorded"), ""]
    groups.sort(key=lambda group: list(by_node).index(group[0].node))
    lines = _tables(review, by_node, words, budget)
    total = sum(len(rows) for rows in by_node.values())
    if total > budget.rows:
        rest = list(dict.fromkeys(each.resource for group in groups[budget.rows :] for each in group))
        left_out.add("rows", total - budget.rows)
        listed = names(rest, budget.names, words.content["and-others"])
        lines += [words("more-rows", count=total - budget.rows, names=listed), ""]
    return lines


def _tables(review: StackReview, by_node: dict[str, list[list[str]]], words: Words, budget: Budget) -> list[str]:
    """One table for each machine, with a line about the machine; a single one where there are many."""
    head = [words("change"), words("impact")]
    lines: list[str] = []
    left = budget.rows
    if len(by_node) > MOST_TABLES:
        rows = [
            [_node(node, words) if not number else "", *row]
            for node, of_node in by_node.items()
            for number, row in enumerate(of_node)
        ]
        return [*markdown([words("machine"), *head], rows[:left]), ""]
    for node, of_node in by_node.items():
        shown, left = of_node[:left], max(0, left - len(of_node))
        if shown:
            lines += [f"**{_node(node, words)}**{_about(node, review, words)}", "", *markdown(head, shown), ""]
    return lines


def _about(node: str, review: StackReview, words: Words) -> str:
    """What the machine is, and where."""
    found = next((each for each in [*review.machines, *review.gone_machines] if each.node == node), None)
    if found is None:
        return ""
    place = " ".join(each for each in (found.cloud, found.zone or found.region) if each)
    told = [words.of("kinds", found.kind), code(found.instance_type) if found.instance_type else "", plain_words(place)]
    return f" · {' · '.join(each for each in told if each)}"


def _node(name: str, words: Words) -> str:
    return code(name) if name else words("shared")


def _what(group: Sequence[Change], words: Words, budget: Budget) -> str:
    first = group[0]
    if first.files and not first.what.startswith("userData"):
        listed = names([each.what for each in group], min(MOST_FILES_IN_A_ROW, budget.names + 1), _others(words))
        return f"{listed} {_lines(group)}".strip()
    if first.files:
        return f"{code(first.what)}: {words('files', count=len(first.files))}"
    if not first.what and first.before is not None:
        return _step(first.before, first.after)
    if len(group) > 1 or not first.what:
        listed = names([each.resource for each in group], min(MOST_FILES_IN_A_ROW, budget.names + 1), _others(words))
        why = f" ({code(first.after)})" if len(group) == 1 and first.operation == "replace" and first.after else ""
        return f"{listed}{why}"
    return (
        f"{code(first.resource)} {code(first.what)}: {_step(first.before, first.after)}"
        if (first.before is not None or first.after is not None)
        else f"{code(first.resource)} {code(first.what)}"
    )


def _others(words: Words) -> str:
    return str(words.content["and-others"])


def _lines(group: Sequence[Change]) -> str:
    gone = sum(int((each.before or "-0")[1:]) for each in group)
    come = sum(int((each.after or "+0")[1:]) for each in group)
    return f"(−{gone} +{come})"


def _does(group: Sequence[Change], words: Words) -> str:
    found = group[0].impact
    verb = "stops" if found.code == "stops-service" else "restarts"
    told = [words(verb, services=", ".join(code(each) for each in group[0].services))] if group[0].services else []
    told += [words.of("notes", found.note)] if found.note else [words.of("notes", found.code)]
    of_services = found.code in ("restarts-service", "stops-service")
    head = told.pop(0) if of_services else words.of("impacts", found.code)
    extra = "; ".join(each for each in told if each)
    strong = f"**{head}**" if sign(found.code) in "🔴🟠" else head
    return f"{sign(found.code)} {strong}{f'<br>{extra}' if extra else ''}"


def _firewall(
    opened: Sequence[Open], closed: Sequence[Open], words: Words, budget: Budget
) -> list[tuple[str, list[str]]]:
    rows = []
    for key, found in (("opens", opened), ("closes", closed)):
        by_node: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        ports_of: dict[tuple[str, str], list[str]] = {}
        for each in found:
            ports_of.setdefault((each.node, each.source), []).append(each.port)
        for (node, source), ports in ports_of.items():
            by_node.setdefault((node, tuple(sorted(ports, key=lambda port: (len(port), port)))), []).append(source)
        for (node, some), sources in by_node.items():
            said = words(
                key,
                ports=names(some, 12, _others(words)),
                sources=names(sources, min(8, budget.names), _others(words)),
            )
            row = [f"{words('firewall')}{words('colon')}{said}", f"⚪ {words.of('impacts', 'in-place')}"]
            rows.append((node, row))
    return rows


def _findings(findings: Sequence[Finding], words: Words, budget: Budget) -> list[str]:
    signs = {"error": "🔴", "warning": "🟠", "info": "⚪"}
    lines = []
    for each in map(words.finding, findings[: budget.findings]):
        place = f"{code(each.where)}: " if each.where else ""
        hint = f"<br>{words('try')}: {plain_words(each.hint)}" if each.hint else ""
        message = plain_words(each.message)
        message = message if len(message) <= 1500 else f"{message[:1500]}…"
        lines.append(f"- {signs[each.severity]} {code(each.code)} {place}{message}{hint}")
    rest = findings[budget.findings :]
    if rest:
        codes = list(dict.fromkeys(each.code for each in rest))
        listed = names(codes, budget.names, _others(words))
        lines.append(f"- {words('more-findings', count=len(rest), names=listed)}")
    return lines


def _texts(texts: Sequence[TextChange], words: Words, budget: Budget, left_out: LeftOut) -> list[str]:
    if not texts:
        return []
    together: dict[tuple[str, str, str | None, str | None], list[str]] = {}
    for each in texts:  # a file that user data and settings both carry is told once
        together.setdefault((each.node, each.name, each.before, each.after), []).append(each.resource)
    inner: list[str] = []
    files = list(together.items())
    for (node, name, before, after), carriers in files[: budget.files]:
        diff = _diff(before, after)
        shown = diff[: budget.lines]
        state = words("new-file") if before is None else words("no-file") if after is None else ""
        counts = f"−{sum(each[:1] == '-' for each in diff)} +{sum(each[:1] == '+' for each in diff)}"
        where = html_words(words("old-name", carriers=", ".join(dict.fromkeys(carriers))))
        title = f"{html_code(name)} {html_words(node)} {counts} {state} ({where})".replace("  ", " ")
        body = fenced("\n".join(shown), "diff")
        if len(diff) > len(shown):
            left_out.add("lines", len(diff) - len(shown))
            body += ["", words("more-lines", count=len(diff) - len(shown))]
        inner += folded(title, body)
    rest = [name for (_, name, _, _), _ in files[budget.files :]]
    if rest:
        left_out.add("files", len(rest))
        listed = names(rest, budget.names, _others(words))
        inner += [words("more-files", count=len(rest), names=listed), ""]
    title = words("texts", count=len(files)) if len(files) > 1 else words("texts-one")
    return folded(title, inner)


def _diff(before: str | None, after: str | None) -> list[str]:
    old, new = (before or "").splitlines(), (after or "").splitlines()
    return [line[:400] for line in list(difflib.unified_diff(old, new, lineterm="", n=2))[2:]]


def _bill(review: StackReview, words: Words, budget: Budget) -> list[str]:
    difference, bill = review.difference, review.bill
    if difference is None or bill is None or not difference.changes:
        return []
    rows = []
    for each in difference.changes[: budget.rows]:
        was, now = (words.told(side.what) if side else "" for side in (each.before, each.after))
        step = (
            plain_words(now or was) if was == now or not (was and now) else f"{plain_words(was)} → {plain_words(now)}"
        )
        mark = {"added": "+ ", "removed": "− ", "changed": ""}[each.change]
        rows.append([code(each.line.resource), f"{mark}{step}", *_amounts(each.per_month, words)])
    rest = difference.changes[budget.rows :]
    if rest:
        listed = names([each.line.resource for each in rest], budget.names, _others(words))
        rows.append(["", words("more-rows", count=len(rest), names=listed), "", ""])
    rows.append([f"**{words('difference')}**", "", *_amounts(difference.per_month, words)])
    least = f"{words('at-least')} " if bill.at_least else ""
    month = bill.per_month
    sums = [words("unknown")] * 2 if bill.nothing_known else [f"{least}{each:,.2f}" for each in (month.cny, month.usd)]
    rows.append([words("total"), "", *sums])
    if (fewest := bill.fewest) is not None:
        amounts = (fewest.per_month.cny, fewest.per_month.usd)
        rows.append([words("with-the-fewest-nodes"), "", *(f"{least}{each:,.2f}" for each in amounts)])
    title = words("bill", before=_before(difference, bill, words), after=sums[0])
    head = [words("line"), "", f"CNY {words('per-month')}", f"USD {words('per-month')}"]
    return folded(title, markdown(head, rows, right=(2, 3)))


def _before(difference: Difference, bill: Bill, words: Words) -> str:
    """The month's bill before the change, in CNY, with what of it was not known."""
    cny, unknown = bill.per_month.cny, len(bill.unknown)
    for each in difference.changes:
        for line, sign in ((each.after, -1), (each.before, 1)):
            if line is not None and line.per_month is not None:
                cny += sign * line.per_month.cny
            elif line is not None:
                unknown += sign
    return f"{words('at-least')} {cny:,.2f}" if unknown else f"{cny:,.2f}"


def _amounts(amounts: Amounts | None, words: Words) -> list[str]:
    if amounts is None:
        return [words("unknown"), words("unknown")]
    return [_signed(amounts.cny), _signed(amounts.usd)]


def _signed(amount: object) -> str:
    return f"{amount:+,.2f}".replace("-", "−")


def _resources(review: StackReview, words: Words, budget: Budget) -> list[str]:
    counts = review.changes.counts
    if not counts:
        return []
    told = [words("counted", count=count, what=words.of("operations", kind)) for kind, count in counts.items()]
    said = words("comma").join(told)
    lines = []
    for operation in counts:
        listed = review.changes.resources.get(operation, [])
        if listed:
            lines.append(
                f"- {words.of('operations', operation)}{words('colon')}{names(listed, budget.names, _others(words))}"
            )
    return folded(words("resources", counts=said), lines)


def _sources(review: StackReview, words: Words) -> list[str]:
    table_ = impact_table()
    cited = dict.fromkeys(row.impact.source for row in review.changes.rows if row.impact.source)
    if not cited:
        return []
    return folded(words("sources"), [f"- {plain_words(table_.cite(each))}" for each in cited])
