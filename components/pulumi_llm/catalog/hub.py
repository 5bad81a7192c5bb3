"""A model's description from the hub that has it: config.json, how it is quantized, and what its weights take.

Asked are the hubs of `templates/hubs.json`, in the order that is given, by the protocols that the node's own download
speaks: Hugging Face's (`/api/models/ID/tree/REV`, `/ID/resolve/REV/FILE`) and ModelScope's (`/api/v1/models/ID/repo`).
Of the weights only the headers are read, by a range of bytes. The answer is kept with its date, and used from then on.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from pulumi_llm import _json
from pulumi_llm import _system as system
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import Joined, _, either, listed
from pulumi_llm.catalog import load, own, tensors
from pulumi_llm.catalog.config import QUANTIZATION_FILES, layers_of
from pulumi_llm.catalog.config_file import MAX_BYTES
from pulumi_llm.catalog.models import Model
from pulumi_llm.errors import Finding, Refusal, nearest

SECONDS = 10.0
"""How long a hub may take for one answer, and WHOLE for all of them."""
WHOLE = 60.0

MOST_HEADERS = 300
"""Files whose headers are read; of a model in more of them the sizes must do."""
FIRST_READ = 2**17
"""Bytes of a file that are asked for first: most headers are shorter."""
MAX_INDEX = 64 * 2**20

BY_FILE = _("`pulumi-llm check PATH/config.json`, which needs no hub")

DESCRIPTIONS = ("config.json", *QUANTIZATION_FILES)

TOKEN = "HF_TOKEN"  # noqa: S105 - the name of a variable
"""The environment variable that Hugging Face's own tools read a token from; it is sent to that hub alone."""


@dataclass(frozen=True, slots=True)
class Hub:
    """One hub: its name, its protocol (``huggingface`` or ``modelscope``), its address."""

    name: str
    kind: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class File:
    """One file that a hub lists: its path, bytes, and address."""

    path: str
    size: int
    url: str


class HubError(Exception):
    """One hub did not give what was asked; the text says what it did instead. ``gone``: it has no such model."""

    def __init__(self, text: str, *, gone: bool = False, closed: bool = False) -> None:
        super().__init__(text)
        self.gone, self.closed = gone, closed


def cache_folder() -> Path:
    """Where they are kept: ``pulumi-llm/models`` in the user's cache (``$XDG_CACHE_HOME``, else ``~/.cache``)."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "pulumi-llm" / "models"


def kept(model: str, revision: str | None = None) -> Path | None:
    """The folder with what was fetched of a model before; None where nothing was. A name in another case is found."""
    if not own.ID.fullmatch(model):
        return None
    folder = _folder(model, revision)
    if (folder / tensors.LISTING).is_file():
        return folder
    wanted = folder.name.casefold()
    with contextlib.suppress(OSError):
        for each in sorted(cache_folder().iterdir()):
            if each.name.casefold() == wanted and (each / tensors.LISTING).is_file():
                return each
    return None


def fetch(model: str, hubs: Sequence[Hub], revision: str | None = None, *, say: Callable[[str], object] = len) -> Path:
    """Ask the hubs in turn, and keep what the first one tells; returns the folder with it.

    Raises Refusal: ``hub.not-found`` where each hub says that it has no such model, ``hub.gated`` where one wants a
    token, ``hub.unreachable`` with what each of them did otherwise. A hub that lies is refused as its files are.
    """
    if not own.ID.fullmatch(model):
        raise Refusal(
            [Finding("hub.bad-id", _("{model!r} is no id of a model on a hub", model=model), "organisation/name")]
        )
    errors: list[tuple[Hub, HubError]] = []
    end = time.monotonic() + WHOLE
    for hub in hubs:
        say(_("asking {hub} about {model}", hub=hub.name, model=model))
        try:
            return _fetched(model, hub, revision, end)
        except HubError as error:
            errors.append((hub, error))
    raise Refusal([_refused(model, errors)])


def held_against(model: Model, hubs: Sequence[Hub], revision: str | None = None) -> Model:
    """The model with its id at each kind of hub, where those hubs have the same files under that name.

    Raises Refusal ``hub.disagree`` where the files have other sizes.
    """
    listed_names = {hub.name: (hub, sizes(model.id, hub, revision)) for hub in hubs}
    known = {name: (hub, size) for name, (hub, size) in listed_names.items() if size is not None}
    if len({size for __, size in known.values()}) > 1:
        told = listed((f"{name}: {size:,} bytes" for name, (__, size) in known.items()))
        message = _("the hubs have different files of {model} ({told})", model=model.id, told=told)
        raise Refusal([Finding("hub.disagree", message, _("--hub NAME takes the one that you mean"))])
    if any(hub.kind == "modelscope" for hub, __ in known.values()):
        return replace(model, modelscope_id=model.id)
    return model


def sizes(model: str, hub: Hub, revision: str | None = None) -> int | None:
    """Bytes of the weights' files that a hub lists; None where it has none, or does not answer."""
    end = time.monotonic() + WHOLE
    try:
        files, __ = _listing(model, hub, revision, end)
        index = next((each for each in files if each.path == tensors.INDEX), None)
        told = tensors.read_index(_get(index.url, hub, end, most=MAX_INDEX), hub.name) if index else None
        listed_names = {each.path: each.size for each in files}
        return sum(listed_names[name] for name in tensors.chosen(listed_names, told)) or None
    except (HubError, Refusal, KeyError):
        return None


