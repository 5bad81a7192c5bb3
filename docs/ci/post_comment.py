"""Puts what `pulumi-llm diff` wrote on a pull request of GitHub or a merge request of GitLab, as one comment.

    post_comment.py FILE

The file was made by code that nobody has reviewed yet, so it is data from a stranger: it is refused unless it is of the
right form and size, and what would do something when it is posted (mentions, quick actions, pictures from elsewhere) is
made to do nothing. Which request it belongs to is taken from the event that started this run, never from the file.

It needs Python 3.11 and nothing else. On GitHub: GITHUB_TOKEN, and what GitHub sets (GITHUB_EVENT_PATH,
GITHUB_REPOSITORY, GITHUB_API_URL). On GitLab: PULUMI_LLM_COMMENT_TOKEN, and what GitLab sets (CI_API_V4_URL,
CI_PROJECT_ID, CI_MERGE_REQUEST_IID, CI_COMMIT_SHA).

Exit 0: posted, unchanged, or out of date and left alone. Exit 1: refused, or the API did not take it.
"""

from __future__ import annotations

import html
import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

MARKER = re.compile(r"<!-- pulumi-llm[^<>\n]{0,200}-->")
"""The first line of what `pulumi-llm diff` writes. A comment is known again by it."""

MOST_CHARACTERS = 65_536
"""GitHub takes no longer comment (`body is too long (maximum is 65536 characters)`)."""

MOST_BYTES = 4 * MOST_CHARACTERS
TIMEOUT_SECONDS = 30
MOST_PAGES = 30
"""Pages of 100 comments that are looked through for ours."""

JOINER = "\u2060"
"""A word joiner: it is not seen, and the word that it is in is no command any more."""

