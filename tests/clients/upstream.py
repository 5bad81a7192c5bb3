"""A model API on loopback that calls tools when it is told to, in the three shapes that clients speak.

What vendors' documentation gives as the order of events, which agents hold them to. A prompt with ``call the tool NAME
with {…}`` is answered with that call, and the tool's result with `ANSWER`.
"""

import json
import re
from typing import Any

from tests.gateway.fake import ANSWER, WORDS, Fake

ASKED = re.compile(r"call the tool ([\w.-]+) with (\{.*?\})(?:\W|$)")


class Upstream(Fake):
    """Start it with `async with`."""

    def _whole(self, path: str, body: dict[str, Any], text: str, *, usage: bool) -> dict[str, Any]:
        call = wanted(body)
        if call is None:
            return super()._whole(path, body, text, usage=usage)
        name, arguments = call
        if path.endswith("/messages"):
            block = {"type": "tool_use", "id": "toolu_1", "name": name, "input": json.loads(arguments)}
            return {**super()._whole(path, body, text, usage=usage), "content": [block], "stop_reason": "tool_use"}
        if path.endswith("/responses"):
            return {**super()._whole(path, body, text, usage=usage), "output": [_item(body, name, arguments)]}
        said = {"role": "assistant", "content": None, "tool_calls": [_chat_call(name, arguments)]}
        choice = {"index": 0, "message": said, "finish_reason": "tool_calls"}
        return {**super()._whole(path, body, text, usage=usage), "choices": [choice]}

    def _events(self, path: str, body: dict[str, Any], model: str, key: str) -> list[bytes]:
        call = wanted(body)
        if path.endswith("/responses"):
            return self._responses(body, call)
        if call is None:
            return super()._events(path, body, model, key)
        name, arguments = call
        if path.endswith("/messages"):
            whole = self._whole(path, body, ANSWER, usage=True)
            start = {**whole, "content": [], "stop_reason": None, "usage": {"input_tokens": 10, "output_tokens": 1}}
            block = {**whole["content"][0], "input": {}}
            delta = {"type": "input_json_delta", "partial_json": arguments}
            end = {"stop_reason": "tool_use", "stop_sequence": None}
            return _named(
                [
                    {"type": "message_start", "message": start},
                    {"type": "content_block_start", "index": 0, "content_block": block},
                    {"type": "content_block_delta", "index": 0, "delta": delta},
                    {"type": "content_block_stop", "index": 0},
                    {"type": "message_delta", "delta": end, "usage": {"output_tokens": 7}},
                    {"type": "message_stop"},
                ]
            )
        base = {"id": "c1", "object": "chat.completion.chunk", "created": 0, "model": model}
        delta = {"role": "assistant", "content": None, "tool_calls": [{"index": 0, **_chat_call(name, arguments)}]}
        usage = {"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17}
        rows: list[dict[str, Any]] = [
            {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
            {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
            {**base, "choices": [], "usage": usage},
        ]
        return [*[f"data: {json.dumps(row)}\n\n".encode() for row in rows], b"data: [DONE]\n\n"]

    def stalls_before(self, path: str) -> int:
        return 5 if path.endswith("/responses") else super().stalls_before(path)

    def _responses(self, body: dict[str, Any], call: tuple[str, str] | None) -> list[bytes]:
        done = self._whole("/v1/responses", body, ANSWER, usage=True)
        begun = {**done, "status": "in_progress", "output": [], "usage": None}
        rows: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
        (item,) = done["output"]
        place: dict[str, Any] = {"output_index": 0, "item_id": item["id"]}
        if call is None:
            part = item["content"][0]
            rows.append({"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}})
            rows.append({"type": "response.content_part.added", **place, "content_index": 0,
                         "part": {**part, "text": ""}})  # fmt: skip
            for each in WORDS:
                rows.append({"type": "response.output_text.delta", **place, "content_index": 0, "delta": each})
            rows.append({"type": "response.output_text.done", **place, "content_index": 0, "text": ANSWER})
            rows.append({"type": "response.content_part.done", **place, "content_index": 0, "part": part})
        else:
            field, kind = (
                ("input", "custom_tool_call_input") if "input" in item else ("arguments", "function_call_arguments")
            )
            rows.append({"type": "response.output_item.added", "output_index": 0, "item": {**item, field: ""}})
            rows.append({"type": f"response.{kind}.delta", **place, "delta": item[field]})
            rows.append({"type": f"response.{kind}.done", **place, field: item[field]})
        rows.append({"type": "response.output_item.done", "output_index": 0, "item": item})
        rows.append({"type": "response.completed", "response": done})
        return _named([{**row, "sequence_number": number} for number, row in enumerate(rows)])


def wanted(body: dict[str, Any]) -> tuple[str, str] | None:
    """The tool and the arguments that the last thing said asks for; None once a tool has answered."""
    if not body.get("tools"):
        return None
    said = body.get("messages") or body.get("input") or []
    for each in reversed(said if isinstance(said, list) else [said]):
        text = json.dumps(each, ensure_ascii=False)
        if '"role": "tool"' in text or '"tool_result"' in text or "_call_output" in text:
            return None
        # Texts are JSON in JSON here, and some clients quote what they are told once more.
        found = ASKED.findall(re.sub(r'\\+"', '"', text))
        if found:
            name, arguments = found[-1]
            return name, arguments
    return None


def _chat_call(name: str, arguments: str) -> dict[str, Any]:
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}


def _item(body: dict[str, Any], name: str, arguments: str) -> dict[str, Any]:
    custom = any(each.get("type") == "custom" and each.get("name") == name for each in body["tools"])
    base = {"id": "fc_1", "call_id": "call_1", "name": name, "status": "completed"}
    if custom:
        return {**base, "type": "custom_tool_call", "input": json.loads(arguments)["input"]}
    return {**base, "type": "function_call", "arguments": arguments}


def _named(rows: list[dict[str, Any]]) -> list[bytes]:
    return [f"event: {row['type']}\ndata: {json.dumps(row)}\n\n".encode() for row in rows]
