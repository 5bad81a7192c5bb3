"""The tables of the user guide: every key of the spec, in English and Chinese, and the secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from reading import Key, Kind, default_text, keys_of, number, parts_in, with_vendors

from pulumi_llm.spec import HUB, MODERATORS, VENDORS, PlatformSpec

ZH = Path(__file__).parent / "zh.json"


@dataclass
class Guide:
    """A guide in one language. ``said``: English meaning to the language's; None: English.

    ``used`` are those of the file that a table holds; what stands beside a field is there for that field anyway.
    """

    page: Path
    text: str
    said: dict[str, str] | None
    lacking: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    @property
    def chinese(self) -> bool:
        return self.said is not None

    def words(self, meaning: str) -> str:
        """A meaning as the table has it. What has no translation is remembered in ``lacking``."""
        if self.said is None:
            return _linked(_ticks(with_vendors(meaning)), self.text)
        self.used.add(meaning)
        if meaning not in self.said:
            self.lacking.append(meaning)
        return _ticks(with_vendors(self.said.get(meaning, meaning), "、"))


ENGLISH = {
    "text": "text",
    "day": "day",
    "cidr": "IPv4 range",
    "flag": "true or false",
    "any": "any",
    "part": "mapping",
    "count": "whole number",
    "number": "number",
    "of texts": "list of text",
    "of cidrs": "list of IPv4 ranges",
    "list": "list of {}",
    "map": "map of {}",
    "numbers": "numbers {}",
    "least": "from {}",
    "above": "above {}",
    "comma": ", ",
}
CHINESE = {
    "text": "文本",
    "day": "日期",
    "cidr": "IPv4 网段",
    "flag": "true 或 false",
    "any": "任意",
    "part": "映射",
    "count": "整数",
    "number": "数",
    "of texts": "文本列表",
    "of cidrs": "IPv4 网段列表",
    "list": "{} 的列表",
    "map": "{}映射",
    "numbers": "{} 的数的",
    "least": "至少 {}",
    "above": "大于 {}",
    "comma": "、",
}
LINKS = {
    "AdapterSpec": ("[adapters](#adapters)", "[适配器](#adapters)"),
    "AlternativeSpec": ("[alternatives](#alternatives)", "[备选](#alternatives)"),
    "KeySpec": ("[keys](#keys-and-limits)", "[密钥](#密钥和限额)"),
    "ModelSpec": ("[models](#several-models-on-a-host)", "[模型](#一台机器上的多个模型)"),
    "RouteSpec": ("[routes](#routes)", "[路由](#routes)"),
    "ServiceSpec": ("[services](#services)", "[服务](#services)"),
    "UpstreamSpec": ("[vendors](#upstreams)", "[厂商](#upstreams)"),
    "PriceSpec": ("[prices](#upstreams)", "[价格](#upstreams)"),
    "WordListSpec": ("lists", "词表"),
    "ModeratorSpec": ("moderators", "审核服务"),
}


def models() -> list[type[BaseModel]]:
    """Every part of the spec."""
    found: dict[type[BaseModel], None] = {}
    todo: list[type[BaseModel]] = [PlatformSpec]
    while todo:
        model = todo.pop(0)
        found[model] = None
        todo += [part for key in keys_of(model) for part in parts_in(key.kind) if part not in found]
    return list(found)


def read(page: Path) -> Guide:
    """A guide, and where it is Chinese what its meanings are called there."""
    text = page.read_text(encoding="utf-8")
    if not page.name.endswith(".zh.md"):
        return Guide(page, text, None)
    beside = {key.meaning: key.chinese for model in models() for key in keys_of(model) if key.chinese}
    return Guide(page, text, {**json.loads(ZH.read_text(encoding="utf-8")), **beside}, used=set(beside))


def written(guide: Guide) -> str:
    """The guide's text with all its tables made anew."""
    text = guide.text
    for model in models():
        text = _put(text, f"<!-- {model.__name__} -->\n", "\n".join(_table(guide, model)), guide.page)
    return _put(text, "<!-- secrets -->\n", "\n".join(_secrets(guide)), guide.page)


