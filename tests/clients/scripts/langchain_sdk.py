"""What a program does with LangChain: python langchain_sdk.py SCENARIO. The environment names the server."""

import os
import sys

from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

BOTH = (
    ChatOpenAI(model="plain", max_retries=0),
    ChatAnthropic(model="plain", max_retries=0, base_url=os.environ["ANTHROPIC_BASE_URL"]),
)


@tool
def look(at: str) -> str:
    """Look at something."""
    return f"{at}: a bird"


def chat() -> None:
    for model in BOTH:
        print(model.invoke("Say hello").text)
    print(OpenAIEmbeddings(model="plain", check_embedding_ctx_length=False).embed_query("hello"))


def stream() -> None:
    for model in BOTH:
        print("".join(each.text for each in model.stream("Say hello")))


def tools() -> None:
    for model in BOTH:
        (call,) = model.bind_tools([look]).invoke('Please call the tool look with {"at": "a heron"} now').tool_calls
        print(call["name"], call["args"])


globals()[sys.argv[1]]()
