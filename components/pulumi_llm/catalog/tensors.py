"""What a model's weights take, by its own files: the headers of safetensors files, their index, or a hub's list.

A safetensors file begins with eight bytes, little-endian: the length of the JSON header that follows; the header names
each tensor with its dtype and its first and last byte. Source: huggingface/safetensors, README.md, "Format" (read
2026-11-28). Which files vLLM reads, and what it leaves on the disk: vllm 0.32.0, model_loader/default_loader.py and
weight_utils.py (read 2026-11-28).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from pulumi_llm import _json
from pulumi_llm import _system as system
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

INDEX = "model.safetensors.index.json"
LISTING = "pulumi-llm.files.json"
"""What a hub told of a model's files, kept beside its config.json: see `pulumi_llm.catalog.hub`."""

LONGEST_HEADER = 100_000_000
"""Bytes of a header at most (safetensors/src/tensor.rs: MAX_HEADER_SIZE)."""

POINTER = b"version https://git-lfs.github.com/spec/"
"""How a file begins that git-lfs has not fetched; the size of the real one stands in it."""

NEXT_TOKENS = re.compile(r"(?:model\.)?mtp(?:_block|_layers)?\.|(?:.*\.)?mtp\.|(?:model\.)?next_n_predict\.")
"""Tensors of heads for speculative decoding, which vLLM reads only when it is told to use them."""

OTHER_PARTS = re.compile(
    r"(?:model\.)?(?:visual|vision_\w+|vit|vision|audio_\w+|image_newline|multi_modal_projector|embed_vision|"
    r"embed_audio|mm_projector|mlp1|resampler|vpm|apm|sound_\w+|talker|token2wav|code2wav)\b"
)
"""Tensors of the parts that read pictures or sound."""

HEADS = ("lm_head.weight", "output.weight", "embed_out.weight", "language_model.lm_head.weight", "model.lm_head.weight")

