"""What a program does with openai's client: python openai_sdk.py SCENARIO. The environment names the server."""

import sys

import openai

client = openai.OpenAI(max_retries=0)
HELLO = [{"role": "user", "content": "Say hello"}]
TOOL = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}},
}


def listing() -> None:
    print([each.id for each in client.models.list()][:3], client.models.retrieve("plain").id)


def chat() -> None:
    print(client.chat.completions.create(model="plain", messages=HELLO).choices[0].message.content)
    print(client.responses.create(model="plain", input="Say hello").output_text)
    print(client.embeddings.create(model="plain", input="hello").data[0].embedding)


def stream() -> None:
    options = {"include_usage": True}
    said, usage = "", None
    for each in client.chat.completions.create(model="plain", messages=HELLO, stream=True, stream_options=options):
        said += "".join(choice.delta.content or "" for choice in each.choices)
        usage = each.usage or usage
    print(said, usage.total_tokens)
    with client.responses.stream(model="plain", input="Say hello") as events:
        print(events.get_final_response().output_text)


def tools() -> None:
    messages = [{"role": "user", "content": 'Please call the tool look with {"at": "a heron"} now'}]
    first = client.chat.completions.create(model="plain", messages=messages, tools=[TOOL]).choices[0].message
    call = first.tool_calls[0]
    print(call.function.name, call.function.arguments)
    messages += [first, {"role": "tool", "tool_call_id": call.id, "content": "a bird"}]
    print(client.chat.completions.create(model="plain", messages=messages, tools=[TOOL]).choices[0].message.content)


def cancel() -> None:
    for each in client.chat.completions.create(model="stall", messages=HELLO, stream=True):
        print(each.choices[0].delta.content)
        break
    client.close()


def errors() -> None:
    for wrong in (openai.NotFoundError, openai.BadRequestError):
        try:
            client.chat.completions.create(
                model="gone" if wrong is openai.NotFoundError else "too-long", messages=HELLO
            )
        except wrong as error:
            print(type(error).__name__, error.code)


{"list": listing}.get(sys.argv[1], globals().get(sys.argv[1]))()
