"""What is left of English in a Chinese text."""

from __future__ import annotations

import re

CHINESE = re.compile(r"[\u4e00-\u9fff]")
WORDS = re.compile(
    r"\b(the|an?|is|are|was|and|or|not|no|of|to|has|have|needs?|there|this|which|that|it|its|in|on|for|with|by|from|at|"
    r"did|you|mean|known|one|give|leave|asked|per|Input|should|must|be|overridden)\b",
    re.ASCII,
)
"""Words that every English sentence holds some of."""
PHRASE = re.compile(r"(?<![\w/.:-])[a-z]{2,} [a-z]{2,}(?![\w/.:(=-])", re.ASCII)
"""Two words in a row, none of them a name."""
NAMES = re.compile(
    r"`[^`]*`|'[^']*'|\"[^\"]*\"|\[[^\]]*\]|\{[^{}]*\}|<[^<>]*>|(?m:^  .*$)|--[\w-]+(?: [A-Z]+| china| international)*|"
    r"\b(?:pulumi|pulumi-llm|pip|git|vllm|tools/\w+|tencent|aliyun|aws|sudo|no-stock)(?: (?:-{1,2})?[\w./:=-]+)+|"
    r"\w+(?:[-./:_]+\w+)+|user data",
    re.ASCII,
)
"""What stays as it is: what is quoted, typed into a shell or written into a file; one term of the field."""


def english_in(text: str) -> list[str]:
    """The words that are English."""
    plain = NAMES.sub("·", text)
    return [each.group() for pattern in (WORDS, PHRASE) for each in pattern.finditer(plain)]
