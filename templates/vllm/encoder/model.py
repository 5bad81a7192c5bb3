"""How texts become a vector, or a mark: read from a model's own files, as vLLM 0.32.0 reads them.

transformers_utils/config.py and layers/pooler there (read 2026-11-29): modules.json and the folder that it names say
how tokens are pooled, which dense layers follow, and whether a vector has length 1.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers

ENCODERS = ("BertModel", "RobertaModel", "XLMRobertaModel", "ModernBertModel")
CAUSAL = (
    *("Qwen2Model", "Qwen2ForCausalLM", "Qwen3Model", "Qwen3ForCausalLM"),
    *("LlamaModel", "LlamaForCausalLM", "MistralModel", "MistralForCausalLM"),
)
RANKING = (
    *("BertForSequenceClassification", "RobertaForSequenceClassification"),
    *("XLMRobertaForSequenceClassification", "ModernBertForSequenceClassification"),
)
"""Classes whose vectors and marks are the same here and in vLLM (preflight/on_cpu.py has them too)."""
TOKENS = 4096
"""Of a batch, padding included; one text may have more."""
TEXTS = 32
AHEAD = 256
"""Texts that wait, among which those of one length are put together."""
MOST_WAITING = 2**20
"""Tokens of all texts that wait or are worked on; each takes some 70 bytes here until its text is read."""
LONGEST = 2**20
"""Characters of a text that is to be cut off of which tokens are made."""
ACTIVATIONS = {
    "torch.nn.modules.activation.Tanh": torch.nn.Tanh,
    "torch.nn.modules.activation.GELU": torch.nn.GELU,
    "torch.nn.modules.activation.ReLU": torch.nn.ReLU,
    "torch.nn.modules.activation.Sigmoid": torch.nn.Sigmoid,
    "torch.nn.modules.linear.Identity": torch.nn.Identity,
}


class Refused(Exception):  # noqa: N818 - it is said of a request
    """What is wrong with a request, and which of its fields. ``wait``: seconds after which it may be asked again."""

    def __init__(self, message: str, param: str | None = None, status: int = 400, wait: int | None = None) -> None:
        super().__init__(message)
        self.param, self.status, self.wait = param, status, wait


def read(path: Path) -> Any:
    """A file of JSON; an empty object where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def cannot(message: str) -> SystemExit:
    """The end of a start that cannot come to anything, with the line that the watch looks for."""
    return SystemExit(f"this model cannot run on the CPU: {message}")


