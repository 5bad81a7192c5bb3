"""The script that posts: what it lets through, whom it believes, and that there is one comment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

SCRIPT = Path(__file__).parents[2] / "docs/ci/post_comment.py"
MARKER = "<!-- pulumi-llm:review -->"
BODY = f"{MARKER}\n## What changes\n\n| machine | change |\n|---|---|\n| llm-server | in place |\n"
SHA = "1" * 40
JOINER = "\u2060"


class Api(ThreadingHTTPServer):
    """As much of GitHub's and GitLab's API as the script asks for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pulls: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.merge_request = {"state": "opened", "sha": SHA}
        self.asked: list[tuple[str, str]] = []
        self.tokens: set[str | None] = set()
        self.refusing = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, method: str, path: str, query: dict[str, list[str]], content: Any) -> Any:
        if self.refusing:
            return None
        if path.endswith("/user"):
            return {"id": 7}
        if path.endswith("/merge_requests/5"):
            return self.merge_request
        if path.endswith("/pulls"):
            owner, _, branch = query["head"][0].partition(":")
            return [each for each in self.pulls if each["of"] == (owner, branch)]
        if method == "GET":
            first = (int(query["page"][0]) - 1) * 100
            return self.comments[first : first + 100]
        if method == "POST":
            self.comments.append(comment(content["body"], identity=len(self.comments) + 1))
            return self.comments[-1]
        (found,) = [each for each in self.comments if each["id"] == int(path.rsplit("/", 1)[-1])]
        found["body"] = content["body"]
        return found


