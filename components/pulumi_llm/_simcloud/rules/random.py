"""The random package: real random values, with the options of the real one."""

from __future__ import annotations

import base64
import random
import secrets
import string
import uuid

from pulumi_llm._provider_facts.values import Props

from ..files import data
from .base import Call, CloudError, Rules

RULES = Rules()

SPECIALS = "!@#$%&*()-_=+[]{}<>:?"
KINDS = (
    ("special", "minSpecial", SPECIALS),
    ("upper", "minUpper", string.ascii_uppercase),
    ("lower", "minLower", string.ascii_lowercase),
    ("numeric", "minNumeric", string.digits),
)
PASSWORD, STRING = "random:index/randomPassword:RandomPassword", "random:index/randomString:RandomString"


def _kinds(inputs: Props) -> list[tuple[str, int]]:
    found = []
    for name, least, characters in KINDS:
        wanted = inputs.get(name, inputs.get("number") if name == "numeric" else None)
        if wanted is not False:
            chosen = (inputs.get("overrideSpecial") or characters) if name == "special" else characters
            found.append((chosen, int(inputs.get(least) or 0)))
    return found


@RULES.on_check(PASSWORD, STRING)
def _check_string(inputs: Props) -> list[tuple[str, str]]:
    length = inputs.get("length")
    least = sum(int(inputs.get(name) or 0) for _, name, _ in KINDS if isinstance(inputs.get(name) or 0, int))
    if isinstance(length, int) and length < least:
        parts = "min_upper + min_lower + min_numeric + min_special"
        reason = f"Attribute length value must be at least sum of {parts} ({least}), got: {length}"
        return [("length", reason)]
    if not _kinds(inputs):
        return [("", "At least one of special, upper, lower, numeric must be true")]
    return []


@RULES.on_create(PASSWORD, STRING)
def _string(call: Call) -> Props:
    given = call.inputs
    kinds = _kinds(given)
    drawn = [secrets.choice(characters) for characters, least in kinds for _ in range(least)]
    alphabet = "".join(characters for characters, _ in kinds)
    drawn += [secrets.choice(alphabet) for _ in range(int(given["length"]) - len(drawn))]
    random.SystemRandom().shuffle(drawn)
    result = "".join(drawn)
    call.id = "none" if call.token == PASSWORD else result
    outputs: Props = {"result": result}
    for name, least, _ in KINDS:
        outputs |= {name: given.get(name, True), least: given.get(least, 0)}
    return outputs | {"number": outputs["numeric"]}


@RULES.on_create("random:index/randomId:RandomId")
def _id(call: Call) -> Props:
    raw = secrets.token_bytes(int(call.inputs["byteLength"]))
    prefix = call.inputs.get("prefix", "")
    call.id = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return {
        "b64Url": prefix + call.id,
        "b64Std": prefix + base64.b64encode(raw).decode(),
        "hex": prefix + raw.hex(),
        "dec": prefix + str(int.from_bytes(raw, "big")),
    }


@RULES.on_create("random:index/randomBytes:RandomBytes")
def _bytes(call: Call) -> Props:
    raw = secrets.token_bytes(int(call.inputs["length"]))
    call.id = base64.b64encode(raw).decode()
    return {"base64": call.id, "hex": raw.hex()}


@RULES.on_create("random:index/randomUuid:RandomUuid")
def _uuid(call: Call) -> Props:
    call.id = str(uuid.uuid4())
    return {"result": call.id}


def _source(inputs: Props) -> random.Random:
    """A seed asks for the same value again (not the same one as the real provider's, which is Go's generator)."""
    return random.Random(inputs["seed"]) if inputs.get("seed") else random.SystemRandom()  # noqa: S311


@RULES.on_create("random:index/randomInteger:RandomInteger")
def _integer(call: Call) -> Props:
    low, high = int(call.inputs["min"]), int(call.inputs["max"])
    if low > high:
        raise CloudError("The minimum (min) value needs to be smaller than or equal to maximum (max) value.")
    result = _source(call.inputs).randint(low, high)
    call.id = str(result)
    return {"result": result}


@RULES.on_create("random:index/randomPet:RandomPet")
def _pet(call: Call) -> Props:
    words = data("pets.json")
    length, separator = int(call.inputs.get("length", 2)), call.inputs.get("separator", "-")
    picked = [secrets.choice(words["adverbs"]) for _ in range(length - 2)]
    picked += [secrets.choice(words["adjectives"])] if length > 1 else []
    picked += [secrets.choice(words["animals"])]
    prefix = [call.inputs["prefix"]] if call.inputs.get("prefix") else []
    call.id = separator.join([*prefix, *picked])
    return {"length": length, "separator": separator}


@RULES.on_create("random:index/randomShuffle:RandomShuffle")
def _shuffle(call: Call) -> Props:
    given = list(call.inputs["inputs"])
    source, count = _source(call.inputs), int(call.inputs.get("resultCount", len(given)))
    results: list[object] = []
    while given and len(results) < count:
        results += source.sample(given, len(given))
    call.id = "-"
    return {"results": results[:count]}