@dataclass(frozen=True)
class Pooling:
    """How the states of a text's tokens become one vector: ``mean``, ``cls`` or ``last``, what is laid over it, and
    whether it then has length 1."""

    kind: str
    normalized: bool
    layers: torch.nn.Sequential | None = None

    def __call__(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """One vector for each text, as 32-bit floats."""
        if self.kind == "cls":
            found = states[:, 0]
        elif self.kind == "last":
            found = states[torch.arange(len(states)), mask.sum(1) - 1]
        else:
            weights = mask.unsqueeze(-1).to(torch.float32)
            found = (states.to(torch.float32) * weights).sum(1) / weights.sum(1)
        found = found.to(torch.float32)
        return self.layers(found) if self.layers is not None else found


def pooling_of(folder: Path, architecture: str) -> Pooling:
    """As the model's files say; without them as vLLM does: the first token of an encoder, the last of a decoder."""
    modules = read(folder / "modules.json") or []
    by_class = {str(each["type"]).rpartition(".")[2]: each for each in modules}
    kind = "cls" if architecture in ENCODERS else "last"
    normalized = True
    if "Pooling" in by_class:
        normalized = "Normalize" in by_class
        said = read(folder / by_class["Pooling"]["path"] / "config.json")
        names = [value if key == "pooling_mode" and isinstance(value, str) else key for key, value in said.items()
                 if value is True or (key == "pooling_mode" and isinstance(value, str))]  # fmt: skip
        short = [each.removeprefix("pooling_mode_").partition("_")[0] for each in names]
        known = {"mean": "mean", "cls": "cls", "lasttoken": "last", "last": "last"}
        wanted = {known.get(each, each) for each in short if each not in ("include", "embedding")}
        if len(wanted) > 1 or wanted - set(known.values()):
            raise cannot(f"it pools by {', '.join(sorted(wanted))}")
        kind = next(iter(wanted), kind)
    dense = [each for each in modules if str(each["type"]).endswith(".Dense")]
    return Pooling(kind, normalized, torch.nn.Sequential(*_dense(folder, dense)).eval() if dense else None)


def _dense(folder: Path, modules: Sequence[Mapping[str, Any]]) -> Iterator[torch.nn.Module]:
    from safetensors.torch import load_file

    for each in modules:
        home = folder / each["path"]
        said = read(home / "config.json")
        layer = torch.nn.Linear(said["in_features"], said["out_features"], bias=said.get("bias", True))
        file = home / "model.safetensors"
        weights = load_file(file) if file.is_file() else torch.load(home / "pytorch_model.bin", weights_only=True)
        layer.load_state_dict({name.rpartition(".")[2]: value.to(torch.float32) for name, value in weights.items()})
        yield layer
        name = said.get("activation_function")
        if name and name not in ACTIVATIONS:
            raise cannot(f"a layer of it ends in {name}")
        if name:
            yield ACTIVATIONS[name]()


@dataclass(eq=False)
class Text:
    """The tokens of one text or pair, and what waits for its numbers."""

    tokens: dict[str, list[int]]
    found: Future[torch.Tensor] = field(default_factory=Future)

    def __len__(self) -> int:
        return len(self.tokens["input_ids"])


class Model:
    """A model in memory, and one thread that works on what waits for it."""

    def __init__(self, folder: Path, name: str, *, dtype: str, window: int | None, code: bool,
                 most: int = MOST_WAITING) -> None:  # fmt: skip
        self.name, self.most = name, most
        self.config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=code)
        (architecture, *_) = self.config.architectures or [""]
        self.ranks, self.causal = architecture in RANKING, architecture in CAUSAL
        if architecture not in (*ENCODERS, *CAUSAL, *RANKING):
            raise cannot(f"its class is {architecture or 'not told'}")
        if self.causal and getattr(self.config, "is_causal", True) is False:
            raise cannot("its tokens see those after them (is_causal: false)")
        if self.ranks and self.config.num_labels != 1:
            raise cannot(f"it sorts texts into {self.config.num_labels} classes")
        kind = transformers.AutoModelForSequenceClassification if self.ranks else transformers.AutoModel
        self.model = kind.from_pretrained(folder, dtype=getattr(torch, dtype), trust_remote_code=code).eval()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=code)
        self.pooling = None if self.ranks else pooling_of(folder, architecture)
        self.mark = _mark(self.config) if self.ranks else None
        told = next((each for kind in ("bert", "roberta", "xlm-roberta")
                     if (each := read(folder / f"sentence_{kind}_config.json")).get("max_seq_length")), {})  # fmt: skip
        self.lowers = bool(told.get("do_lower_case"))
        self.window = min(filter(None, (window, told.get("max_seq_length"), self._longest(architecture))))
        self.length = _length(self.config, self.pooling)
        """Numbers of a vector."""
        self.pad = self.tokenizer.pad_token_id or 0
        self.longest = self.window * max(map(len, self.tokenizer.get_vocab()), default=1)
        """Characters that no more tokens than it reads can have; vLLM refuses a text that has more, too."""
        self._one = threading.Lock()
        """Who uses the tokenizer: where it cuts off is kept in it, and would be so for the text of somebody else."""
        self.waiting: queue.Queue[Text] = queue.Queue()
        self.running = 0
        self.held = 0
        """Tokens of requests that have not been answered, and of those whose texts are being split."""
        threading.Thread(target=self._work, name="model", daemon=True).start()

    def _longest(self, architecture: str) -> int:
        most = int(self.config.max_position_embeddings)
        # RoBERTa counts positions from the one after that of padding.
        return most - self.config.pad_token_id - 1 if "Roberta" in architecture else most

    def tokens(self, text: str | list[int], pair: str | None = None, *, most: int | None = None,
               special: bool = True) -> dict[str, list[int]]:  # fmt: skip
        """The tokens of a text, or of a question and a text; ``most``: cut off after so many. Raises Refused."""
        if isinstance(text, list):
            if not text or not all(0 <= each < self.config.vocab_size for each in text):
                raise Refused("a token is not one of this model's", "input")
            left = most and len(text) > most and self.tokenizer.truncation_side == "left"
            found = {"input_ids": text[-most:] if most and left else text[:most] if most else text}
        else:
            texts = [each.lower() if self.lowers else each for each in (text, pair) if each is not None]
            # It takes some 400 bytes a character to split a text: nobody shall fill the machine with one.
            if not most and (count := max(map(len, texts))) > self.longest:
                raise Refused(f"this model's maximum context length is {self.window} tokens, which have {self.longest}"
                              f" characters at most, and the text has {count}", "input")  # fmt: skip
            if most:
                ends = slice(-LONGEST, None) if self.tokenizer.truncation_side == "left" else slice(LONGEST)
                texts = [each[ends] for each in texts]
            cut = {"truncation": True, "max_length": most} if most else {}
            found = self._split(*texts, add_special_tokens=special, **cut)
        if (count := len(found["input_ids"])) > self.window:
            raise Refused(f"this model's maximum context length is {self.window} tokens, and the text has {count}",
                          "input")  # fmt: skip
        if not count:
            raise Refused("a text is empty", "input")
        return found

    def split(self, text: str, *, special: bool) -> list[int]:
        """The tokens of a text, however many they are."""
        return self._split(text.lower() if self.lowers else text, add_special_tokens=special)["input_ids"]

    def _split(self, *texts: str, **how: Any) -> dict[str, list[int]]:
        try:
            for each in texts:
                each.encode()
        except UnicodeEncodeError:
            raise Refused("a text has half of a character (a surrogate alone)", "input") from None
        with self._one:
            return dict(self.tokenizer(*texts, verbose=False, **how))

    def __call__(self, texts: Sequence[dict[str, list[int]]]) -> list[Text]:
        """Put them in the queue."""
        found = [Text(each) for each in texts]
        for each in found:
            self.waiting.put(each)
        return found

    def _work(self) -> None:
        while True:
            taken = [self.waiting.get()]
            while len(taken) < AHEAD and not self.waiting.empty():
                taken.append(self.waiting.get())
            for batch in batches(taken):
                batch = [each for each in batch if each.found.set_running_or_notify_cancel()]
                if not batch:
                    continue
                self.running = len(batch)
                try:
                    for each, numbers in zip(batch, self._numbers(batch), strict=True):
                        each.found.set_result(numbers)
                except Exception as wrong:
                    # The next batch may be well.
                    logging.getLogger("encoder").exception("a batch of %d texts", len(batch))
                    for each in batch:
                        each.found.set_exception(wrong)
                self.running = 0

    @torch.inference_mode()
    def _numbers(self, batch: Sequence[Text]) -> torch.Tensor:
        most = max(map(len, batch))
        mask = torch.tensor([[1] * len(each) + [0] * (most - len(each)) for each in batch])
        given = {"input_ids": self.pad, "token_type_ids": 0}
        rows = {name: torch.tensor([each.tokens[name] + [filler] * (most - len(each)) for each in batch])
                for name, filler in given.items() if all(name in each.tokens for each in batch)}  # fmt: skip
        if self.pooling is None:
            assert self.mark is not None  # noqa: S101 - it ranks
            return self.model(**rows, attention_mask=mask).logits[:, 0].to(torch.float32)
        more = {"use_cache": False} if self.causal else {}
        return self.pooling(self.model(**rows, attention_mask=mask, **more).last_hidden_state, mask)