class Handler(BaseHTTPRequestHandler):
    server: Api

    def reply(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        content = json.loads(self.rfile.read(length)) if length else None
        self.server.asked.append((self.command, parts.path))
        self.server.tokens.add(self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN"))
        found = self.server.answer(self.command, parts.path, parse_qs(parts.query), content)
        data = json.dumps(found).encode() if found is not None else b'{"message": "no"}'
        self.send_response(200 if found is not None else 403)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_PUT = reply  # noqa: N815 - the names that the server looks for

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def comment(body: str, login: str = "github-actions[bot]", author: int = 7, identity: int = 1) -> dict[str, Any]:
    return {"id": identity, "body": body, "user": {"login": login}, "author": {"id": author}, "system": False}


def pull(number: int, sha: str = SHA, repository: str = "stranger/llm", branch: str = "better") -> dict[str, Any]:
    head = {"sha": sha, "repo": {"full_name": repository}}
    return {"number": number, "head": head, "of": (repository.split("/")[0], branch)}


def run(api: Api, folder: Path, content: str | bytes = BODY, **environment: str) -> subprocess.CompletedProcess[str]:
    file = folder / "comment.md"
    if not file.is_symlink():
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    event = folder / "event.json"
    repository = {"full_name": "stranger/llm", "owner": {"login": "stranger"}}
    of = {"head_sha": SHA, "head_branch": "better", "head_repository": repository, "pull_requests": []}
    event.write_text(json.dumps({"workflow_run": of}))
    github = {
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": "ours/llm",
        "GITHUB_API_URL": api.address,
        "GITHUB_TOKEN": "t0ken",
    }
    plain = {"PATH": os.environ["PATH"], "PYTHONUTF8": "1", "no_proxy": "*"}
    return subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(file)],
        env={**plain, **(environment or github)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def on_gitlab(api: Api) -> dict[str, str]:
    return {
        "GITLAB_CI": "true",
        "CI_API_V4_URL": api.address,
        "CI_PROJECT_ID": "42",
        "CI_MERGE_REQUEST_IID": "5",
        "CI_COMMIT_SHA": SHA,
        "PULUMI_LLM_COMMENT_TOKEN": "t0ken",
    }


def test_a_first_run_makes_one_comment_and_the_next_ones_edit_it(api: Api, tmp_path: Path) -> None:
    api.pulls = [pull(12)]
    assert run(api, tmp_path).returncode == 0
    assert [each["body"] for each in api.comments] == [BODY]

    assert "up to date" in run(api, tmp_path).stdout
    assert run(api, tmp_path, BODY.replace("in place", "replaced")).returncode == 0
    (only,) = api.comments
    assert "replaced" in only["body"]
    assert ("PATCH", "/repos/ours/llm/issues/comments/1") in api.asked
    assert {path for method, path in api.asked if method == "POST"} == {"/repos/ours/llm/issues/12/comments"}
    assert api.tokens == {"Bearer t0ken"}


def test_our_comment_is_found_on_a_later_page(api: Api, tmp_path: Path) -> None:
    api.pulls = [pull(12)]
    api.comments = [comment("talk", login="somebody", identity=each) for each in range(1, 231)]
    api.comments.append(comment(f"{MARKER}\nold", identity=999))
    assert run(api, tmp_path).returncode == 0
    assert api.comments[-1]["body"] == BODY
    assert len(api.comments) == 231


def test_a_comment_of_somebody_else_with_our_marker_is_left_alone(api: Api, tmp_path: Path) -> None:
    api.pulls = [pull(12)]
    api.comments = [comment(f"{MARKER}\nplanted", login="stranger")]
    assert run(api, tmp_path).returncode == 0
    assert [each["body"] for each in api.comments] == [f"{MARKER}\nplanted", BODY]


def test_a_comment_of_ours_with_another_marker_is_another_comment(api: Api, tmp_path: Path) -> None:
    api.pulls = [pull(12)]
    api.comments = [comment("<!-- pulumi-llm:review other -->\nother")]
    assert run(api, tmp_path).returncode == 0
    assert len(api.comments) == 2


@pytest.mark.parametrize(
    "pulls",
    [
        [],
        [pull(12, sha="2" * 40)],
        [pull(12, repository="stranger/other")],
        [{**pull(12), "head": {"sha": SHA, "repo": None}}],
    ],
    ids=["closed", "has moved on", "from another repository", "of a fork that is gone"],
)
def test_without_an_open_request_at_that_commit_nothing_is_posted(api: Api, tmp_path: Path, pulls: Any) -> None:
    api.pulls = pulls
    done = run(api, tmp_path)
    assert done.returncode == 0
    assert "nothing to do" in done.stdout
    assert api.comments == []


def test_the_request_is_never_taken_from_the_file(api: Api, tmp_path: Path) -> None:
    api.pulls = [pull(12)]
    (tmp_path / "number.txt").write_text("1")
    assert run(api, tmp_path, f"{BODY}\nPR: #1\n").returncode == 0
    assert all("/1/" not in path for _, path in api.asked)


REFUSED: dict[str, str | bytes] = {
    "no marker": "## looks like ours\n",
    "the marker further down": f"hello\n{BODY}",
    "another program's marker": "<!-- other -->\nhello\n",
    "an unfinished marker": "<!-- pulumi-llm diff\n-->\nhello\n",
    "empty": "",
    "too long": BODY + "x" * 66_000,
    "far too long": BODY + "x" * 400_000,
    "not UTF-8": BODY.encode() + b"\xff\xfe",
    "control characters": f"{BODY}\x1b[2J",
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED)
def test_a_file_of_another_form_is_refused(api: Api, tmp_path: Path, content: str | bytes) -> None:
    api.pulls = [pull(12)]
    done = run(api, tmp_path, content)
    assert done.returncode == 1
    assert done.stderr.startswith("post_comment: ")
    assert "Traceback" not in done.stderr
    assert api.comments == []


def test_a_link_in_place_of_the_file_is_refused(api: Api, tmp_path: Path) -> None:
    api.pulls = [pull(12)]
    (tmp_path / "elsewhere").write_text(f"{MARKER}\nsecret of the runner\n")
    (tmp_path / "comment.md").symlink_to(tmp_path / "elsewhere")
    assert run(api, tmp_path).returncode == 1
    assert api.comments == []


def test_what_would_do_something_is_made_into_plain_words(api: Api, tmp_path: Path) -> None:
    api.pulls = [pull(12)]
    bad = """\
@octocat and @team/all, and me@example.com
![see](https://elsewhere.example/pixel.png) and ![ref][one]
<img src="https://elsewhere.example/p.png"> <a href="https://bad.example">click</a> <script>x</script> <!-- hidden -->
<details open><summary>fine</summary><br/></details> <td align="right"> <details onclick="x">
@@ -1,3 +1,4 @@
"""
    assert run(api, tmp_path, BODY + bad).returncode == 0
    (posted,) = api.comments
    text = posted["body"]
    assert f"@{JOINER}octocat and @{JOINER}team/all, and me@{JOINER}example.com" in text
    assert "![" not in text
    for tag in ("<img", "<a ", "</a", "<script", "</script", "<details onclick"):
        assert tag not in text
    assert text.count("<!--") == 1
    assert '<details open><summary>fine</summary><br/></details> <td align="right">' in text
    assert "@@ -1,3 +1,4 @@" in text


def test_a_comment_at_the_limit_is_still_posted_whole(api: Api, tmp_path: Path) -> None:
    api.pulls = [pull(12)]
    content = BODY + "中" * (65_536 - len(BODY))
    assert run(api, tmp_path, content).returncode == 0
    assert api.comments[0]["body"] == content


def test_an_api_that_refuses_is_told_without_the_token(api: Api, tmp_path: Path) -> None:
    api.refusing = True
    done = run(api, tmp_path)
    assert done.returncode == 1
    assert "403" in done.stderr
    assert "t0ken" not in done.stderr + done.stdout


def test_an_api_that_is_not_there_is_told(api: Api, tmp_path: Path) -> None:
    done = run(api, tmp_path, **{**on_gitlab(api), "CI_API_V4_URL": "http://127.0.0.1:9/api"})
    assert done.returncode == 1
    assert "was not answered" in done.stderr


def test_without_its_environment_it_says_what_is_missing(api: Api, tmp_path: Path) -> None:
    done = run(api, tmp_path, LANG="C")
    assert done.returncode == 1
    assert "GITHUB_REPOSITORY is not set" in done.stderr


def test_on_gitlab_there_is_one_note_and_quick_actions_are_words(api: Api, tmp_path: Path) -> None:
    environment = on_gitlab(api)
    assert run(api, tmp_path, f"{BODY}/merge\n> /approve\n- /close\na/path stays\n", **environment).returncode == 0
    (note,) = api.comments
    assert f"\n{JOINER}/merge\n> {JOINER}/approve\n- {JOINER}/close\na/path stays" in note["body"]
    api.comments.insert(0, comment(f"{MARKER}\nplanted", author=8, identity=50))

    assert run(api, tmp_path, BODY, **environment).returncode == 0

    assert [each["body"] for each in api.comments] == [f"{MARKER}\nplanted", BODY]
    assert ("PUT", "/projects/42/merge_requests/5/notes/1") in api.asked
    assert api.tokens == {"t0ken"}


@pytest.mark.parametrize("changed", [{"state": "merged"}, {"sha": "2" * 40}])
def test_on_gitlab_a_request_that_moved_on_is_left_alone(api: Api, tmp_path: Path, changed: dict[str, str]) -> None:
    api.merge_request |= changed
    assert "nothing to do" in run(api, tmp_path, **on_gitlab(api)).stdout
    assert api.comments == []
