"""Which client does what, told by what is kept of them; what one does not do, and why, is in `verbs.json`.

python -m tests.clients.verbs        writes the table into docs/clients.md and its twin
"""

import json
from pathlib import Path
from typing import Any

from tests.clients.installed import CLIENTS, HERE

DOCUMENT: dict[str, Any] = json.loads((HERE / "verbs.json").read_text(encoding="utf-8"))
VERBS = ("list", "chat", "stream", "tools", "count", "cancel")
KEPT = HERE.parent / "golden"
BOOTED: list[tuple[str, str]] = [(client, name) for client, names in DOCUMENT["booted"].items() for name in names]
"""What a booted node is asked (tests/boot/test_clients.py): rows of scenarios_on_vllm."""
TALKS = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages")
COUNTS = ("/v1/messages/count_tokens", "/tokenize")
RESULTS = ("tool_result", "function_call_output", "custom_tool_call_output")
BEGIN, END = "<!-- what each client does: tests/clients/verbs.py -->", "<!-- end -->"
PAGES = {each: HERE.parents[1] / "docs" / name for each, name in (("en", "clients.md"), ("zh", "clients.zh.md"))}
HEADS = {
    "en": ("client", "list", "chat", "stream", "tools", "count", "cancel"),
    "zh": ("客户端", "列表", "对话", "流式", "工具", "计数", "取消"),
}


def shown(exchange: dict[str, Any], *, cancels: bool = False) -> set[str]:
    """What one exchange shows of its client. ``cancels``: who hangs up does so in the middle of an answer, and not, as
    Codex does, when the last event has come."""
    path = exchange["request"]["path"].partition("?")[0]
    body, answer = exchange["request"].get("body") or {}, exchange["answer"]
    if answer["status"] != 200:
        return set()
    if answer.get("hung_up") and cancels:
        return {"cancel"} if path in TALKS else set()
    if path in COUNTS:
        return {"count"}
    if path.startswith("/v1/models"):
        return {"list"}
    if path not in TALKS:
        return set()
    streamed = body.get("stream") and "event-stream" in answer["headers"]["content-type"]
    return {"chat", *(["stream"] if streamed else []), *(["tools"] if _has_a_result(body) else [])}


def _has_a_result(body: dict[str, Any]) -> bool:
    """Whether what a tool gave is told to the model."""
    said = body.get("messages") or body.get("input") or []
    rows = [each for each in said if isinstance(each, dict)] if isinstance(said, list) else []
    parts = [part for each in rows if isinstance(each.get("content"), list) for part in each["content"]]
    return any(each.get("role") == "tool" or each.get("type") in RESULTS for each in [*rows, *parts])


def does(folder: str, client: str, names: set[str] | None = None) -> set[str]:
    """What the records of a client in a folder show; ``names``: of these alone."""
    found: set[str] = set()
    for each in sorted((KEPT / folder / client).glob("*.json")):
        if names is None or each.stem in names:
            document = json.loads(each.read_text(encoding="utf-8"))
            cancels = each.stem in ("cancel", "hangs_up")
            found = found.union(*(shown(one, cancels=cancels) for one in document["exchanges"]))
    return found


def marks(client: str) -> dict[str, str]:
    """For each verb where it was seen: F the fake upstream, V vLLM, N a booted node."""
    booted = {name for each, name in BOOTED if each == client}
    seen = {"F": does("clients", client), "V": does("on-vllm", client), "N": does("on-vllm", client, booted)}
    return {verb: " ".join(mark for mark, verbs in seen.items() if verb in verbs) for verb in VERBS}


def table(language: str) -> str:
    """The table of a page, and under it why a cell has no mark."""
    lines = ["| " + " | ".join(HEADS[language]) + " |", "| --- " * len(HEADS[language]) + "|"]
    reasons: list[str] = []
    for name, client in CLIENTS.items():
        cells = []
        for verb, mark in marks(name).items():
            lacks = DOCUMENT["lacks"].get(name, {}).get(verb)
            if lacks and not mark:
                reasons.append(_reason(len(reasons) + 1, client.title, verb, lacks, language))
                mark = f"({len(reasons)})"
            cells.append(mark)
        lines.append(f"| {client.title} | " + " | ".join(cells) + " |")
    return "\n".join([BEGIN, "", *lines, "", *reasons, "", END])


def _reason(number: int, title: str, verb: str, lacks: dict[str, str], language: str) -> str:
    head = dict(zip(VERBS, HEADS[language][1:], strict=True))[verb]
    run = lacks.get("run")
    if language == "zh":
        seen = f"；实测 `{run}` 不发送任何请求" if run else ""
        return f"{number}. {title}，{head}：{lacks['zh']}（{lacks['source']}{seen}）。"
    seen = f"; run: `{run}` sends nothing" if run else ""
    return f"{number}. {title}, {head}: {lacks['en']} ({lacks['source']}{seen})."


def with_table(page: Path, language: str) -> str:
    """A page with its table as it is now."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, f"{page.name} has no place for the table"
    return before + table(language) + after


if __name__ == "__main__":
    for language, page in PAGES.items():
        page.write_text(with_table(page, language), encoding="utf-8")
