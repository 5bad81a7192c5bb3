"""Content safety as a part of the spec: word lists and moderators. docs/content-safety.md says what each key does."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pulumi_llm import _gate
from pulumi_llm._texts import _, either, listed
from pulumi_llm.errors import nearest
from pulumi_llm.spec.fields import Count, Flag, Number, Part, Text, invalid
from pulumi_llm.spec.vendors import MODERATORS

Direction = Literal["input", "output"]
Patterns = Annotated[tuple[Text, ...], Field(min_length=1)]


if TYPE_CHECKING:
    ModeratorKind = str
else:
    # The kinds are rows, which a type checker does not read.
    ModeratorKind = Literal[tuple(MODERATORS)]


def _word(value: str) -> str:
    if not _gate.is_word(value):
        hint = _("1 to {longest_word} letters or digits", longest_word=_gate.longest_word())
        raise invalid("spec.bad-word-list", _("the gateway cannot look for {value!r}", value=value), hint)
    return value


Word = Annotated[Text, AfterValidator(_word)]
"""A word that the gateway can look for, as its own code says."""


class WordListSpec(Part):
    """One word list: ``words``, or a ``file`` with one word a line, relative to the project's folder."""

    action: Literal["block", "mask", "log"]
    """What happens where a word is found.

    zh: 命中时怎么办。"""
    words: tuple[Word, ...] = ()
    """The words; either these or a file.

    zh: 词；与文件二选一。"""
    file: Text | None = None
    """One word a line, UTF-8; relative to the project's folder.

    zh: 每行一个词，UTF-8；相对于项目文件夹。"""
    on: Annotated[tuple[Direction, ...], Field(min_length=1)] = ("input", "output")
    """Requests, answers, or both.

    zh: 请求、回答，或两者。"""
    separators: Literal["guarded", "any", "none"] = "guarded"
    """What may stand between the letters.

    zh: 字之间允许有什么。"""
    leet: Flag = False
    """Read digits and signs as letters too.

    zh: 把数字和符号也读作字母。"""
    keys: Patterns = ("*",)
    """The keys that it is for.

    zh: 适用的密钥。"""
    models: Patterns = ("*",)
    """The models that it is for.

    zh: 适用的模型。"""

    @model_validator(mode="after")
    def _words_or_a_file(self) -> Self:
        if (self.file is None) == (not self.words):
            raise invalid("spec.bad-word-list", _("a word list needs either words or a file"), "words: [project-x]")
        return self


class ModeratorSpec(Part):
    """One remote moderator. Whether a failure blocks has no default, so that nobody is surprised by it."""

    kind: ModeratorKind
    """The service.

    zh: 由哪家服务来审核。"""
    action: Literal["block", "log"]
    """What its refusal means.

    zh: 它的拒绝意味着什么。"""
    on_error: Literal["block", "pass"]
    """What a failure of the service means.

    zh: 服务失败时怎么办。"""
    secret: Text | None = None
    """The name of the secret with its key, such as ``upstream_openai``; default: its kind's own, see "Content safety".

    zh: 装有其密钥的机密的名字，如 ``upstream_openai``；默认是该类型自己的，见[内容安全](content-safety.zh.md#审核服
    务)。"""
    secret_id: Text | None = None
    """The name of the secret with the key's id; default: its kind's own.

    zh: 装有密钥 id 的机密的名字；默认是该类型自己的。"""
    timeout_seconds: Annotated[Number, Field(ge=0.05, le=60)] = 5.0
    """Seconds for one question.

    zh: 一次询问的秒数。"""
    on: Annotated[tuple[Direction, ...], Field(min_length=1)] = ("input", "output")
    """Requests, answers, or both.

    zh: 请求、回答，或两者。"""
    output: Literal["batches", "end"] = "batches"
    """What it sees of a streamed answer.

    zh: 它看到流式回答的哪些部分。"""
    batch_chars: Annotated[Count, Field(ge=1, le=10_000)] = 120
    """Characters after which a batch may end.

    zh: 多少字符后一批可以结束。"""
    review: Literal["block", "log"] = "block"
    """What a doubtful verdict means.

    zh: 存疑的结论意味着什么。"""
    longest_chars: Annotated[Count, Field(ge=100, le=10_000_000)] = 100_000
    """Longer texts count as a failure.

    zh: 更长的文本视为失败。"""
    keys: Patterns = ("*",)
    """The keys that it is for.

    zh: 适用的密钥。"""
    models: Patterns = ("*",)
    """The models that it is for.

    zh: 适用的模型。"""
    file: Text | None = None
    """For ``hook``: the Python file with it; relative to the project's folder.

    zh: 用于 ``hook``：装有它的 Python 文件；相对于项目文件夹。"""
    options: dict[str, Any] = Field(default_factory=dict)
    """What the kind takes.

    zh: 该类型的选项。"""

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
        required = MODERATORS[self.kind].required_option
        if required is not None and not self.options.get(required):
            message = _("a moderator of kind {kind!r} needs the option {required!r}", kind=self.kind, required=required)
            raise invalid("spec.bad-moderator", message, f"options: {{{required}: …}}")
        known = MODERATORS[self.kind].options
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
    """Word lists by name.

    zh: 按名称列出的词表。"""
    moderators: dict[Text, ModeratorSpec] = Field(default_factory=dict)
    """Remote moderators by name.

    zh: 按名称列出的审核服务。"""
    mask: Annotated[str, Field(min_length=1, max_length=1)] = "*"
    """What each letter of a masked word becomes.

    zh: 遮盖时每个字换成它。"""

    @model_validator(mode="after")
    def _mask_is_a_sign(self) -> Self:
        if "mask" in self.model_fields_set and not _gate.is_mask(self.mask):
            raise invalid(
                "spec.bad-word-list",
                _("the mask {mask!r} would mean something in JSON, which arguments of tools are", mask=self.mask),
                _("a sign such as * or █"),
            )
        return self

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        taken = sorted(({*self.lists} & {*self.moderators}) | ({"blocked_words"} & {*self.lists, *self.moderators}))
        if taken:
            raise invalid("spec.bad-word-list", _("two parts are called {taken!r}", taken=taken[0]), _("another name"))
        return self
