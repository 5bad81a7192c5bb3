"""Make a small model of a real class with numbers at random, as transformers makes it: FOLDER KIND.

KIND is bert, roberta, qwen2, ranker, or minilm, which is a BERT of 12 layers of 384. Its numbers are large, so that
texts differ as much as words do.
"""

import sys
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

LETTERS = [chr(each) for each in (*range(33, 48), *range(48, 58), *range(97, 123))]
SPECIAL = {"bert": ("[PAD]", "[UNK]", "[CLS]", "[SEP]"), "roberta": ("<s>", "<pad>", "</s>", "<unk>")}
SIZES = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}


def tokenizer(kind: str) -> transformers.PreTrainedTokenizerFast:
    """Words cut into letters; what stands around a text is as the class has it."""
    kind = "bert" if kind == "minilm" else kind
    names = SPECIAL["bert" if kind == "bert" else "roberta"]
    vocabulary = {name: place for place, name in enumerate([*names, *LETTERS, *("##" + each for each in LETTERS)])}
    unknown = "[UNK]" if kind == "bert" else "<unk>"
    made = Tokenizer(models.WordPiece(vocabulary, unk_token=unknown, max_input_chars_per_word=100))
    made.pre_tokenizer, made.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    first, last = ("[CLS]", "[SEP]") if kind == "bert" else ("<s>", "</s>")
    single, pair = f"{first} $A {last}", f"{first} $A {last} {last} $B {last}"
    if kind == "bert":
        pair = f"{first} $A {last} $B:1 {last}:1"
    if kind == "qwen2":
        single = f"$A {last}"
    around = [(each, vocabulary[each]) for each in (first, last)]
    made.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=around)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]" if kind == "bert" else "<pad>", unk_token=unknown, eos_token=last,
        cls_token=first, sep_token=last, model_input_names=["input_ids", "token_type_ids", "attention_mask"]
        if kind == "bert" else ["input_ids", "attention_mask"],
    )  # fmt: skip


def model(kind: str, size: int) -> transformers.PreTrainedModel:
    """A model of that class."""
    if kind == "minilm":
        large = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 1536}
        return transformers.BertModel(transformers.BertConfig(**large, vocab_size=size, max_position_embeddings=512))
    shared = {**SIZES, "vocab_size": size, "initializer_range": 0.3}
    if kind == "bert":
        return transformers.BertModel(transformers.BertConfig(**shared, max_position_embeddings=128))
    if kind == "qwen2":
        more = {"num_key_value_heads": 2, "max_position_embeddings": 128, "pad_token_id": 1, "eos_token_id": 2}
        return transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**shared, **more))
    shared |= {"max_position_embeddings": 130, "type_vocab_size": 1, "pad_token_id": 1,
               "position_embedding_type": "absolute"}  # fmt: skip
    if kind == "roberta":
        return transformers.XLMRobertaModel(transformers.XLMRobertaConfig(**shared))
    return transformers.XLMRobertaForSequenceClassification(transformers.XLMRobertaConfig(**shared, num_labels=1))


def main(folder: Path, kind: str) -> None:
    """Into that folder."""
    torch.manual_seed(11)
    words = tokenizer(kind)
    words.save_pretrained(folder)
    made = model(kind, len(words))
    made.save_pretrained(folder)
    if kind == "roberta":
        home = folder / "2_Dense"
        home.mkdir()
        from safetensors.torch import save_file

        weights = {"linear.weight": torch.randn(32, 64) * 0.2, "linear.bias": torch.randn(32) * 0.2}
        save_file(weights, home / "model.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
