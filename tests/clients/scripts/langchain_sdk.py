"""What a program does with LangChain: python langchain_sdk.py SCENARIO. The environment names the server."""

import os
import sys
import time

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

MODEL = os.environ.get("MODEL", "plain")


def both(name: str) -> tuple[ChatOpenAI, ChatAnthropic]:
    anthropic = {"base_url": os.environ["ANTHROPIC_BASE_URL"], "max_tokens": 4000}
    return ChatOpenAI(model=name, max_retries=0), ChatAnthropic(model=name, max_retries=0, **anthropic)


BOTH = both(MODEL)


@tool
def look(at: str) -> str:
    """Look at something."""
    return f"{at}: a bird"


def chat() -> None:
    for model in BOTH:
        print(model.invoke("Say hello").text)
    print(OpenAIEmbeddings(model=MODEL, check_embedding_ctx_length=False).embed_query("hello"))


def stream() -> None:
    for model in BOTH:
        print("".join(each.text for each in model.stream("Say hello")))


def tools() -> None:
    for model in BOTH:
        asked = [HumanMessage('Please call the tool look with {"at": "a heron"} now')]
        asked.append(model.bind_tools([look]).invoke(asked))
        (call,) = asked[-1].tool_calls
        print(call["name"], call["args"])
        asked.append(look.invoke(call))
        print(model.bind_tools([look]).invoke(asked).text)


def count() -> None:
    print(BOTH[1].get_num_tokens_from_messages([HumanMessage("Say hello")]))


def left(model: ChatOpenAI | ChatAnthropic, asked: str) -> None:
    for each in model.stream(asked):
        if each.text:
            print(each.text, flush=True)
            break


def cancel() -> None:
    for model in both("stall"):
        left(model, "Say hello")
    # The program goes on, and so do its connections that nobody closed.
    time.sleep(300)


def hangs_up() -> None:
    for model in BOTH:
        left(model, "Talk without end")
    time.sleep(300)


globals()[sys.argv[1]]()