MARKS = frozenset("@#!$%&~^[")
"""What a reference begins with."""

ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]*);(?=[\w&\"])")
REFERENCE = re.compile(
    r"(?<!&)#(?=[\d&])|[!$%^](?=[\d&])|&(?=\d)|[~%](?=[\w\"])|\b(?:GH|GL|gh|gl)-(?=\d)"
    r"|\[(?=(?:vulnerability|feature_flag|contact|cadence|issue|work_item|epic|wiki_page|design):)"
    r"|/(?:issues|pulls?|discussions|merge_requests|work_items|epics|commits?|compare)/(?=\w)"
)
"""An issue (`#12`, `GH-12`), a merge request (`!12`), GitLab's other marks, or the address of one of them."""

COMMIT = re.compile(r"(?<![0-9A-Za-z])(?=[a-f]*[0-9])[0-9a-f]{7,64}(?![0-9A-Za-z])")
"""Hexadecimal digits that a host may take for a commit."""

PLAIN_ATTRIBUTES = re.compile(r"(?: open| align=\"(?:left|right|center)\")*\s*/?")
HARMLESS = {"details", "summary", "br", "sub", "sup", "b", "i", "code", "pre", "table", "tr", "td", "th", "ins", "del"}


class Refused(Exception):  # noqa: N818 - it is a verdict, and its words are read by people
    """The file, or the request, is not one to post for."""


def main(argv: list[str]) -> int:
    """Post the file. See the module for the exit codes."""
    if len(argv) != 1:
        sys.stderr.write("usage: post_comment.py FILE\n")
        return 1
    try:
        host = GitLab(os.environ) if os.environ.get("GITLAB_CI") else GitHub(os.environ)
        marker, body = checked(Path(argv[0]), quick_actions=isinstance(host, GitLab))
        sys.stdout.write(post(host, marker, body) + "\n")
    except Refused as refused:
        sys.stderr.write(f"post_comment: {refused}\n")
        return 1
    return 0


def checked(path: Path, *, quick_actions: bool) -> tuple[str, str]:
    """The marker and the harmless body. Raises :class:`Refused`."""
    if path.is_symlink() or not path.is_file():
        raise Refused(f"{path} is not a file: did the plan fail before it had anything to say?")
    if path.stat().st_size > MOST_BYTES:
        raise Refused(f"the comment is larger than {MOST_BYTES} bytes")
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("the comment is not UTF-8") from None
    marker, _, rest = text.partition("\n")
    if not MARKER.fullmatch(marker):
        raise Refused("the comment's first line is not the marker of pulumi-llm")
    if any(ord(each) < 32 and each not in "\n\t" for each in rest):
        raise Refused("the comment holds control characters")
    body = f"{marker}\n{harmless(rest, quick_actions=quick_actions)}"
    if len(body) > MOST_CHARACTERS:
        raise Refused(f"the comment is longer than {MOST_CHARACTERS} characters")
    return marker, body


def harmless(text: str, *, quick_actions: bool) -> str:
    """``text`` with what calls somebody, links to something or is active made into plain words.

    ``quick_actions``: GitLab's too, which are lines such as `/merge`. What calls and what is fetched is parted wherever
    it is. What only makes a link (an issue, a commit) is left as it is in blocks of code, where no host looks for it,
    so that a digest can be copied from a difference.
    """
    text = re.sub(r"@(?=[\w&])", f"@{JOINER}", text)
    if quick_actions:
        text = re.sub(r"(?m)^([ \t>*+-]*)/(?=[a-z])", rf"\1{JOINER}/", text)
    text = re.sub(r"!(?=\[)", f"!{JOINER}", text)
    text = re.sub(r"<(?=!--)", f"<{JOINER}", text)
    # An entity is a character once it is shown: `&#64;` before a name calls as `@` does.
    text = re.sub(ENTITY, _parted_entity, text)

    def tag(match: re.Match[str]) -> str:
        name, rest = match[2].lower(), match[3]
        plain = PLAIN_ATTRIBUTES.fullmatch(rest) is not None
        return match[0] if name in HARMLESS and plain else f"<{JOINER}{match[0][1:]}"

    text = re.sub(r"<(/?)([A-Za-z][A-Za-z0-9-]*)([^<>]*)>?", tag, text)
    return "".join(part if is_code else _unlinked(part) for is_code, part in _blocks(text))


def _parted_entity(match: re.Match[str]) -> str:
    return match[0] + JOINER if html.unescape(match[0]) in MARKS else match[0]


def _unlinked(text: str) -> str:
    """``text`` without references to issues, requests, labels and commits."""
    text = re.sub(REFERENCE, lambda match: match[0] + JOINER, text)
    return re.sub(COMMIT, lambda match: JOINER.join(re.findall(".{1,6}", match[0])), text)


def _blocks(text: str) -> Iterator[tuple[bool, str]]:
    """The text in parts, each with whether it is surely a block of code.

    Only what every reading of Markdown takes for one counts: a fence at the line's start, after an empty line.
    """
    fence, empty, part = "", True, ""
    for line in text.splitlines(keepends=True):
        opening = re.match(r"(`{3,})[\w-]*\n", line) if empty and not fence else None
        if opening:
            yield False, part
            fence, part = opening[1], line
        elif fence and re.fullmatch(rf" {{0,3}}{fence}`*\s*", line):
            yield True, part + line
            fence, part = "", ""
        else:
            part += line
        empty = not line.strip()
    yield bool(fence), part


def post(host: Any, marker: str, body: str) -> str:
    """Put ``body`` in place of our comment with that marker, or make one. What was done, in words."""
    number = host.number()
    if number is None:
        return "there is no open request for this commit any more: nothing to do"
    for comment in host.comments(number):
        if comment["body"].split("\n", 1)[0].rstrip("\r") == marker and host.is_ours(comment):
            if comment["body"].replace("\r\n", "\n").strip() == body.strip():
                return f"the comment on {number} is up to date"
            host.edit(number, comment["id"], body)
            return f"the comment on {number} was edited"
    host.make(number, body)
    return f"a comment was put on {number}"


class _Api:
    """Requests to one API, with JSON both ways."""

    def __init__(self, address: str, headers: Mapping[str, str]) -> None:
        self.address, self.headers = address.rstrip("/"), dict(headers)

    def call(self, method: str, path: str, content: Any = None) -> Any:
        """The answer, parsed. Raises :class:`Refused` where there is none."""
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(  # noqa: S310 - the address is the CI's own
            f"{self.address}{path}", data, {**self.headers, "Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            said = error.read(500).decode("utf-8", "replace")
            raise Refused(f"{method} {path} was answered with {error.code}: {said}") from None
        except (OSError, ValueError) as error:
            raise Refused(f"{method} {path} was not answered: {error}") from None

    def pages(self, path: str) -> Iterator[Any]:
        """Everything that a list holds, page by page."""
        mark = "&" if "?" in path else "?"
        for page in range(1, MOST_PAGES + 1):
            found = self.call("GET", f"{path}{mark}per_page=100&page={page}")
            yield from found
            if len(found) < 100:
                return


class GitHub:
    """Pull requests of GitHub."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.repository = _wanted(environment, "GITHUB_REPOSITORY")
        self.login = environment.get("PULUMI_LLM_COMMENT_LOGIN", "github-actions[bot]")
        event = json.loads(Path(_wanted(environment, "GITHUB_EVENT_PATH")).read_text(encoding="utf-8"))
        self.run = event.get("workflow_run") or {}
        self.api = _Api(
            environment.get("GITHUB_API_URL", "https://api.github.com"),
            {
                "Authorization": f"Bearer {_wanted(environment, 'GITHUB_TOKEN')}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )

    def number(self) -> int | None:
        """The open pull request whose head is the commit of the run that started this one.

        The event names none for a fork, so it is looked for by owner and branch, and has to be at the same commit.
        """
        try:
            commit, branch = self.run["head_sha"], self.run["head_branch"]
            name, owner = self.run["head_repository"]["full_name"], self.run["head_repository"]["owner"]["login"]
        except (KeyError, TypeError):
            raise Refused("this run was not started by a workflow_run of a pull request") from None
        head = urllib.parse.quote(f"{owner}:{branch}", safe="")
        for each in self.api.pages(f"/repos/{self.repository}/pulls?state=open&head={head}"):
            theirs = each["head"]
            if theirs["sha"] == commit and (theirs["repo"] or {}).get("full_name") == name:
                return int(each["number"])
        return None

    def comments(self, number: int) -> Iterator[Any]:
        """The comments on a pull request."""
        return self.api.pages(f"/repos/{self.repository}/issues/{number}/comments")

    def is_ours(self, comment: Any) -> bool:
        """Whether we wrote it: anybody may write the marker."""
        return bool((comment.get("user") or {}).get("login") == self.login)

    def edit(self, number: int, identity: int, body: str) -> None:
        """Put ``body`` in place of a comment's."""
        self.api.call("PATCH", f"/repos/{self.repository}/issues/comments/{identity}", {"body": body})

    def make(self, number: int, body: str) -> None:
        """Make a comment."""
        self.api.call("POST", f"/repos/{self.repository}/issues/{number}/comments", {"body": body})


class GitLab:
    """Merge requests of GitLab."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.project = urllib.parse.quote(_wanted(environment, "CI_PROJECT_ID"), safe="")
        self.request = int(_wanted(environment, "CI_MERGE_REQUEST_IID"))
        self.commit = _wanted(environment, "CI_COMMIT_SHA")
        token = _wanted(environment, "PULUMI_LLM_COMMENT_TOKEN")
        self.api = _Api(_wanted(environment, "CI_API_V4_URL"), {"PRIVATE-TOKEN": token})
        self.me = 0

    def number(self) -> int | None:
        """The merge request of this pipeline, unless it has moved on to another commit."""
        found = self.api.call("GET", f"/projects/{self.project}/merge_requests/{self.request}")
        self.me = self.api.call("GET", "/user")["id"]
        current = found["state"] == "opened" and found["sha"] == self.commit
        return self.request if current else None

    def comments(self, number: int) -> Iterator[Any]:
        """The notes on a merge request."""
        return self.api.pages(f"/projects/{self.project}/merge_requests/{number}/notes")

    def is_ours(self, comment: Any) -> bool:
        """Whether the token's owner wrote it."""
        return not comment.get("system") and comment["author"]["id"] == self.me

    def edit(self, number: int, identity: int, body: str) -> None:
        """Put ``body`` in place of a note's."""
        self.api.call("PUT", f"/projects/{self.project}/merge_requests/{number}/notes/{identity}", {"body": body})

    def make(self, number: int, body: str) -> None:
        """Make a note."""
        self.api.call("POST", f"/projects/{self.project}/merge_requests/{number}/notes", {"body": body})


def _wanted(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise Refused(f"the environment variable {name} is not set")
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