def _put(text: str, mark: str, table: str, page: Path) -> str:
    before, found, rest = text.partition(mark)
    if not found:
        raise SystemExit(f"{page}: there is no {mark.strip()}, behind which a table stands")
    return f"{before}{mark}{table}\n\n{rest.partition(chr(10) * 2)[2]}"


def _table(guide: Guide, model: type[BaseModel]) -> Iterator[str]:
    yield "| 键 | 类型 | 默认值 | 含义 |" if guide.chinese else "| key | type | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for key in keys_of(model):
        meaning = guide.words(key.meaning).replace("|", "\\|")
        yield f"| `{key.name}` | {_kind(guide, key.kind)} | {_default(key)} | {meaning} |"


def _default(key: Key) -> str:
    if key.required:
        return "**required**"
    return "none" if key.default is None else f"`{default_text(key.default)}`"


def _kind(guide: Guide, kind: Kind) -> str:
    words = CHINESE if guide.chinese else ENGLISH
    if kind.part is not None:
        return words["part"]
    if kind.choices:
        return words["comma"].join(f"`{each}`" for each in kind.choices)
    if kind.most is not None:
        return f"{number(kind.above if kind.least is None else kind.least)}–{number(kind.most)}"
    for bound in ("above", "least"):
        value: Any = getattr(kind, bound)
        if value is not None:
            return words[bound].format(number(value))
    if kind.inner is None:
        return words[kind.name]
    inner = kind.inner
    if inner.name == "any":
        return words["part"]
    if kind.name == "list" and not inner.choices and inner.name in ("text", "cidr"):
        return words[f"of {inner.name}s"]
    if inner.part is not None:
        return words["map"].format(LINKS[inner.part.__name__][guide.chinese])
    shown = _kind(guide, inner)
    return words[kind.name].format(words["numbers"].format(shown) if inner.name == "number" else shown)


def _secrets(guide: Guide) -> Iterator[str]:
    yield "| 配置键 | 何时需要 | 落在哪里 |" if guide.chinese else "| config key | needed for | becomes |"
    yield "| --- | --- | --- |"
    for vendor in VENDORS.values():
        upstream, where = (
            ("上游", "调用它的节点上的一个文件")
            if guide.chinese
            else ("the upstream", "a file on the node that calls it")
        )
        yield f"| `{vendor.secret.config_key}` | {upstream} `{vendor.name}` | {where} |"
    gated, where = ("gated models", "a file on the model server")
    if guide.chinese:
        gated, where = ("需要授权的模型", "模型服务器上的一个文件")
    yield f"| `{HUB.config_key}` | {gated} | {where} |"
    for kind in MODERATORS.values():
        keys = ("、" if guide.chinese else ", ").join(f"`{each.config_key}`" for each in kind.secrets.values())
        moderator = f"审核服务 `{kind.kind}`" if guide.chinese else f"a moderator `{kind.kind}`"
        when = guide.words(kind.when) if kind.when else ""
        moderator += (f"，{when}" if guide.chinese else f" {when}") if when else ""
        where = "有该审核服务的节点上的一个文件" if guide.chinese else "a file on the node with the moderator"
        yield f"| {keys} | {moderator} | {where} |"


def _ticks(text: str) -> str:
    return re.sub(r"``([^`]+)``", r"`\1`", text)


def _linked(text: str, page: str) -> str:
    """``see `renew``` as a link, where the page has a section of that name; so a title in quotes."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    for heading in headings:
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        if heading.startswith("`"):
            text = re.sub(rf"\b(see|as|of) {re.escape(heading)}(?!\w)", rf"\1 [{heading}](#{slug})", text, flags=re.I)
        else:
            text = re.sub(rf'"({re.escape(heading)})"', rf"[\1](#{slug})", text, flags=re.IGNORECASE)
    return text.replace('"Content safety"', "[Content safety](content-safety.md#moderators)")
