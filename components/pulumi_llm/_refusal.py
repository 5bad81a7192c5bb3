"""How a refusal ends a program: with its message alone, in Python as in programs of other languages."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pulumi
from pulumi.errors import InputPropertiesError, InputPropertyErrorDetails

from pulumi_llm._language import tr
from pulumi_llm._secrets import is_secret
from pulumi_llm.errors import Finding, Refusal

_hosted = False


def serve_other_languages() -> None:
    """Say that this process hosts components: from now on refusals are what the component host passes on."""
    global _hosted
    _hosted = True


class ComponentRefusal(Refusal, pulumi.RunError):
    """A refusal that ends the program with its message alone: the engine prints no traceback for a RunError."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        super().__init__(findings)

    def __str__(self) -> str:
        return _text(self.findings)


class HostedRefusal(Refusal, InputPropertiesError):  # noqa: N818 - as Refusal
    """The same in a component host, which answers any other exception with its class and a traceback."""

    def __init__(self, findings: Iterable[Finding], errors: Sequence[InputPropertyErrorDetails] = ()) -> None:
        Refusal.__init__(self, findings)
        self.message = _text(self.findings)
        self.errors = list(errors)

    def __str__(self) -> str:
        return self.message


def ending(findings: Iterable[Finding]) -> Refusal:
    """The exception that ends this program, or this call of the component host, without a traceback."""
    return HostedRefusal(findings) if _hosted else ComponentRefusal(findings)


def of_properties(
    refusal: Refusal,
    name: str,
    inputs: Mapping[str, Any],
    names: Mapping[str, str],
    path_of: Callable[[Sequence[str]], list[str]],
) -> HostedRefusal:
    """The refusal of the hosted component ``name``, spelt as its caller spells the arguments.

    ``names``: each argument's name in Python and in the schema (``allowedCidrs``); ``path_of``: a path of steps in the
    schema's spelling. A finding about an argument becomes an error of that property. Not so where the value is or may
    hold a secret: the engine prints it.
    """
    findings: list[Finding] = []
    errors: list[InputPropertyErrorDetails] = []
    for each in refusal.findings:
        told = each.told()
        found = Finding(each.code, _spelt(told.message, names), _spelt(told.hint, names))
        steps = each.where.removeprefix(f"{name}.").split(".") if each.where.startswith(f"{name}.") else []
        path = path_of(steps)
        top = path[0] if path else ""
        if steps and not is_secret(steps[0]) and not _is_late(inputs.get(top)):
            rest = (f"[{step}]" if step.isdecimal() else f".{step}" for step in path[1:])
            errors.append({"property_path": top + "".join(rest), "reason": found.text()})
        else:
            findings.append(found.placed(".".join([name, *path]) if steps else each.where))
    made = HostedRefusal(refusal.findings, errors)
    made.message = _text(findings, len(refusal.findings), name)
    return made


def _text(findings: Sequence[Finding], count: int | None = None, name: str = "") -> str:
    count = len(findings) if count is None else count
    head = tr("this cannot work:") if count == 1 else tr("this cannot work, for {count} reasons:", count=count)
    return "\n".join([f"{name}: {head}" if name else head, *(each.text() for each in findings)])


def _spelt(text: str, schema_names: Mapping[str, str]) -> str:
    return re.sub(r"\b[a-z]+(?:_[a-z]+)+\b", lambda found: schema_names.get(found[0], found[0]), text)


def _is_late(value: Any) -> bool:
    return any(isinstance(each, pulumi.Output) for each in _everything_in(value))


def _everything_in(value: Any) -> Iterator[Any]:
    yield value
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for part in parts:
        yield from _everything_in(part)
