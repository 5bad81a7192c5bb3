"""What a program does with anthropic's client: python anthropic_sdk.py SCENARIO. The environment names the server."""

import os
import sys
import time

import anthropic

client = anthropic.Anthropic(max_retries=0)
MODEL = os.environ.get("MODEL", "plain")
HELLO = [{"role": "user", "content": "Say hello"}]
TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}}


def listing() -> None:
    print([each.id for each in client.models.list(limit=20)][:3], client.models.retrieve(MODEL).id)


def chat() -> None:
    print(client.messages.create(model=MODEL, max_tokens=50, messages=HELLO).content[0].text)
    edits = {"edits": [{"type": "clear_tool_uses_20250919"}]}
    told = client.beta.messages.create(
        model=MODEL, max_tokens=50, messages=HELLO, betas=["context-management-2025-06-27"], context_management=edits
    )
    print(told.content[0].text)


def stream() -> None:
    with client.messages.stream(model=MODEL, max_tokens=50, messages=HELLO) as events:
        print("".join(events.text_stream), events.get_final_message().usage.output_tokens)


def tools() -> None:
    messages = [{"role": "user", "content": 'Please call the tool look with {"at": "a heron"} now'}]
    first = client.messages.create(model=MODEL, max_tokens=50, messages=messages, tools=[TOOL])
    call = first.content[0]
    print(call.name, call.input)
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "a bird"}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    print(client.messages.create(model=MODEL, max_tokens=50, messages=messages, tools=[TOOL]).content[0].text)


def count() -> None:
    print(client.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens)


def cancel() -> None:
    with client.messages.stream(model="stall", max_tokens=50, messages=HELLO) as events:
        print(next(iter(events.text_stream)), flush=True)
    # The program goes on, and so do its connections that nobody closed.
    time.sleep(300)


def errors() -> None:
    for model, wrong in (("gone", anthropic.NotFoundError), ("too-long", anthropic.BadRequestError)):
        try:
            client.messages.create(model=model, max_tokens=50, messages=HELLO)
        except wrong as error:
            print(type(error).__name__, error.body["error"]["type"], error.body["error"]["message"][:18])


# What takes a real model: see tests/clients/test_on_vllm.py.


def thinks() -> None:
    told = {"extra_body": {"chat_template_kwargs": {"enable_thinking": True}}}
    message = client.messages.create(model=MODEL, max_tokens=50, messages=HELLO, **told)
    print([each.type for each in message.content], message.content[-1].text.strip(), message.stop_reason)
    with client.messages.stream(model=MODEL, max_tokens=50, messages=HELLO, **told) as events:
        whole = events.get_final_message()
    print("streamed", whole.content[0].thinking.strip(), "said", whole.content[-1].text.strip())


def long_answers() -> None:
    # As Claude Code asks, whatever the model.
    with client.messages.stream(model=MODEL, max_tokens=32_000, messages=HELLO) as events:
        print("".join(events.text_stream))


def streamed_tools() -> None:
    messages = [{"role": "user", "content": 'Please call the tool look with {"at": "a heron"} now'}]
    with client.messages.stream(model=MODEL, max_tokens=50, messages=messages, tools=[TOOL]) as events:
        whole = events.get_final_message()
    print(whole.content[-1].name, whole.content[-1].input, whole.stop_reason)


def hangs_up() -> None:
    asked = [{"role": "user", "content": "Talk without end"}]
    with client.messages.stream(model=MODEL, max_tokens=4000, messages=asked) as events:
        for said, _ in enumerate(events.text_stream, 1):
            if said == 20:
                break
    print("heard", said, flush=True)
    time.sleep(300)


def refusals() -> None:
    long = [{"role": "user", "content": "herons " * 100_000}]
    for asked in (
        lambda: client.messages.create(model=MODEL, max_tokens=50, messages=long),
        lambda: client.messages.create(model=MODEL, max_tokens=50, messages=long, stream=True),
        lambda: client.messages.count_tokens(model="gone", messages=HELLO),
        lambda: client.messages.create(model=MODEL, max_tokens=0, messages=HELLO),
        lambda: client.messages.create(model=MODEL, max_tokens=50, messages=[{"role": "nobody", "content": "x"}]),
    ):
        try:
            asked()
        except anthropic.APIStatusError as error:
            said = error.body["error"]
            print(type(error).__name__, error.status_code, said["type"], said["message"][:18])


{"list": listing}.get(sys.argv[1], globals().get(sys.argv[1]))()
