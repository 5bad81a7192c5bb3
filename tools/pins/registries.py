"""Asks registries about one pin: when it was released, what is newest, and which advisories are known."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from packaging.version import InvalidVersion, Version

MOST_BYTES = 64 << 20
"""The longest answer that is read; PyPI's page of a package with thousands of releases is some 20 MB."""
MAJORS = 4
"""How many major versions ahead a Go module is looked for: docker/compose went from v2 to v5 at once."""


class NoAnswerError(Exception):
    """The registry did not answer, or not as a registry answers; the text says what it did."""


class NotThereError(NoAnswerError):
    """The registry has no such page (404 or 410)."""


@dataclass(frozen=True)
class Advisory:
    """One known weakness of the pinned release, as the registry tells it."""

    name: str
    fixed_in: tuple[str, ...] = ()
    summary: str = ""


@dataclass(frozen=True)
class Answer:
    """What a registry says. ``advisories`` is None where it does not tell; ``no_advisories`` says why."""

    newest: str
    released: datetime | None
    newest_released: datetime | None
    advisories: tuple[Advisory, ...] | None = None
    no_advisories: str = ""
    newest_name: str = ""
    """Where the newest is called otherwise: a Go module's next major version."""
    unlisted: str = ""
    """That the registry does not list the pinned release."""
    unknown: str = ""
    """Why later major versions are not known."""

    @property
    def silent(self) -> bool:
        """Whether advisories were asked for and not answered."""
        return self.advisories is None and self.no_advisories.startswith("not answered")


