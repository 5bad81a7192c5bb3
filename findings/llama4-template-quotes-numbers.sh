#!/usr/bin/env bash
# vllm 0.32.0: the chat template for Llama 4's tool calls shows the model its own earlier calls with every value quoted.
#
# docs/features/tool_calling.md recommends `--tool-call-parser llama4_pythonic` with
# examples/tool_chat_template_llama4_pythonic.jinja: calls are Python, `[look_up(days=2)]`.
#
# Guess, before it was run: a call that was made with the number 2 and with true stands in the next prompt as the model
# wrote it, days=2 and exact=True.
# Seen, 2026-11-28: it stands there as days="2" and exact="True". A second turn teaches the model to send text where the
# tool's schema says integer or boolean, and the pythonic parser, which reads Python, then hands text to the caller.
# The templates for DeepSeek and Gemma 4 beside it keep numbers as numbers. 0.33.0 has the same file.
#
# So who serves Llama 4 with tools checks arguments against the schema, or makes such calls `strict`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jinja2==3.1.6

"$folder/venv/bin/python" - <<'PYTHON'
import ast
import hashlib
import io
import json
import re
import tarfile
import urllib.parse
import urllib.request

from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

NAME = "examples/tool_chat_template_llama4_pythonic.jinja"
TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "tides",
        "parameters": {"type": "object", "properties": {"days": {"type": "integer"}, "exact": {"type": "boolean"}}},
    },
}
CALL = {"id": "1", "type": "function", "function": {"name": "look_up", "arguments": {"days": 2, "exact": True}}}
CHAT = [{"role": "user", "content": "When?"}, {"role": "assistant", "content": "", "tool_calls": [CALL]}]

INDEX = "https://pypi.org/simple/vllm/"
with urllib.request.urlopen(INDEX) as answer:
    link = re.search(r'href="([^"]*/vllm-0\.32\.0\.tar\.gz)', answer.read().decode())
with urllib.request.urlopen(urllib.parse.urljoin(INDEX, link[1])) as answer:
    source = answer.read()
assert hashlib.sha256(source).hexdigest() == "d2c957d5eee3d0985012151315ddc62cbe0cd368fc96a5fc3510438d9dddf2ad"
with tarfile.open(fileobj=io.BytesIO(source)) as archive:
    template = archive.extractfile(f"vllm-0.32.0/{NAME}").read().decode()
print("vllm 0.32.0,", NAME)

# As transformers fills in chat templates: utils/chat_template_utils.py.
environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
environment.filters["tojson"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)
prompt = environment.from_string(template).render(
    messages=CHAT, tools=[TOOL], bos_token="", eos_token="", add_generation_prompt=False
)
call = prompt[prompt.rindex("[look_up(") :].partition("<|eot|>")[0].strip()
print("expected: [look_up(days=2, exact=True)]")
print("seen:    ", call)

(read,) = ast.parse(call).body[0].value.elts
values = {each.arg: each.value.value for each in read.keywords}
assert values == {"days": "2", "exact": "True"}, f"the behaviour changed: {values}"
PYTHON
