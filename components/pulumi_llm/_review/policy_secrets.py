"""The rule that no secret is in plain text: not in inputs, user data, environments, providers or outputs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pulumi_llm._plan.model import Plan, PlannedResource
from pulumi_llm._review.policy_model import Breach, View, at, is_hidden, is_unknown, leaves
from pulumi_llm._review.policy_table import policy_table, user_data_of
from pulumi_llm._texts import _

MARK = _("pulumi.Output.secret(…), or config set with --secret")
OVER_SSH = _("hand it over after boot: user data can be read in the metadata and in the cloud's console")
SHORTEST = 6
"""Characters of a text that may be a secret: shorter ones are words such as `none`."""
SCRIPTS = {
    "command:remote:Command": ("create", "update", "delete"),
    "command:local:Command": ("create", "update", "delete"),
}


def plain_secret(view: View) -> Iterator[Breach]:
    """What is a secret by its form or by its name is marked as one, and none is in user data, marked or not.

    The message says where and of which kind, never the value.
    """
    for each in view.plan.resources:
        yield from _inputs(each)
        yield from _user_data(each)
        for name in SCRIPTS.get(each.type, ()):
            text = each.inputs.get(name)
            if isinstance(text, str):
                yield from _assigned(each.urn, name, text, MARK)
    yield from outputs(view.plan)


def outputs(plan: Plan) -> Iterator[Breach]:
    """The stack's outputs that are secrets and not marked."""
    for path, value in leaves(plan.outputs):
        if is_hidden(value) or not isinstance(value, str):
            continue
        kind = _kind(value) or (_("a secret, by its name,") if _named(path) else "")
        if kind:
            yield Breach(
                "",
                _("the output {path} shows {kind} to everybody who can read the state", path=path, kind=kind),
                MARK,
                path=path,
            )


def _inputs(resource: PlannedResource) -> Iterator[Breach]:
    for path, value in leaves(resource.inputs):
        if not isinstance(value, str) or is_unknown(value) or is_hidden(value):
            continue
        kind = _kind(value)
        if not kind and len(value) >= SHORTEST and _named_last(path):
            kind = _("a secret, by its name,")
        if kind:
            yield Breach(resource.urn, _("{kind} is in plain text", kind=kind), MARK, path=path)


def _user_data(resource: PlannedResource) -> Iterator[Breach]:
    machine = policy_table().machines.get(resource.type)
    if machine is None:
        return
    for name in machine.user_data:
        if is_hidden(at(resource.inputs, name)):
            yield Breach(resource.urn, _("a secret is in the user data"), OVER_SSH, path=name)
    for name, text in user_data_of(machine, resource.inputs):
        kind = _kind(text) if text != at(resource.inputs, name) else ""  # plain text was looked at as an input
        if kind:
            yield Breach(resource.urn, _("{kind} is in the user data", kind=kind), OVER_SSH, path=name)
        yield from _assigned(resource.urn, name, text, OVER_SSH)


def _assigned(urn: str, path: str, text: str, hint: str) -> Iterator[Breach]:
    found = [match for match in _assignment().finditer(text) if "#" not in _line_before(text, match.start())]
    for line in sorted({text.count("\n", 0, match.start()) + 1 for match in found}):
        yield Breach(urn, _("line {line} sets what is a secret by its name", line=line), hint, path=path)


def _line_before(text: str, place: int) -> str:
    return text[text.rfind("\n", 0, place) + 1 : place]


def _kind(text: str) -> str:
    """What kind of secret is in a text by its form, or nothing."""
    return next((kind for kind, rest, form in _forms() if rest.search(text) and form.search(text)), "")


def _named_last(path: str) -> bool:
    """Whether the last name of a path is that of a secret: ``OPENAI_API_KEY``, ``secretKey``, ``password``."""
    return is_secret_name(re.sub(r"\[\d+\]$", "", path).rsplit(".", 1)[-1])


def _named(path: str) -> bool:
    """Whether any name on a path is that of a secret, or of several."""
    names = re.sub(r"\[\d+\]", "", path).split(".")
    return any(is_secret_name(each) or is_secret_name(each.removesuffix("s")) for each in names)


def is_secret_name(name: str) -> bool:
    """Whether an input or a key of that name is one that holds a secret."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    secrets: Mapping[str, Any] = policy_table().secrets
    return plain not in secrets["not_names"] and any(plain.endswith(each) for each in secrets["names"])


_BEFORE = re.compile(r"^(?:\\b|\(\?<![^()]*\))")


@cache
def _forms() -> tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...]:
    """Each kind with its form, and before it the form without what it asks of the text before.

    The latter begins with letters, which are looked for at once; a form that begins with a question is tried at each
    place of a text, and texts are whole settings.
    """
    forms = policy_table().secrets["forms"]
    return tuple((kind, re.compile(_BEFORE.sub("", form)), re.compile(form)) for kind, form in forms.items())


@cache
def _assignment() -> re.Pattern[str]:
    return re.compile(policy_table().secrets["assignment"])