def _refused(model: str, errors: Sequence[tuple[Hub, HubError]]) -> Finding:
    near = [each for each in nearest(model, load().models) if each != model]
    meant = _("{names}, if that is meant; ", names=either(near)) if near else ""
    said = (_("{hub}: {problem}", hub=hub.name, problem=error) for hub, error in errors)
    why = Joined(_("; "), said) if errors else _("no hub is named")
    if any(error.closed for __, error in errors):
        hint = _(
            "{meant}ask for access on the model's page, and set {token} to a token of yours; or {by_file}",
            meant=meant,
            token=TOKEN,
            by_file=BY_FILE,
        )
        return Finding(
            "hub.gated", _("{model} is not open to everybody, or not there ({why})", model=model, why=why), hint
        )
    if errors and all(error.gone for __, error in errors):
        return Finding(
            "hub.not-found",
            _("no hub has a model called {model} ({why})", model=model, why=why),
            _("{meant}or {by_file}", meant=meant, by_file=BY_FILE),
        )
    return Finding(
        "hub.unreachable",
        _("no hub tells about {model} ({why})", model=model, why=why),
        _("{meant}a network, or {by_file}", meant=meant, by_file=BY_FILE),
    )


def _fetched(model: str, hub: Hub, revision: str | None, end: float) -> Path:
    files, commit = _listing(model, hub, revision, end)
    by_path = {each.path: each for each in files}
    if "config.json" not in by_path:
        raise HubError(_("it lists no config.json, so these are no weights that vLLM serves"), gone=True)
    texts = {name: _get(by_path[name].url, hub, end, most=MAX_BYTES) for name in DESCRIPTIONS if name in by_path}
    index = None
    if tensors.INDEX in by_path:
        index = tensors.read_index(_get(by_path[tensors.INDEX].url, hub, end, most=MAX_INDEX), f"{hub.name}: {model}")
    sizes = {each.path: each.size for each in files if each.path.endswith(".safetensors")}
    names = tensors.chosen(sizes, index)
    gone = [each for each in names if each not in sizes]
    if gone:
        raise HubError(_("the index names {gone}, and the hub does not list it", gone=gone[0]))
    weights = tensors.by_sizes(sizes, index, where=model)
    if names and len(names) <= MOST_HEADERS:
        weights = _by_headers([by_path[each] for each in names], hub, end, _layers(texts["config.json"]))
    text = tensors.listing_text(weights, hub=hub.name, kind=hub.kind, model=model, revision=commit, date=_today())
    return _keep(_folder(model, revision), {**texts, tensors.LISTING: text.encode()})


def _by_headers(files: Sequence[File], hub: Hub, end: float, layers: int | None) -> tensors.Weights:
    def header(file: File) -> dict[str, tuple[str, int]]:
        start = _get(file.url, hub, end, first=0, last=min(FIRST_READ, file.size) - 1)
        length = tensors.header_length(start[:8], file.path)
        if 8 + length > file.size:
            raise HubError(_("the header of {path} would be longer than the file", path=file.path))
        while len(start) < 8 + length:
            more = _get(file.url, hub, end, first=len(start), last=8 + length - 1)
            if not more:
                raise HubError(_("the header of {path} does not come whole", path=file.path))
            start += more
        found = tensors.tensors(start[8 : 8 + length], file.path)
        if 8 + length + sum(size for __, size in found.values()) != file.size:
            raise HubError(
                _("{path} has {size:,} bytes by the list, and others by its header", path=file.path, size=file.size)
            )
        return found

    with ThreadPoolExecutor(8) as pool:
        return tensors.by_headers(list(pool.map(header, files)), layers)


def _layers(config: bytes) -> int | None:
    try:
        value = _json.loads(config)
    except (ValueError, RecursionError):
        return None
    return layers_of(value) if isinstance(value, dict) else None


def _listing(model: str, hub: Hub, revision: str | None, end: float) -> tuple[list[File], str]:
    """All files of a model, and the revision that they are of."""
    try:
        if hub.kind == "modelscope":
            return _modelscope(model, hub, revision, end)
        return _huggingface(model, hub, revision, end)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise HubError(_("it sent something else than a list of files")) from None


