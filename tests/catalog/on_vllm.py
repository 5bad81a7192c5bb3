"""Run by the interpreter of the pinned vLLM's CPU build: what that makes of command lines and chat templates.

Standard input is JSON: ``commands``, lists of arguments of ``vllm serve``; ``chats``, each a template's path and the
parser of tool calls that it is for; ``scores``, paths of rerankers' templates. Standard output ends with one line of
JSON: what is wrong with each command, and what it changes of the model's config.json; for each chat what the prompt
holds and which calls the parser finds in the template's own words; and the prompts of rerankers.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import render_jinja_template
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.reasoning import ReasoningParserManager
from vllm.tool_parsers import ToolParserManager
from vllm.utils.argparse_utils import FlexibleArgumentParser

TOOL = {
    "type": "function",
    "function": {
        "name": "look_up_tide",
        "description": "Tides of a port",
        "parameters": {
            "type": "object",
            "properties": {"port": {"type": "string", "description": "its name"}},
            "required": ["port"],
        },
    },
}
ASKED = [{"role": "user", "content": "When is high water?"}]
CALL = {"id": "call_1", "type": "function", "function": {"name": "look_up_tide", "arguments": {"port": "Brest"}}}
ANSWERED = [*ASKED, {"role": "assistant", "content": "", "tool_calls": [CALL]}]
ENDS = re.compile(r"(<[|｜](eot|end▁of▁sentence)[|｜]>|\s)+$")
"""What a model ends with is no part of what vLLM gives to a parser."""


def wrong(command: list[str]) -> str:
    """What vLLM refuses of a command line before it loads anything; empty: nothing."""
    parser = make_arg_parser(FlexibleArgumentParser())
    try:
        arguments = parser.parse_args(command)
        validate_parsed_serve_args(arguments)
    except (Exception, SystemExit) as refused:
        return f"{type(refused).__name__}: {refused}"
    tools, reasoning = arguments.tool_call_parser, arguments.reasoning_parser
    if tools is not None and tools not in ToolParserManager.list_registered():
        return f"no tool call parser {tools}"
    if reasoning and reasoning not in ReasoningParserManager.list_registered():
        return f"no reasoning parser {reasoning}"
    return ""


def overrides(command: list[str]) -> dict[str, Any]:
    """What a command line changes of a model's config.json."""
    arguments, __ = make_arg_parser(FlexibleArgumentParser()).parse_known_args(command)
    return dict(arguments.hf_overrides)


def score(path: str) -> str:
    """What a reranker is asked, as vLLM's entrypoints/pooling/scoring puts it into a template."""
    messages = [
        {"role": "query", "content": "When is high water?"},
        {"role": "document", "content": "The tide tables of Brest."},
    ]
    (text, *_), __ = render_jinja_template(conversations=[messages], chat_template=Path(path).read_text("utf-8"))
    return str(text)


def tokenizer(template: str) -> PreTrainedTokenizerFast:
    """One that has every byte, and a token for each mark of the template's."""
    vocabulary = {each: number for number, each in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    outer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<bos>", eos_token="<eos>")
    marks = re.findall(r'<[|｜][^<>\s\'"]{1,40}[|｜]?>|<[a-z_]+\|>|<\|["a-z_]+\|?>', template)
    outer.add_special_tokens({"additional_special_tokens": sorted({*marks, "<think>", "</think>"})})
    return outer


def chat(path: str, parser: str) -> dict[str, Any]:
    """The prompt for a question with a tool, and what the parser finds in an answer that calls it."""
    template = Path(path).read_text(encoding="utf-8")

    def rendered(messages: list[Any], *, ask: bool) -> str:
        (text, *_), __ = render_jinja_template(
            conversations=[messages],
            tools=[TOOL],
            chat_template=template,
            add_generation_prompt=ask,
            bos_token="<bos>",
            eos_token="<eos>",
        )
        return str(text)

    prompt, whole = rendered(ASKED, ask=True), rendered(ANSWERED, ask=False)
    question = ASKED[0]["content"]
    answer = ENDS.sub("", whole.rpartition(question)[2].removeprefix(prompt.rpartition(question)[2]))
    request = ChatCompletionRequest(model="any", messages=ASKED, tools=[TOOL])
    reader = ToolParserManager.get_tool_parser(parser)(tokenizer(template), request.tools)
    found = reader.extract_tool_calls(answer, request)
    calls = [[each.function.name, json.loads(each.function.arguments)] for each in found.tool_calls]
    return {"prompt": prompt, "answer": answer, "calls": calls}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    told = {
        "commands": [wrong(each) for each in asked["commands"]],
        "overrides": [overrides(each) for each in asked["commands"]],
        "chats": [chat(*each) for each in asked["chats"]],
        "scores": [score(each) for each in asked["scores"]],
    }
    sys.stdout.write(json.dumps(told) + "\n")
