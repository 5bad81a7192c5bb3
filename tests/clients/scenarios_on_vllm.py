"""What each client is asked to do where vLLM itself answers, with the model of `llm_boot.script`."""

from tests.clients.scenarios import (
    AIDER,
    AIDER_ENVIRONMENT,
    CHAT,
    CLAUDE,
    CLAUDE_LISTS,
    CODEX,
    CODEX_LISTS,
    CODEX_RUN,
    LLM,
    LLM_LISTS,
    LLM_TOOL,
    MESSAGES,
    OPENCODE,
    OPENCODE_ENVIRONMENT,
    QWEN,
    QWEN_ENVIRONMENT,
    RESPONSES,
    Scenario,
    library,
)
from tests.gateway.fake import ANSWER

HELLO, ENDLESS, CALL = "Say hello", "Talk without end", "Please call the tool {} now."
SAID = "so forth"
"""What is said again and again without end."""
READ = "hello from a file"
THOUGHT = "They want the answer."

SCENARIOS = [
    Scenario("claude-code", "chat", ("-p", HELLO, "--model", "plain"), (ANSWER,), (MESSAGES,), environment=CLAUDE),
    Scenario("claude-code", "tools", ("-p", CALL.format("Bash"), "--model", "plain"), (ANSWER,), (MESSAGES,),
             environment=CLAUDE, sends=READ),
    Scenario("claude-code", "list", ("-p", HELLO, "--model", "plain"), (ANSWER,), ("/v1/models?limit=1000",),
             environment=CLAUDE_LISTS),
    Scenario("claude-code", "count", ("-p", "/context", "--model", "plain"), (), (f"{MESSAGES}/count_tokens",),
             environment=CLAUDE),
    Scenario("claude-code", "cancel", ("-p", ENDLESS, "--model", "plain"), (), (MESSAGES,), environment=CLAUDE,
             hangs_up=True),
    Scenario("codex", "chat", (*CODEX_RUN, HELLO), (ANSWER,), (RESPONSES,), files=CODEX),
    Scenario("codex", "list", ("debug", "models"), (), ("/v1/models",), files=CODEX_LISTS),
    Scenario("codex", "tools", (*CODEX_RUN, CALL.format("exec_command")), (READ, ANSWER), (RESPONSES,), files=CODEX,
             sends=READ),
    Scenario("codex", "cancel", (*CODEX_RUN, ENDLESS), (), (RESPONSES,), files=CODEX, hangs_up=True),
    Scenario("qwen-code", "chat", (*QWEN, "-p", HELLO), (ANSWER,), (CHAT,), environment=QWEN_ENVIRONMENT),
    Scenario("qwen-code", "tools", (*QWEN, "-p", CALL.format("grep_search")), (ANSWER,), (CHAT,),
             environment=QWEN_ENVIRONMENT, sends=READ),
    Scenario("qwen-code", "cancel", (*QWEN, "-p", ENDLESS), (), (CHAT,), environment=QWEN_ENVIRONMENT, hangs_up=True),
    Scenario("opencode", "chat", ("run", "-m", "gate/plain", HELLO), (ANSWER,), (CHAT,),
             environment=OPENCODE_ENVIRONMENT, files=OPENCODE),
    Scenario("opencode", "tools", ("run", "-m", "gate/plain", CALL.format("bash")), (ANSWER,), (CHAT,),
             environment=OPENCODE_ENVIRONMENT, files=OPENCODE, sends=READ),
    Scenario("opencode", "cancel", ("run", "-m", "gate/plain", ENDLESS), (), (CHAT,),
             environment=OPENCODE_ENVIRONMENT, files=OPENCODE, hangs_up=True),
    Scenario("aider", "chat", (*AIDER, "--model", "openai/plain", "--message", HELLO), (ANSWER,), (CHAT,),
             environment=AIDER_ENVIRONMENT),
    Scenario("aider", "cancel", (*AIDER, "--model", "openai/plain", "--message", ENDLESS), (), (CHAT,),
             environment=AIDER_ENVIRONMENT, hangs_up=True),
    Scenario("llm", "list", LLM_LISTS, ("plain",), ("/v1/models",), files=LLM),
    Scenario("llm", "chat", ("-m", "gate", "--no-stream", HELLO), (ANSWER,), (CHAT,), files=LLM),
    Scenario("llm", "stream", ("-m", "gate", HELLO), (ANSWER,), (CHAT,), files=LLM),
    Scenario("llm", "tools", ("-m", "gate", "--functions", LLM_TOOL, CALL.format("look")), (ANSWER,), (CHAT,),
             files=LLM, sends="a bird"),
    Scenario("llm", "cancel", ("-m", "gate", ENDLESS), (), (CHAT,), files=LLM, hangs_up=True),
    *library(
        "openai",
        {
            "list": (("plain",), ("/v1/models", "/v1/models/plain")),
            "answers": ((ANSWER,), (CHAT, RESPONSES, "/v1/completions")),
            "stream": ((f"{ANSWER} 36", ANSWER), (CHAT, RESPONSES)),
            "thinks": (
                (f"thought {THOUGHT} said {ANSWER}", f"streamed {THOUGHT} said {ANSWER}",
                 f"['reasoning', 'message'] {ANSWER}"),
                (CHAT, RESPONSES),
            ),
            "tools": (('look {"at": "a heron"}', ANSWER), (CHAT,)),
            "forced": (('look {"at"', "streamed {"), (CHAT,)),
            "counts": (("9\n28",), ("/tokenize",)),
            "hangs_up": (("heard 20",), (CHAT,)),
            "refusals": (
                (
                    "BadRequestError 400 endpoint_not_served",
                    "BadRequestError 400 context_length_exceeded",
                    "NotFoundError 404 model_not_found",
                    "BadRequestError 400 field_refused",
                ),
                (CHAT, RESPONSES, "/v1/embeddings"),
            ),
        },
    ),
    *library(
        "anthropic",
        {
            "list": (("plain",), ("/v1/models?limit=20", "/v1/models/plain")),
            "chat": ((ANSWER,), (MESSAGES,)),
            "stream": ((f"{ANSWER} 8",), (MESSAGES,)),
            "thinks": (
                (f"['thinking', 'text'] {ANSWER} end_turn", f"streamed {THOUGHT} said {ANSWER}"),
                (MESSAGES,),
            ),
            "tools": (("look {'at': 'a heron'}", ANSWER), (MESSAGES,)),
            "long_answers": ((ANSWER,), (MESSAGES,)),
            "streamed_tools": (("look {'at': 'a heron'} tool_use",), (MESSAGES,)),
            "count": (("28",), (f"{MESSAGES}/count_tokens",)),
            "hangs_up": (("heard 20",), (MESSAGES,)),
            "refusals": (
                ("BadRequestError 400 invalid_request_error prompt is too long", "NotFoundError 404 not_found_error"),
                (MESSAGES,),
            ),
        },
    ),
    *library(
        "langchain",
        {
            "stream": ((ANSWER,), (CHAT, MESSAGES)),
            "tools": (("look {'at': 'a heron'}", ANSWER), (CHAT, MESSAGES)),
            "count": (("28",), (f"{MESSAGES}/count_tokens",)),
            "hangs_up": (("H",), (CHAT, MESSAGES)),
        },
    ),
    *library(
        "llama-index",
        {
            "stream": ((ANSWER,), (CHAT,)),
            "tools": (("look {'at': 'a heron'}", ANSWER), (CHAT,)),
        },
    ),
    *library(
        "ai-sdk",
        {
            "stream": ((f"{ANSWER} 8",), (CHAT, RESPONSES, MESSAGES)),
            "tools": (('look {"at":"a heron"}', ANSWER), (CHAT, RESPONSES, MESSAGES)),
            "hangs_up": (("H",), (CHAT, RESPONSES, MESSAGES)),
        },
    ),
]  # fmt: skip