def _huggingface(model: str, hub: Hub, revision: str | None, end: float) -> tuple[list[File], str]:
    wanted = quote(revision or "main", "")
    url, rows, commit = f"{hub.endpoint}/api/models/{model}/tree/{wanted}?recursive=true", [], ""
    while url:
        text, headers = _answer(url, hub, end, most=MAX_INDEX)
        rows += [row for row in _json.loads(text) if row["type"] == "file"]
        commit = headers.get("X-Repo-Commit") or commit
        following = headers.get("Link", "").partition("<")[2].partition(">")[0]
        # The way to the next page leads to the same hub, or nowhere.
        url = following if following.startswith(f"{hub.endpoint}/") else ""
    base = f"{hub.endpoint}/{model}/resolve/{commit or wanted}/"
    return [File(str(row["path"]), int(row["size"]), base + quote(row["path"])) for row in rows], commit or wanted


def _modelscope(model: str, hub: Hub, revision: str | None, end: float) -> tuple[list[File], str]:
    wanted = quote(revision or "master", "")
    api = f"{hub.endpoint}/api/v1/models/{model}/repo"
    text, __ = _answer(f"{api}/files?Revision={wanted}&Recursive=True", hub, end, most=MAX_INDEX)
    rows = [row for row in _json.loads(text)["Data"]["Files"] if row["Type"] == "blob"]
    base = f"{api}?Revision={wanted}&FilePath="
    return [File(str(row["Path"]), int(row["Size"]), base + quote(row["Path"], "")) for row in rows], wanted


def _get(url: str, hub: Hub, end: float, *, most: int = MAX_BYTES, first: int | None = None, last: int = 0) -> bytes:
    return _answer(url, hub, end, most=most, first=first, last=last)[0]


def _answer(
    url: str, hub: Hub, end: float, *, most: int = MAX_BYTES, first: int | None = None, last: int = 0
) -> tuple[bytes, Mapping[str, str]]:
    """What an address answers: at most ``most`` bytes, or those from ``first`` to ``last``. Raises HubError."""
    request = Request(url, headers={"User-Agent": "pulumi-llm", "Accept": "*/*"})  # noqa: S310 - hubs are http(s)
    if first is not None:
        request.add_header("Range", f"bytes={first}-{last}")
        most = last - first + 1
    token = os.environ.get(TOKEN, "").strip()
    if token and hub.name == "huggingface" and urlsplit(url).scheme == "https":
        # Unredirected: a hub sends us on to content hosts, and they shall not see it.
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    left = end - time.monotonic()
    if left <= 0:
        raise HubError(_("it took longer than {whole:.0f} seconds", whole=WHOLE))
    try:
        with urlopen(request, timeout=min(SECONDS, left)) as answer:  # noqa: S310
            text = _read(answer, most, end, ranged=first is not None)
            return text, answer.headers
    except HTTPError as error:
        error.close()
        if error.code in (401, 403):
            # Hugging Face answers 401 for names that do not exist, too.
            raise HubError(
                _("it answers {code}: it has no such model, or not for everybody", code=error.code), closed=True
            ) from None
        if error.code == 404:
            raise HubError(_("it has no such model or revision"), gone=True) from None
        raise HubError(_("it answers {code}", code=error.code)) from None
    except TimeoutError:
        raise HubError(_("no answer within {seconds:.0f} seconds", seconds=SECONDS)) from None
    except (OSError, HTTPException, ValueError) as error:
        cause = getattr(error, "reason", None) or error
        problem = system.why(cause) if isinstance(cause, OSError) else str(cause) or type(cause).__name__
        raise HubError(_("no answer ({problem})", problem=problem)) from None


def _read(answer: Any, most: int, end: float, *, ranged: bool) -> bytes:
    """The body, in pieces, so that one that trickles ends in time; a range that is not kept to is cut."""
    pieces, size = [], 0
    while piece := answer.read1(2**16) if size < most + 1 else b"":
        pieces.append(piece)
        size += len(piece)
        if time.monotonic() > end:
            raise HubError(_("it took longer than {whole:.0f} seconds", whole=WHOLE))
    if size > most and not ranged:
        raise HubError(_("it sent more than {most:,} bytes where a small file was asked for", most=most))
    return b"".join(pieces)[:most]


def _folder(model: str, revision: str | None) -> Path:
    name = f"{model}@{revision}" if revision else model
    return cache_folder() / re.sub(r"[^A-Za-z0-9._@-]+", "--", name)


def _keep(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write the files, whole or not at all."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
        try:
            fresh = beside / "fresh"
            fresh.mkdir()
            for name, text in files.items():
                (fresh / name).write_bytes(text)
            with contextlib.suppress(FileNotFoundError):
                folder.rename(beside / "older")
            fresh.rename(folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        message = _(
            "what the hub told cannot be kept in {folder}: {problem}", folder=folder, problem=error.strerror or error
        )
        raise Refusal(
            [Finding("hub.not-kept", message, _("set XDG_CACHE_HOME to a folder that can be written"))]
        ) from None
    return folder


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
