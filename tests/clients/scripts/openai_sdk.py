"""What a program does with openai's client: python openai_sdk.py SCENARIO. The environment names the server."""

import os
import sys
import time

import openai

client = openai.OpenAI(max_retries=0)
MODEL = os.environ.get("MODEL", "plain")
HELLO = [{"role": "user", "content": "Say hello"}]
TOOL = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}},
}


def listing() -> None:
    print([each.id for each in client.models.list()][:3], client.models.retrieve(MODEL).id)


def chat() -> None:
    print(client.chat.completions.create(model=MODEL, messages=HELLO).choices[0].message.content)
    print(client.responses.create(model=MODEL, input="Say hello").output_text)
    print(client.embeddings.create(model=MODEL, input="hello").data[0].embedding)


def stream() -> None:
    options = {"include_usage": True}
    said, usage = "", None
    for each in client.chat.completions.create(model=MODEL, messages=HELLO, stream=True, stream_options=options):
        said += "".join(choice.delta.content or "" for choice in each.choices)
        usage = each.usage or usage
    print(said, usage.total_tokens)
    with client.responses.stream(model=MODEL, input="Say hello") as events:
        print(events.get_final_response().output_text)


def tools() -> None:
    messages = [{"role": "user", "content": 'Please call the tool look with {"at": "a heron"} now'}]
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=[TOOL]).choices[0].message
    call = first.tool_calls[0]
    print(call.function.name, call.function.arguments)
    messages += [first, {"role": "tool", "tool_call_id": call.id, "content": "a bird"}]
    print(client.chat.completions.create(model=MODEL, messages=messages, tools=[TOOL]).choices[0].message.content)


def cancel() -> None:
    # Left by `break` alone it waits for Python's collector: a stream and what reads it hold one another.
    with client.chat.completions.create(model="stall", messages=HELLO, stream=True) as events:
        print(next(events).choices[0].delta.content, flush=True)
    # The program goes on, and so do its connections that nobody closed.
    time.sleep(300)


def count() -> None:
    # OpenAI's own count, /v1/responses/input_tokens, is nothing that vLLM has.
    print(client.post("../tokenize", body={"model": MODEL, "messages": HELLO}, cast_to=object)["count"])


def errors() -> None:
    for wrong in (openai.NotFoundError, openai.BadRequestError):
        try:
            client.chat.completions.create(
                model="gone" if wrong is openai.NotFoundError else "too-long", messages=HELLO
            )
        except wrong as error:
            print(type(error).__name__, error.code)


# What takes a real model: see tests/clients/test_on_vllm.py.


def answers() -> None:
    print(client.chat.completions.create(model=MODEL, messages=HELLO).choices[0].message.content)
    print(client.responses.create(model=MODEL, input="Say hello").output_text)
    print(client.completions.create(model=MODEL, prompt="Say hello").choices[0].text)


def thinks() -> None:
    told = {"extra_body": {"chat_template_kwargs": {"enable_thinking": True}}}
    message = client.chat.completions.create(model=MODEL, messages=HELLO, **told).choices[0].message
    print("thought", message.reasoning.strip(), "said", message.content.strip())
    thought = said = ""
    for each in client.chat.completions.create(model=MODEL, messages=HELLO, stream=True, **told):
        for choice in each.choices:
            thought += getattr(choice.delta, "reasoning", None) or ""
            said += choice.delta.content or ""
    print("streamed", thought.strip(), "said", said.strip())
    response = client.responses.create(model=MODEL, input="Say hello", **told)
    print([each.type for each in response.output], response.output_text.strip())


def forced() -> None:
    at = {"type": "string", "enum": ["a heron"]}
    schema = {"type": "object", "properties": {"at": at}, "required": ["at"], "additionalProperties": False}
    tool = {"type": "function", "function": {"name": "look", "parameters": schema}}
    for choice in ("required", {"type": "function", "function": {"name": "look"}}):
        asked = {"model": MODEL, "messages": HELLO, "tools": [tool], "tool_choice": choice, "max_tokens": 100}
        (call,) = client.chat.completions.create(**asked).choices[0].message.tool_calls
        print(call.function.name, call.function.arguments)
        arguments = ""
        for each in client.chat.completions.create(**asked, stream=True):
            for piece in each.choices[0].delta.tool_calls or () if each.choices else ():
                arguments += piece.function.arguments or ""
        print("streamed", arguments)
    form = {"type": "json_schema", "json_schema": {"name": "seen", "schema": schema}}
    print(client.chat.completions.create(model=MODEL, messages=HELLO, response_format=form).choices[0].message.content)


def counts() -> None:
    for path, asked in (("prompt", "Say hello"), ("messages", HELLO)):
        print(client.post("../tokenize", body={"model": MODEL, path: asked}, cast_to=object)["count"])


def hangs_up() -> None:
    said = 0
    asked = [{"role": "user", "content": "Talk without end"}]
    with client.chat.completions.create(model=MODEL, messages=asked, stream=True) as events:
        for each in events:
            said += bool(each.choices and each.choices[0].delta.content)
            if said == 20:
                break
    print("heard", said, flush=True)
    time.sleep(300)


def refusals() -> None:
    long = [{"role": "user", "content": "herons " * 100_000}]
    for asked in (
        lambda: client.embeddings.create(model=MODEL, input="hello"),
        lambda: client.chat.completions.create(model=MODEL, messages=long),
        lambda: client.responses.create(model=MODEL, input=long, stream=True),
        lambda: client.chat.completions.create(model="gone", messages=HELLO),
        lambda: client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=10_000_000),
        lambda: client.chat.completions.create(model=MODEL, messages=HELLO, temperature=-1),
        lambda: client.chat.completions.create(model=MODEL, messages=[{"role": "nobody", "content": 1}]),
        lambda: client.chat.completions.create(model=MODEL, messages=HELLO, extra_body={"guided_json": {}}),
    ):
        try:
            asked()
        except openai.APIStatusError as error:
            print(type(error).__name__, error.status_code, error.code, error.type)


{"list": listing}.get(sys.argv[1], globals().get(sys.argv[1]))()