PARTS = ("text", "other", "next_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Bytes of the weights that vLLM would read, by part.

    ``text`` writes text, ``other`` reads pictures or sound, ``next_tokens`` predicts several tokens at once and stays
    on the disk. Without headers (``exact`` false) all is counted as ``text``. ``single`` are the bytes in 32 bit, which
    vLLM turns into 16. ``tied``: no output head is stored (None: the names are not known).
    """

    text: int
    other: int = 0
    next_tokens: int = 0
    single: int = 0
    tied: bool | None = None
    exact: bool = False

    @property
    def stored(self) -> int:
        """Bytes of all tensors."""
        return self.text + self.other + self.next_tokens

    def loaded(self, *, quantized: bool) -> int:
        """Bytes that a server holds: unquantized weights in 32 bit are turned into 16."""
        whole = self.text + self.other
        return whole if quantized else whole - self.single // 2


def weights_in(folder: Path, layers: int | None = None) -> Weights | None:
    """What the files in a model's folder say, or what a hub said of them; None where there are no weights at all.

    ``layers``: those after the last one are heads that predict further tokens.
    Raises Refusal ``catalog.bad-weights-…`` for files that are broken or contradict each other.
    """
    row = told(folder)
    if row is not None:
        return Weights(**row["weights"]) if row.get("weights") else None
    index = _object(folder / INDEX) if (folder / INDEX).is_file() else None
    sizes = {each.name: _size(each) for each in sorted(folder.glob("*.safetensors")) if each.is_file()}
    names = chosen(sizes, index)
    if names and all(each in sizes and not _is_pointer(folder / each) for each in names):
        return by_headers((header_of(folder / each) for each in names), layers)
    return by_sizes(sizes, index, where=folder)


def chosen(names: Iterable[str], index: Mapping[str, Any] | None) -> list[str]:
    """The safetensors files at the top that vLLM reads: those of the index, else all but a second copy.

    ``consolidated`` files are Mistral's own form of the same weights.
    """
    if index is not None:
        return sorted(set(_map_of(index).values()))
    plain = sorted(each for each in names if "/" not in each and each.endswith(".safetensors"))
    return [each for each in plain if not each.startswith("consolidated")] or plain


def by_sizes(sizes: Mapping[str, int], index: Mapping[str, Any] | None, *, where: Path | str) -> Weights | None:
    """The weights by the sizes of their files, or by the index alone where there are none.

    Headers are counted with them: some KiB in GiB. Raises Refusal ``catalog.bad-weights-index``.
    """
    names = chosen(sizes, index)
    map_of = _map_of(index) if index is not None else {}
    tied = not any(head in map_of for head in HEADS) if map_of else None
    if names and all(each in sizes for each in names):
        return Weights(text=sum(sizes[each] for each in names), tied=tied)
    if index is None:
        return None
    meta = index.get("metadata")
    total = meta.get("total_size") if isinstance(meta, dict) else None
    # Some indexes hold the number as a float.
    if isinstance(total, bool) or not isinstance(total, int | float) or not 0 < total < 2**63:
        _refuse("index", where, _("{index} names files that are not there, and no total_size", index=INDEX))
    return Weights(text=int(total), tied=tied)


def by_headers(headers: Iterable[Mapping[str, tuple[str, int]]], layers: int | None = None) -> Weights:
    """The weights by the headers of all files: tensor to its dtype and bytes."""
    parts = dict.fromkeys(PARTS, 0)
    single, head = 0, False
    for header in headers:
        for name, (dtype, size) in header.items():
            part = part_of(name, layers)
            parts[part] += size
            head = head or name in HEADS
            if dtype == "F32" and part != "next_tokens":
                single += size
    return Weights(**parts, single=single, tied=not head, exact=True)


def part_of(tensor: str, layers: int | None) -> str:
    """Which part of the model a tensor is of, by its name."""
    numbered = re.match(
        r"(?:model\.|language_model\.|model\.language_model\.|language_model\.model\.)?layers\.(\d+)\.", tensor
    )
    if NEXT_TOKENS.match(tensor) or (numbered and layers is not None and int(numbered[1]) >= layers):
        return "next_tokens"
    return "other" if OTHER_PARTS.match(tensor) else "text"


def header_of(path: Path) -> dict[str, tuple[str, int]]:
    """A file's tensors: name to dtype and bytes. Raises Refusal ``catalog.bad-weights-header``."""
    try:
        with path.open("rb") as stream:
            start = stream.read(8)
            length = header_length(start, path)
            text = stream.read(length)
            whole = stream.seek(0, 2)
    except OSError as error:
        _refuse("header", path, _("it cannot be read: {problem}", problem=system.why(error)))
    found = tensors(text, path)
    end = 8 + length + sum(size for __, size in found.values())
    if whole < end:
        _refuse(
            "header",
            path,
            _("it has {whole:,} bytes, and by its header {end:,}: it did not come whole", whole=whole, end=end),
        )
    return found


def header_length(start: bytes, where: Path | str) -> int:
    """The length of the header that the first eight bytes tell. Raises Refusal ``catalog.bad-weights-header``."""
    length = int.from_bytes(start, "little") if len(start) == 8 else 0
    if not 0 < length <= LONGEST_HEADER:
        _refuse("header", where, _("it does not begin as a safetensors file does"))
    return length


def tensors(text: bytes, where: Path | str) -> dict[str, tuple[str, int]]:
    """The tensors of a header: name to dtype and bytes. Raises Refusal ``catalog.bad-weights-header``."""
    try:
        header = _json.loads(text)
        rows = {name: row for name, row in header.items() if name != "__metadata__"}
        found = {name: (str(row["dtype"]), _span(row["data_offsets"])) for name, row in rows.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        _refuse("header", where, _("its header is not that of a safetensors file"))
    return found


def _span(offsets: Any) -> int:
    first, last = offsets
    if isinstance(first, bool) or not isinstance(first, int) or not isinstance(last, int) or not 0 <= first <= last:
        raise ValueError
    return last - first


def listing_text(weights: Weights | None, **more: object) -> str:
    """The text of a `LISTING` file."""
    return (
        json.dumps({**more, "weights": None if weights is None else asdict(weights)}, indent=1, ensure_ascii=False)
        + "\n"
    )


def told(folder: Path) -> dict[str, Any] | None:
    """What a hub told, and when: ``hub``, ``kind``, ``model``, ``revision``, ``date``, ``weights``; None: no hub did.

    Raises Refusal ``catalog.bad-weights-listing`` for a file that is broken.
    """
    path = folder / LISTING
    if not path.is_file():
        return None
    row = _object(path)
    if not {"hub", "kind", "model", "revision", "date", "weights"} <= row.keys():
        _refuse("listing", path, _("it is not what a hub told"))
    return row


def read_index(text: bytes, where: Path | str) -> dict[str, Any]:
    """An index, checked. Raises Refusal ``catalog.bad-weights-index``."""
    try:
        value = _json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        _refuse("index", where, _("it is not the JSON of an index of weights"))
    _map_of(value, where)
    return value


def _map_of(index: Mapping[str, Any], where: Path | str = INDEX) -> dict[str, str]:
    found = index.get("weight_map")
    if not isinstance(found, dict) or not found or not all(isinstance(each, str) for each in found.values()):
        _refuse("index", where, _("it has no weight_map from tensors to files"))
    return found


def _object(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes()
    except OSError as error:
        _refuse("index", path, _("it cannot be read: {problem}", problem=system.why(error)))
    if path.name == INDEX:
        return read_index(text, path)
    try:
        value = _json.loads(text)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}


def _is_pointer(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(POINTER)) == POINTER


def _size(path: Path) -> int:
    """A file's bytes, or those that its pointer tells."""
    size = path.stat().st_size
    if size < 1024 and _is_pointer(path):
        told = re.search(rb"^size (\d{1,18})$", path.read_bytes(), re.MULTILINE)
        return int(told[1]) if told else size
    return size


def _refuse(code: str, where: Path | str, message: str) -> NoReturn:
    hint = _("fetch the file again, or give the config.json alone")
    raise Refusal([Finding(f"catalog.bad-weights-{code}", message, hint, where=str(where))])
