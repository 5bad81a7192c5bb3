"""What a program does with anthropic's client: python anthropic_sdk.py SCENARIO. The environment names the server."""

import sys

import anthropic

client = anthropic.Anthropic(max_retries=0)
HELLO = [{"role": "user", "content": "Say hello"}]
TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}}


def listing() -> None:
    print([each.id for each in client.models.list(limit=20)][:3], client.models.retrieve("plain").id)


def chat() -> None:
    print(client.messages.create(model="plain", max_tokens=50, messages=HELLO).content[0].text)
    edits = {"edits": [{"type": "clear_tool_uses_20250919"}]}
    told = client.beta.messages.create(
        model="plain", max_tokens=50, messages=HELLO, betas=["context-management-2025-06-27"], context_management=edits
    )
    print(told.content[0].text)


def stream() -> None:
    with client.messages.stream(model="plain", max_tokens=50, messages=HELLO) as events:
        print("".join(events.text_stream), events.get_final_message().usage.output_tokens)


def tools() -> None:
    messages = [{"role": "user", "content": 'Please call the tool look with {"at": "a heron"} now'}]
    first = client.messages.create(model="plain", max_tokens=50, messages=messages, tools=[TOOL])
    call = first.content[0]
    print(call.name, call.input)
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "a bird"}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    print(client.messages.create(model="plain", max_tokens=50, messages=messages, tools=[TOOL]).content[0].text)


def count() -> None:
    print(client.messages.count_tokens(model="plain", messages=HELLO).input_tokens)


def cancel() -> None:
    with client.messages.stream(model="stall", max_tokens=50, messages=HELLO) as events:
        print(next(iter(events.text_stream)))


def errors() -> None:
    for model, wrong in (("gone", anthropic.NotFoundError), ("too-long", anthropic.BadRequestError)):
        try:
            client.messages.create(model=model, max_tokens=50, messages=HELLO)
        except wrong as error:
            print(type(error).__name__, error.body["error"]["type"], error.body["error"]["message"][:18])


{"list": listing}.get(sys.argv[1], globals().get(sys.argv[1]))()
