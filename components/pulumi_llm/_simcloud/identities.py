"""Ids and computed outputs of simulated resources, from the patterns of the clouds' folders and of ``data``."""

from __future__ import annotations

import re
import secrets
import string
import uuid
from datetime import UTC, datetime
from typing import Any

from pulumi_llm import clouds
from pulumi_llm._provider_facts.values import Props

from .files import data

ALPHABETS = {
    "hex": "0123456789abcdef",
    "alnum": string.ascii_lowercase + string.digits,
    "upper": string.ascii_uppercase + string.digits,
    "digits": string.digits,
}


def _rows(package: str) -> dict[str, Any]:
    folder = clouds.of_package(package)
    return (folder.read("simulated.json") if folder else {}) or data("identities.json")


def account(package: str) -> str:
    """The number of the simulated account."""
    return str(_rows(package).get("account", ""))


def now() -> str:
    """The time as the clouds write it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new(token: str, inputs: Props, region: str) -> tuple[str, Props]:
    """A fresh id for a resource of type ``token`` and its computed outputs."""
    package = token.split(":", 1)[0]
    row = _rows(package).get("resources", {}).get(token, {"id": "{uuid}", "outputs": {}})
    known = {"region": region, "account": account(package), "now": now()}
    id_ = str(_fill(row["id"], known, inputs))
    known["id"] = id_
    outputs = {name: _fill(pattern, known, inputs) for name, pattern in row["outputs"].items()}
    if arn := row.get("arn"):
        service, _, rest = arn.partition(":")
        partition = "aws-cn" if region.startswith("cn-") else "aws"
        place = "" if service == "iam" else region
        outputs["arn"] = f"arn:{partition}:{service}:{place}:{known['account']}:{_fill(rest, known, inputs)}"
    return id_, {name: value for name, value in outputs.items() if value is not None}


def _fill(pattern: Any, known: dict[str, str], inputs: Props) -> Any:
    if not isinstance(pattern, str):
        return pattern
    if whole := re.fullmatch(r"\{inputs\.(\w+)\}", pattern):
        return inputs.get(whole[1])

    def part(match: re.Match[str]) -> str:
        name = match[1]
        if name in known:
            return known[name]
        if name == "uuid":
            return str(uuid.uuid4())
        if name.startswith("inputs."):
            value = inputs.get(name.removeprefix("inputs."), "")
            return ",".join(map(str, value)) if isinstance(value, list) else str(value)
        kind, count = re.fullmatch(r"([a-z]+)(\d+)", name).groups()  # type: ignore[union-attr]
        return "".join(secrets.choice(ALPHABETS[kind]) for _ in range(int(count)))

    return re.sub(r"\{([a-zA-Z0-9_.]+)\}", part, pattern)
