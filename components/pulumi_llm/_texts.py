"""Sentences for people, as a template and its values, so that they can be told in any language at the edge.

``_("{gpu} has no bfloat16", gpu=name)`` is the English sentence, a plain ``str`` in every way: compared, hashed,
joined, written as JSON. It remembers what it was made of, and :func:`told` tells it in another language.
`tools/messages` finds the templates in the source by the names ``_`` and ``tr``, as GNU gettext's tools do; the
translations are in ``locale/``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

_PLAIN = (str, int, float, type(None))
"""Types whose values travel between processes as they are (bool is an int)."""


class Text(str):
    """An English sentence that knows its template and its values."""

    __slots__ = ("template", "values")
    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, values: Mapping[str, object] | None = None) -> Text:
        """``template`` with ``values`` in the places of their ``{names}``; without values it is taken as it is."""
        kept = {name: _kept(value, f"{{{name}}}" in template) for name, value in (values or {}).items()}
        made = super().__new__(cls, template.format(**kept) if kept else template)
        made.template, made.values = template, kept
        return made

    def format(self, *__: object, **values: object) -> Text:
        """A template that was marked without values, with values."""
        return Text(self.template, values)

    def __getnewargs__(self) -> tuple[str, Mapping[str, object]]:  # type: ignore[override]
        return self.template, self.values


def _kept(value: object, as_it_is: bool) -> object:
    """A value that does not change any more: what an exception says, a path's name; sentences stay sentences."""
    if isinstance(value, BaseException) and len(value.args) == 1 and isinstance(value.args[0], Text | Joined):
        return value.args[0]
    return value if isinstance(value, _PLAIN) or not as_it_is else str(value)


class Joined(str):
    """Several texts in a row, which each language joins in its own way."""

    __slots__ = ("items", "joint")
    items: tuple[str, ...]
    joint: str

    def __new__(cls, joint: str, items: Iterable[object]) -> Joined:
        """The items with ``joint`` between them."""
        kept = tuple(each if isinstance(each, str) else str(each) for each in items)
        made = super().__new__(cls, joint.join(kept))
        made.joint, made.items = joint, kept
        return made

    def __getnewargs__(self) -> tuple[str, tuple[str, ...]]:  # type: ignore[override]
        return self.joint, self.items


def _(template: str, /, **values: object) -> str:
    """A sentence: a template in English, and what stands for its ``{names}``; a value may be a sentence itself."""
    return Text(template, values)


COMMA, AND, OR, OR_ELSE, SPACE = _(", "), _(" and "), _(" or "), _("; or "), _(" ")


def listed(items: Iterable[object]) -> str:
    """``a, b, c``."""
    return Joined(COMMA, items)


def all_of(items: Iterable[object]) -> str:
    """``a and b and c``."""
    return Joined(AND, items)


def either(items: Iterable[object]) -> str:
    """``a or b or c``: names of which one is meant."""
    return Joined(OR, items)


def any_of(items: Iterable[object]) -> str:
    """``this; or that``: sentences, one of which is enough."""
    return Joined(OR_ELSE, items)


def sentences(*items: str) -> str:
    """Sentences one after the other; what is empty is left out."""
    return Joined(SPACE, [each for each in items if each])


def told(text: object, translate: Callable[[str], str]) -> str:
    """A text by the translations of its templates; whatever is no :class:`Text` stays as it is.

    A template without a translation is told in English, with what stands in its places in English too.
    """
    if isinstance(text, Joined):
        return _joined(translate(text.joint), [told(each, translate) for each in text.items])
    if not isinstance(text, Text):
        return str(text)
    template = translate(text.template)
    if template is text.template or not text.values:
        return str(text) if template is text.template else template
    return template.format(**{name: _placed(value, translate) for name, value in text.values.items()})


def _joined(joint: str, items: list[str]) -> str:
    """No blank stands behind a full-width stop: it is as wide as one."""
    if joint != " ":
        return joint.join(items)
    made = ""
    for each in items:
        made += each if not made or made.endswith(("。", "！", "？", "；", "：", "，")) else joint + each
    return made


def _placed(value: object, translate: Callable[[str], str]) -> object:
    return told(value, translate) if isinstance(value, Text | Joined) else value


def changed(text: str, change: Callable[[str], str]) -> str:
    """``text`` with ``change`` made to what stands in its places, such as a secret that is hidden.

    Where that does not give what the change makes of the whole sentence, it is that, and no more than English.
    """
    whole = change(text)
    made = _changed(text, change)
    return made if made == whole else whole


def _changed(text: str, change: Callable[[str], str]) -> str:
    if isinstance(text, Joined):
        return Joined(text.joint, [_changed(each, change) for each in text.items])
    if isinstance(text, Text):
        values = {k: _changed(v, change) if isinstance(v, str) else v for k, v in text.values.items()}
        return Text(text.template, values)
    return change(text)


# -- between two processes


def to_wire(text: str) -> Any:
    """What ``text`` was made of, as JSON-ready data; the text itself where it is no more than that."""
    if isinstance(text, Joined):
        return {"joint": text.joint, "items": [to_wire(each) for each in text.items]}
    if isinstance(text, Text) and all(isinstance(each, _PLAIN) for each in text.values.values()):
        values = {name: to_wire(each) if isinstance(each, str) else each for name, each in text.values.items()}
        return {"template": text.template, "values": values}
    return str(text)


def from_wire(content: Any, english: str) -> str:
    """The text that :func:`to_wire` wrote, if it still says ``english``; else just that."""
    try:
        made = _made(content)
    except (KeyError, ValueError, IndexError, TypeError, AttributeError):  # another revision's, or nobody's
        return english
    return made if made == english else english


def _made(content: Any) -> str:
    if not isinstance(content, Mapping):
        return str(content)
    if "joint" in content:
        return Joined(content["joint"], [_made(each) for each in content["items"]])
    values = {name: _made(each) if isinstance(each, Mapping) else each for name, each in content["values"].items()}
    return Text(content["template"], values)
