"""Content safety as a part of the spec: word lists and moderators. docs/content-safety.md says what each key does."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pulumi_llm.errors import nearest
from pulumi_llm.spec.fields import Count, Flag, Number, Part, Text, invalid
from pulumi_llm.spec.moderation import OPTIONS, REQUIRED_OPTIONS
from pulumi_llm.texts import _, either, listed

Direction = Literal["input", "output"]
Patterns = Annotated[tuple[Text, ...], Field(min_length=1)]

LONGEST_WORD = 64
"""Letters that a word may have; the gateway refuses longer ones too."""


class WordListSpec(Part):
    """One word list: ``words``, or a ``file`` with one word a line, relative to the project's folder."""

    action: Literal["block", "mask", "log"]
    words: tuple[Text, ...] = ()
    file: Text | None = None
    on: Annotated[tuple[Direction, ...], Field(min_length=1)] = ("input", "output")
    separators: Literal["guarded", "any", "none"] = "guarded"
    leet: Flag = False
    keys: Patterns = ("*",)
    models: Patterns = ("*",)

    @model_validator(mode="after")
    def _words_or_a_file(self) -> Self:
        if (self.file is None) == (not self.words):
            raise invalid("spec.bad-word-list", _("a word list needs either words or a file"), "words: [project-x]")
        for word in self.words:
            if not 0 < sum(each.isalnum() for each in word) <= LONGEST_WORD:
                hint = _("1 to {longest_word} letters or digits", longest_word=LONGEST_WORD)
                raise invalid("spec.bad-word-list", _("{word!r} has no letter or digit to look for", word=word), hint)
        return self


class ModeratorSpec(Part):
    """One remote moderator. Whether a failure blocks has no default, so that nobody is surprised by it."""

    kind: Literal["openai", "yidun", "baidu", "aliyun", "tencent", "hook"]
    action: Literal["block", "log"]
    on_error: Literal["block", "pass"]
    secret: Text | None = None
    """The name of a secret that the gateway has; default: the kind's own, such as ``moderation_yidun_key``."""
    secret_id: Text | None = None
    """The same for the key's id; default: the kind's own, such as ``moderation_yidun_id``."""
    timeout_seconds: Annotated[Number, Field(ge=0.05, le=60)] = 5.0
    on: Annotated[tuple[Direction, ...], Field(min_length=1)] = ("input", "output")
    output: Literal["batches", "end"] = "batches"
    batch_chars: Annotated[Count, Field(ge=1, le=10_000)] = 120
    review: Literal["block", "log"] = "block"
    longest_chars: Annotated[Count, Field(ge=100, le=10_000_000)] = 100_000
    keys: Patterns = ("*",)
    models: Patterns = ("*",)
    file: Text | None = None
    """For ``hook``: the Python file with it, relative to the project's folder."""
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _a_hook_is_a_file_of_ones_own(self) -> Self:
        if (self.kind == "hook") != (self.file is not None):
            raise invalid("spec.bad-moderator", _("a hook needs a file, and no other kind takes one"), "file: mine.py")
        if self.file is not None:
            stem = PurePath(self.file).stem
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", stem) or PurePath(self.file).suffix != ".py":
                message = _("the file of a hook cannot be {file!r}", file=self.file)
                raise invalid("spec.bad-moderator", message, _("lower-case letters, digits and _, such as mine.py"))
            entry = str(self.options.get("entry") or "")
            if entry and not re.fullmatch(rf"{stem}:[A-Za-z_]\w*", entry):
                message = _("the entry {entry!r} is not a function of {file}", entry=entry, file=self.file)
                raise invalid("spec.bad-moderator", message, f"entry: {stem}:make")
        return self

    @model_validator(mode="after")
    def _options_are_of_its_kind(self) -> Self:
        required = REQUIRED_OPTIONS.get(self.kind)
        if required is not None and not self.options.get(required):
            message = _("a moderator of kind {kind!r} needs the option {required!r}", kind=self.kind, required=required)
            raise invalid("spec.bad-moderator", message, f"options: {{{required}: …}}")
        known = OPTIONS.get(self.kind)
        for option in self.options if known is not None else ():
            if option not in (known or ()):
                near = nearest(option, known or ())
                hint = (
                    _("did you mean {names}?", names=either(near))
                    if near
                    else _("there are: {names}", names=listed(known or ()))
                )
                raise invalid(
                    "spec.bad-moderator",
                    _("kind {kind!r} has no option {option!r}", kind=self.kind, option=option),
                    hint,
                )
        return self


class ContentSpec(Part):
    """What is looked for in requests and answers. Names are shown in logs and metrics."""

    lists: dict[Text, WordListSpec] = Field(default_factory=dict)
    moderators: dict[Text, ModeratorSpec] = Field(default_factory=dict)
    mask: Annotated[str, Field(min_length=1, max_length=1)] = "*"
    """What each letter of a masked word becomes."""

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        taken = sorted(({*self.lists} & {*self.moderators}) | ({"blocked_words"} & {*self.lists, *self.moderators}))
        if taken:
            raise invalid("spec.bad-word-list", _("two parts are called {taken!r}", taken=taken[0]), _("another name"))
        return self