def _length(config: Any, pooling: Pooling | None) -> int:
    """Numbers of a vector, as vLLM reckons them (config/model.py, embedding_size): the last dense layer's, if any."""
    sizes = [each.out_features for each in (pooling.layers or ()) if isinstance(each, torch.nn.Linear)] if pooling else []
    return int(sizes[-1] if sizes else config.hidden_size)


def _mark(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """What makes a mark of a ranking model's number, as vLLM chooses it (layers/pooler/activations.py, get_act_fn)."""
    if getattr(config, "problem_type", None) == "regression":
        return torch.nn.Identity()
    name = (getattr(config, "sentence_transformers", None) or {}).get("activation_fn")
    name = name or getattr(config, "sbert_ce_default_activation_function", None)
    if name and name not in ACTIVATIONS:
        raise cannot(f"its marks are made by {name}")
    return ACTIVATIONS[name]() if name else torch.sigmoid


def batches(texts: Sequence[Text]) -> Iterator[list[Text]]:
    """Texts of like lengths together, so that little is padded: at most so many tokens, and so many texts."""
    batch: list[Text] = []
    for each in sorted(texts, key=len):
        if batch and (len(batch) == TEXTS or len(each) * (len(batch) + 1) > TOKENS):
            yield batch
            batch = []
        batch.append(each)
    if batch:
        yield batch
