"""Recipes that need code: a rule of the fit check, a limit of a key."""

from __future__ import annotations

import json
import re

from tests.recipes.checkout import Checkout

PACKAGE = "components/pulumi_llm"
GATE = "templates/gateway/llm_gate"


ENGLISH = "{tokens} tokens of prompt and answer together are too few for a conversation"
CHINESE = "提示和回答一共 {tokens} 个 token，不够对话"

SECTIONS = {
    "docs/troubleshooting.md": """\
The context is so short that a conversation hardly fits. The model starts all the same.

**Do**: Write a longer `context_length`, such as 2048.

""",
    "docs/troubleshooting.zh.md": """\
上下文太短，放不下一次对话。模型仍然会启动。

**怎么办**：写更长的 `context_length`，例如 2048。

""",
}


def add_a_rule(tree: Checkout) -> None:
    message = f'_("{ENGLISH}", tokens=tokens)'
    rule = f'''

def context_too_short(case: Case) -> Iterator[Finding]:
    """A conversation hardly fits into so few tokens."""
    tokens = case.max_model_len
    if tokens < 256:
        yield Finding(
            "fit.context-too-short",
            {message},
            "context_length: 2048",
            severity="warning",
            where="context_length",
        )
'''
    module = tree.path / PACKAGE / "preflight/rules_shape.py"
    module.write_text(module.read_text(encoding="utf-8") + rule, encoding="utf-8")
    listed = "    rules_shape.context_beyond_model,\n"
    tree.after(f"{PACKAGE}/preflight", listed, "    rules_shape.context_too_short,\n")
    head = '<a id="fit-context-too-short"></a>\n\n### `fit.context-too-short`\n\n'
    for page, section in SECTIONS.items():
        file = tree.path / page
        text = file.read_text(encoding="utf-8")
        before = '<a id="fit-tight"></a>\n'
        assert before in text
        file.write_text(text.replace(before, head + section + before, 1), encoding="utf-8")
    tree.tool("tools/messages", "--fill", given=json.dumps({ENGLISH: CHINESE}))
    sample = '    {"model": "01-ai/Yi-6B-Chat", "gpu": "T4", "max_model_len": 200},\n'
    tree.after("tests/review", "REQUESTS: tuple[dict[str, Any], ...] = (\n", sample)


def the_rule_warns_and_is_explained(tree: Checkout) -> None:
    short = ("check", "01-ai/Yi-6B-Chat", "--gpu", "T4", "--max-model-len")
    assert "[fit.context-too-short]" in tree.command(*short, "200")
    assert "[fit.context-too-short]" not in tree.command(*short, "300")
    assert "a conversation hardly fits" in tree.command("explain", "fit.context-too-short")
    assert "放不下一次对话" in tree.command("explain", "fit.context-too-short", "--lang", "zh")
    tree.tests("tests/test_docs.py", "tests/review/test_translation_of_refusals.py", only="code or said")


def add_a_key_limit(tree: Checkout) -> None:
    limit = "tokens_per_request"
    described = "    monthly_tokens: Annotated[Count, Field(ge=1)] | None = None\n"
    meaning = '''    """Tokens of one request, prompt and answer.

    zh: 一次请求的 token 数，含提示和回答。"""
'''
    tree.before(f"{PACKAGE}/spec", described, described.replace("monthly_tokens", limit) + meaning)
    tree.after(GATE, "    monthly_tokens: int | None = None\n", f"    {limit}: int | None = None\n")
    refused = '            (self.monthly_tokens, "tokens per month"),\n'
    tree.after(GATE, refused, f'            (self.{limit}, "tokens per request"),\n')
    tree.before("tests/gateway", '    "expires": 4_000_000_000,\n', f'    "{limit}": 8,\n')
    tree.tool("tools/arguments/write.py")


def the_limit_is_kept(tree: Checkout) -> None:
    plan = tree.plan("aliyun-t4", daily_budget_usd="5\n          tokens_per_request: 77")
    commands = [each for each in plan["resources"] if each["type"].startswith("command:")]
    told_to_nodes = [each["name"] for each in commands if re.search(r"tokens_per_request\W{1,12}77", json.dumps(each))]
    assert "llm-proxy-settings" in told_to_nodes
    told = tree.python(
        "from llm_gate import requests\n"
        "from llm_gate.policy import rules_of; from llm_gate.meter import Ask; from llm_gate.store import Store\n"
        "from llm_gate.errors import Refused\n"
        "rules, store = rules_of('a', {'tokens_per_request': 77}), Store(':memory:')\n"
        "body = {'model': 'm', 'prompt': 'Hi'}\n"
        "call = requests.check('/v1/completions', body, rules, kinds={'openai'}, most_out=4096)\n"
        "print('unbounded requests get', call.bound)\n"
        "for tokens in (77, 78):\n"
        "    try: store.admit(rules, Ask('r', '/v1/completions', 'm', tokens)); print(tokens, 'passes')\n"
        "    except Refused as refused: print(refused)\n"
    )
    bound, passes, refused = told.splitlines()
    assert (bound, passes) == ("unbounded requests get 38", "77 passes")
    assert "77 tokens per request" in refused
    assert "--tokens-per-request" in tree.command("keys", "add", "--help")
    tree.tests(
        "tests/test_docs.py", "tests/gateway/test_policy.py", "tests/commands/test_keys.py", only="limit or guide"
    )


def add_a_flag(tree: Checkout) -> None:
    field = '''    max_num_batched_tokens: Annotated[Count, Field(ge=1, le=1_000_000)] | None = None
    """Tokens worked on at a time, over all requests. Left out: vLLM's own.

    zh: 同时处理的 token 数，所有请求合计。不写则为 vLLM 自己的。"""
'''
    tree.before(f"{PACKAGE}/spec/server.py", '    kv_cache_dtype: Annotated[Literal["auto", "bfloat16"', field)
    tree.after(
        "templates/vllm/role.yaml",
        "    max_num_seqs: --max-num-seqs\n",
        "    max_num_batched_tokens: --max-num-batched-tokens\n",
    )
    tree.tool("tools/arguments/write.py")


UNIT = """
import sys
sys.path.insert(0, ".")
import pulumi_llm as llm
from tests.test_components import SERVER, plan_of, settings
for more in ({}, {"max_num_batched_tokens": 4096}):
    files = settings(plan_of(llm.ModelServer, {**SERVER, **more}))["files"]
    (unit,) = [each["content"] for each in files if each["path"].endswith("llm-vllm.service")]
    print("--max-num-batched-tokens" in unit, "4096" in unit.partition("--max-num-batched-tokens")[2])
"""


def the_flag_is_on_the_command_line(tree: Checkout) -> None:
    assert tree.python(UNIT).split() == ["False", "False", "True", "True"]
    tree.tests("tests/test_docs.py", "tests/test_arguments.py", only="guide or schema or arguments")
