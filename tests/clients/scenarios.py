"""What each client is asked to do, and what it has to say then.

``$URL``, ``$CA``, ``$KEY``, ``$HOME`` and ``$WORK`` are filled in.
"""

from dataclasses import dataclass, field

from tests.gateway.fake import ANSWER


@dataclass(frozen=True)
class Scenario:
    """``says``: what the client prints. ``asks``: the paths that it has to ask; ``kind``: of the upstream. ``sends``:
    what it has to send. ``hangs_up``: somebody stops it in the middle. ``leaves``: how many streams it leaves in the
    middle by itself, while it goes on."""

    client: str
    name: str
    arguments: tuple[str, ...]
    says: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    kind: str = "vllm"
    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    hangs_up: bool = False
    leaves: int = 0
    sends: str = ""

    @property
    def result(self) -> str:
        """What the tool's result says, which the client has to send back."""
        if self.sends:
            return self.sends
        if self.name != "tools":
            return ""
        return "hello from a file" if any("hello.txt" in each for each in self.arguments) else "a bird"


CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
CALL = "Please call the tool {} with {} now."
READ = CALL.format("Read", '{"file_path": "$WORK/hello.txt"}')

CLAUDE = {
    "ANTHROPIC_AUTH_TOKEN": "$KEY",
    "ANTHROPIC_API_KEY": "",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": "plain",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
}
CLAUDE_LISTS = {**CLAUDE, "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1"}
CODEX = {
    "$HOME/.codex/config.toml": """model = "plain"
model_provider = "gate"
[model_providers.gate]
name = "gate"
base_url = "$URL/v1"
env_key = "OPENAI_API_KEY"
wire_api = "responses"
"""
}
CODEX_LISTS = {
    name: text.replace('env_key = "OPENAI_API_KEY"\n', "")
    + '[model_providers.gate.auth]\ncommand = "/bin/echo"\nargs = ["$KEY"]\n'
    for name, text in CODEX.items()
}
"""It asks which models there are where a command tells it the key, and not where a variable does."""
CODEX_RUN = ("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--json")
QWEN = ("--auth-type", "openai", "--approval-mode", "yolo", "--output-format", "json")
QWEN_ENVIRONMENT = {"OPENAI_MODEL": "plain", "QWEN_TELEMETRY_ENABLED": "false"}
OPENCODE = {
    "$WORK/opencode.json": """{"$schema": "", "autoupdate": false, "share": "disabled", "provider": {"gate": {
  "npm": "@ai-sdk/openai-compatible", "name": "gate", "options": {"baseURL": "$URL/v1", "apiKey": "$KEY"},
  "models": {"plain": {"name": "plain"}, "stall": {"name": "stall"}}}}}
"""
}
OPENCODE_ENVIRONMENT = {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1"}
AIDER = ("--no-git", "--yes-always", "--no-check-update", "--no-show-model-warnings", "--no-analytics", "--no-pretty")
AIDER_ENVIRONMENT = {"OPENAI_API_BASE": "$URL/v1", "AIDER_ANALYTICS": "false", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
LLM = {
    "$HOME/.config/io.datasette.llm/extra-openai-models.yaml": """- model_id: gate
  model_name: plain
  api_base: $URL/v1
  api_key_name: gate
  supports_tools: true
- model_id: gate-stall
  model_name: stall
  api_base: $URL/v1
  api_key_name: gate
""",
    "$HOME/.config/io.datasette.llm/keys.json": '{"gate": "$KEY"}',
}
LLM_LISTS = ("openai", "endpoint", "$URL/v1", "--models", "--key", "gate")
LLM_TOOL = "def look(at: str) -> str:\n    'Look at something.'\n    return at + ': a bird'\n"
LOOK = CALL.format("look", '{"at": "a heron"}')


def library(client: str, scenarios: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]) -> list[Scenario]:
    """Its script's scenarios; ``cancel`` leaves a stream of each API that it asks."""
    return [
        Scenario(client, name, (name,), says, asks, leaves=len(asks) if name in ("cancel", "hangs_up") else 0)
        for name, (says, asks) in scenarios.items()
    ]


SCENARIOS = [
    Scenario("claude-code", "chat", ("-p", "Say hello", "--model", "plain"), (ANSWER,), (MESSAGES,),
             environment=CLAUDE),
    Scenario("claude-code", "tools", ("-p", READ, "--model", "plain"), (ANSWER,), (MESSAGES,), environment=CLAUDE),
    Scenario("claude-code", "anthropic", ("-p", "Say hello", "--model", "plain"), (ANSWER,), (MESSAGES,),
             kind="anthropic", environment=CLAUDE),
    Scenario("claude-code", "list", ("-p", "Say hello", "--model", "plain"), (ANSWER,), ("/v1/models?limit=1000",),
             environment=CLAUDE_LISTS),
    Scenario("claude-code", "count", ("-p", "/context", "--model", "plain"), (), (f"{MESSAGES}/count_tokens",),
             environment=CLAUDE),
    Scenario("claude-code", "cancel", ("-p", "Say hello", "--model", "stall"), (), (MESSAGES,), environment=CLAUDE,
             hangs_up=True),
    Scenario("codex", "chat", (*CODEX_RUN, "Say hello"), (ANSWER,), (RESPONSES,), files=CODEX),
    Scenario("codex", "list", ("debug", "models"), (), ("/v1/models",), files=CODEX_LISTS),
    Scenario("codex", "tools", (*CODEX_RUN, CALL.format("exec_command", '{"cmd": "cat hello.txt"}')),
             ("hello from a file", ANSWER), (RESPONSES,), files=CODEX),
    Scenario("codex", "openai", (*CODEX_RUN, "Say hello"), (ANSWER,), (RESPONSES,), kind="openai", files=CODEX),
    Scenario("codex", "cancel", (*CODEX_RUN, "-m", "stall", "Say hello"), (), (RESPONSES,), files=CODEX,
             hangs_up=True),
    Scenario("qwen-code", "chat", (*QWEN, "-p", "Say hello"), (ANSWER,), (CHAT,), environment=QWEN_ENVIRONMENT),
    Scenario("qwen-code", "tools", (*QWEN, "-p", CALL.format("read_file", '{"file_path": "$WORK/hello.txt"}')),
             (ANSWER,), (CHAT,), environment=QWEN_ENVIRONMENT),
    Scenario("qwen-code", "cancel", (*QWEN, "-m", "stall", "-p", "Say hello"), (), (CHAT,),
             environment=QWEN_ENVIRONMENT, hangs_up=True),
    Scenario("opencode", "chat", ("run", "-m", "gate/plain", "Say hello"), (ANSWER,), (CHAT,),
             environment=OPENCODE_ENVIRONMENT, files=OPENCODE),
    Scenario("opencode", "tools", ("run", "-m", "gate/plain", CALL.format("read", '{"filePath": "$WORK/hello.txt"}')),
             (ANSWER,), (CHAT,), environment=OPENCODE_ENVIRONMENT, files=OPENCODE),
    Scenario("opencode", "cancel", ("run", "-m", "gate/stall", "Say hello"), (), (CHAT,),
             environment=OPENCODE_ENVIRONMENT, files=OPENCODE, hangs_up=True),
    Scenario("aider", "chat", (*AIDER, "--model", "openai/plain", "--message", "Say hello"), (ANSWER,), (CHAT,),
             environment=AIDER_ENVIRONMENT),
    Scenario("aider", "cancel", (*AIDER, "--model", "openai/stall", "--message", "Say hello"), (), (CHAT,),
             environment=AIDER_ENVIRONMENT, hangs_up=True),
    Scenario("llm", "list", LLM_LISTS, ("plain",), ("/v1/models",), files=LLM),
    Scenario("llm", "chat", ("-m", "gate", "--no-stream", "Say hello"), (ANSWER,), (CHAT,), files=LLM),
    Scenario("llm", "stream", ("-m", "gate", "Say hello"), (ANSWER,), (CHAT,), files=LLM),
    Scenario("llm", "tools", ("-m", "gate", "--functions", LLM_TOOL, LOOK), (ANSWER,), (CHAT,), files=LLM),
    Scenario("llm", "cancel", ("-m", "gate-stall", "Say hello"), (), (CHAT,), files=LLM, hangs_up=True),
    *library(
        "openai",
        {
            "list": (("'cut'", "plain"), ("/v1/models", "/v1/models/plain")),
            "chat": ((ANSWER, "[0.25, 0.5]"), (CHAT, RESPONSES, "/v1/embeddings")),
            "stream": ((f"{ANSWER} 17", ANSWER), (CHAT, RESPONSES)),
            "tools": (('look {"at": "a heron"}', ANSWER), (CHAT,)),
            "count": (("2",), ("/tokenize",)),
            "cancel": (("Hello",), (CHAT,)),
            "errors": (("NotFoundError model_not_found", "BadRequestError context_length_exceeded"), (CHAT,)),
        },
    ),
    *library(
        "anthropic",
        {
            "list": (("'cut'", "plain"), ("/v1/models?limit=20", "/v1/models/plain")),
            "chat": ((ANSWER,), (MESSAGES,)),
            "stream": ((f"{ANSWER} 7",), (MESSAGES,)),
            "tools": (("look {'at': 'a heron'}", ANSWER), (MESSAGES,)),
            "count": (("10",), ("/v1/messages/count_tokens",)),
            "cancel": (("Hello",), (MESSAGES,)),
            "errors": (("NotFoundError not_found_error", "invalid_request_error prompt is too long"), (MESSAGES,)),
        },
    ),
    *library(
        "langchain",
        {
            "chat": ((ANSWER, "[0.25, 0.5]"), (CHAT, MESSAGES, "/v1/embeddings")),
            "stream": ((ANSWER,), (CHAT, MESSAGES)),
            "tools": (("look {'at': 'a heron'}", ANSWER), (CHAT, MESSAGES)),
            "count": (("10",), (f"{MESSAGES}/count_tokens",)),
            "cancel": (("Hello",), (CHAT, MESSAGES)),
        },
    ),
    *library(
        "llama-index",
        {
            "chat": ((ANSWER, "[0.25, 0.5]"), (CHAT, "/v1/embeddings")),
            "stream": ((ANSWER,), (CHAT,)),
            "tools": (("look {'at': 'a heron'}", ANSWER), (CHAT,)),
        },
    ),
    # It leaves no stream while its program goes on, so the program is stopped.
    Scenario("llama-index", "cancel", ("cancel",), (), (CHAT,), hangs_up=True),
    *library(
        "ai-sdk",
        {
            "chat": ((ANSWER, "0.25"), (CHAT, RESPONSES, MESSAGES, "/v1/embeddings")),
            "stream": ((f"{ANSWER} 7",), (CHAT, RESPONSES, MESSAGES)),
            "tools": (('look {"at":"a heron"}', ANSWER), (CHAT, RESPONSES, MESSAGES)),
            "cancel": (("Hello",), (CHAT, RESPONSES, MESSAGES)),
        },
    ),
]  # fmt: skip