@dataclass(frozen=True)
class Registries:
    """Where each registry is, and how long one answer may take, in seconds."""

    pypi: str = "https://pypi.org"
    go: str = "https://proxy.golang.org"
    debian: str = "https://deb.debian.org/debian"
    seconds: float = 30.0
    kinds: dict[str, Callable[[Registries, str, str], Answer]] = field(
        default_factory=lambda: {"pypi": _pypi, "go": _go, "debian": _debian}
    )

    def ask(self, registry: str, name: str, version: str) -> Answer:
        """What ``registry`` says about ``name`` at ``version``. Raises NoAnswerError."""
        try:
            return self.kinds[registry](self, name, version)
        except (
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:  # rows that are no rows, an address that is none
            raise NoAnswerError(f"what {registry} answers for {name} is not of its form: {error}") from None

    def text(self, address: str) -> str:
        """The answer at ``address``. Raises NoAnswerError, NotThereError for 404 and 410."""
        if urlsplit(address).scheme not in ("http", "https"):
            raise NoAnswerError(f"{address} is not an address of the web")
        until = time.monotonic() + self.seconds
        parts: list[bytes] = []
        try:
            request = Request(address, headers={"User-Agent": "pulumi-llm tools/outdated"})
            with urlopen(request, timeout=self.seconds) as answer:
                while block := answer.read1(1 << 20):
                    parts.append(block)
                    if time.monotonic() > until:  # the timeout above is for each read: a trickle would go on for ever
                        raise NoAnswerError(f"{address} took longer than {self.seconds:g} s")
                    if sum(map(len, parts)) > MOST_BYTES:
                        raise NoAnswerError(f"{address} answered more than {MOST_BYTES >> 20} MiB")
        except HTTPError as error:
            kind = NotThereError if error.code in (404, 410) else NoAnswerError
            raise kind(f"{address} answered HTTP {error.code}") from None
        except TimeoutError:
            raise NoAnswerError(f"{address} took longer than {self.seconds:g} s") from None
        except (URLError, OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                reason = f"took longer than {self.seconds:g} s"
            raise NoAnswerError(f"{address} could not be asked: {reason or type(error).__name__}") from None
        return b"".join(parts).decode("utf-8", "replace")

    def data(self, address: str) -> dict[str, Any]:
        """The JSON object at ``address``. Raises NoAnswerError."""
        text = self.text(address)
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            page = " but a web page" if text.lstrip()[:1] == "<" else ""
            raise NoAnswerError(f"{address} answered no JSON{page}") from None
        if not isinstance(value, dict):
            raise NoAnswerError(f"{address} answered JSON that is no object")
        return value


def version(text: str) -> Version | None:
    """A version in the order that PyPI and Go share for releases; None where it is none (a commit, say)."""
    try:
        return Version(text)
    except InvalidVersion:
        return None


def newer(newest: str, pinned: str) -> bool:
    """Whether ``newest`` comes after ``pinned``. What has no order, such as code names, is newer if it differs."""
    ours, theirs = version(pinned), version(newest)
    return newest != pinned if ours is None or theirs is None else theirs > ours


def _pypi(at: Registries, name: str, pinned: str) -> Answer:
    page = f"{at.pypi}/pypi/{name}/json"
    data = at.data(page)
    releases = data.get("releases")
    if not isinstance(releases, dict):
        raise NoAnswerError(f"{page} has no releases: is it an index with PyPI's JSON?")
    dates: dict[str, datetime] = {}
    for each, files in releases.items():
        kept = [row for row in files if not row.get("yanked")] if each != pinned else files
        if kept:
            dates[each] = min(_time(page, row.get("upload_time_iso_8601")) for row in kept)
    newest = _newest(dates, pinned)
    if newest is None:
        raise NoAnswerError(f"{page} has no release that could be installed")
    advisories, why = _advisories(at, name, pinned, data)
    unlisted = "" if pinned in dates else f"{page} does not list {pinned}"
    return Answer(newest, dates.get(pinned), dates.get(newest), advisories, why, unlisted=unlisted)


def _advisories(
    at: Registries, name: str, pinned: str, project: dict[str, Any]
) -> tuple[tuple[Advisory, ...] | None, str]:
    """What the index knows against the pinned release: on that release's own page, or the project's if it is newest."""
    try:
        data = at.data(f"{at.pypi}/pypi/{name}/{pinned}/json")
    except NoAnswerError as error:
        if project.get("info", {}).get("version") != pinned:
            return None, f"not answered: {error}"
        data = project
    rows = data.get("vulnerabilities")
    if not isinstance(rows, list):
        return None, "not answered: this index does not tell advisories"
    found, told = [], set[str]()
    for row in rows:
        called = {str(each) for each in (row.get("id"), *(row.get("aliases") or []))}
        if row.get("withdrawn") or told & called:  # one weakness has a row for each database that lists it
            continue
        told |= called
        names = [str(row.get("id", "?")), *(each for each in row.get("aliases") or [] if str(each).startswith("CVE-"))]
        summary = str(row.get("summary") or row.get("details") or "").strip().split("\n", 1)[0][:160]
        found.append(Advisory(" = ".join(dict.fromkeys(names)), tuple(map(str, row.get("fixed_in") or [])), summary))
    return tuple(found), ""


def _go(at: Registries, name: str, pinned: str) -> Answer:
    module = re.sub(r"[A-Z]", lambda letter: "!" + letter[0].lower(), name)
    stem, _, major = module.rpartition("/v")
    stem, major = (stem, major) if major.isdigit() else (module, "1")
    found, newest, unknown = module, _newest({*_go_list(at, module), pinned}, pinned), ""
    for number in range(int(major) + 1, int(major) + 1 + MAJORS):
        try:
            later = _newest(_go_list(at, f"{stem}/v{number}"), pinned)
        except NotThereError:
            continue
        except NoAnswerError as error:  # what is known of this major version is worth telling all the same
            unknown = unknown or str(error)
            continue
        if later:
            found, newest, unknown = f"{stem}/v{number}", later, ""
    if newest is None:
        raise NoAnswerError(f"{at.go}/{module}/@v/list lists no release")
    pages = [f"{at.go}/{path}/@v/v{each}.info" for path, each in ((module, pinned), (found, newest))]
    pinned_at, newest_at = (_time(page, at.data(page).get("Time")) for page in pages)
    moved = re.sub(r"!(\w)", lambda letter: letter[1].upper(), found) if found != module else ""
    none = "the Go proxy tells none"
    return Answer(newest, pinned_at, newest_at, no_advisories=none, newest_name=moved, unknown=unknown)


def _go_list(at: Registries, module: str) -> set[str]:
    page = f"{at.go}/{module}/@v/list"
    lines = {line.strip() for line in at.text(page).splitlines()} - {""}
    if not all(re.fullmatch(r"v\d+\.\d+\.\d+\S*", each) for each in lines):
        raise NoAnswerError(f"{page} answered no list of versions")
    return {each.removeprefix("v") for each in lines}


def _debian(at: Registries, _name: str, pinned: str) -> Answer:
    releases = []
    for suite in (pinned, "stable"):
        page = f"{at.debian}/dists/{suite}/Release"
        rows = dict(re.findall(r"(?m)^(Codename|Date): (.+)$", at.text(page)))
        try:
            releases.append((rows["Codename"], parsedate_to_datetime(rows["Date"]).replace(tzinfo=UTC)))
        except (KeyError, ValueError):
            raise NoAnswerError(f"{page} names no release and date") from None
    (_, pinned_at), (newest, newest_at) = releases
    return Answer(newest, pinned_at, newest_at, no_advisories="a release of Debian is mended by its point releases")


def _newest(versions: Iterable[str], pinned: str) -> str | None:
    """The newest that is a release; a pre-release counts where the pin is one."""
    ours = version(pinned)
    early = ours is not None and ours.is_prerelease
    order = [(found, each) for each in versions if (found := version(each)) and (early or not found.is_prerelease)]
    return max(order)[1] if order else None


def _time(page: str, value: Any) -> datetime:
    try:
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    except ValueError:
        raise NoAnswerError(f"{page} names {str(value)[:40]!r} as a date") from None
