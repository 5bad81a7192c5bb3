"""What GitHub and GitLab make of a comment: rendered by GitHub's own Markdown, and looked through as they do.

The patterns are written from html-pipeline's MentionFilter (GitHub) and from the references that GitLab lists in its
documentation of GitLab Flavored Markdown. Both look in the text that is shown, and leave out `pre`, `code` and `a`.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options

CALLS = {
    "somebody": re.compile(r"@[a-z0-9_]", re.IGNORECASE),
    "an issue": re.compile(r"#\d"),
    "a merge request": re.compile(r"!\d"),
    "a snippet, milestone, epic or alert": re.compile(r"[$%&^]\d"),
    "a label": re.compile(r"~[a-z\"]", re.IGNORECASE),
    "an issue by its prefix": re.compile(r"\bG[HL]-\d", re.IGNORECASE),
    "a commit": re.compile(r"(?<![0-9A-Za-z])(?=[a-f]*[0-9])[0-9a-f]{7,40}(?![0-9A-Za-z])"),
    "GitLab's long form": re.compile(r"\[(?:vulnerability|feature_flag|contact|cadence|issue|epic|work_item):"),
}
TAGS = {
    "h2",
    "h3",
    "p",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "ul",
    "li",
    "strong",
    "br",
    "sub",
    "code",
    "pre",
} | {
    "details",
    "summary",
    "a",
}
"""What our comments are made of; no `img`, no `script`."""


class Shown(HTMLParser):
    """The text that is looked through, and everything that is active."""

    def __init__(self, markdown: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self.code: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.comments: list[str] = []
        self._inside: list[str] = []
        self.feed(cmarkgfm.github_flavored_markdown_to_html(markdown, options=Options.CMARK_OPT_UNSAFE))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag in ("pre", "code", "a"):
            self._inside.append(tag)
        self.links += [value or "" for key, value in attrs if key in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            self._inside.remove(tag)

    def handle_data(self, data: str) -> None:
        (self.code if self._inside else self.text).append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    @property
    def calls(self) -> dict[str, str]:
        """What would call somebody or link to something, by kind, with the text around it."""
        found = {}
        for kind, pattern in CALLS.items():
            for each in self.text:
                if match := pattern.search(each):
                    found[kind] = each[max(0, match.start() - 20) : match.end() + 20]
        issues = re.compile(r"/(?:issues|pull|merge_requests|commit|discussions)/\w")
        return found | {f"a link to {each}": each for each in self.links if issues.search(each)}
