"""What a program does with LlamaIndex: python llama_index_sdk.py SCENARIO. The environment names the server."""

import os
import sys
import time

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike

WHERE = {"api_base": os.environ["OPENAI_BASE_URL"], "api_key": os.environ["OPENAI_API_KEY"]}
MODEL = os.environ.get("MODEL", "plain")
model = OpenAILike(model=MODEL, is_chat_model=True, is_function_calling_model=True, max_retries=0, **WHERE)
HELLO = [ChatMessage(role="user", content="Say hello")]


def look(at: str) -> str:
    """Look at something."""
    return f"{at}: a bird"


def chat() -> None:
    print(model.chat(HELLO).message.content)
    print(OpenAILikeEmbedding(model_name=MODEL, **WHERE).get_text_embedding("hello"))


def stream() -> None:
    print("".join(each.delta or "" for each in model.stream_chat(HELLO)))


def tools() -> None:
    tool = FunctionTool.from_defaults(look)
    asked = [ChatMessage(role="user", content='Please call the tool look with {"at": "a heron"} now')]
    told = model.chat_with_tools([tool], chat_history=asked)
    asked.append(told.message)
    for each in model.get_tool_calls_from_response(told):
        print(each.tool_name, each.tool_kwargs)
        result = tool.call(**each.tool_kwargs).content
        asked.append(ChatMessage(role="tool", content=result, additional_kwargs={"tool_call_id": each.tool_id}))
    print(model.chat_with_tools([tool], chat_history=asked).message.content)


def cancel() -> None:
    other = OpenAILike(model="stall", is_chat_model=True, max_retries=0, **WHERE)
    events = other.stream_chat(HELLO)
    print(next(each.delta for each in events if each.delta), flush=True)
    events.close()
    # The program goes on, and its connection with it.
    time.sleep(300)


globals()[sys.argv[1]]()
