"""Tiny real models, saved as a user would have them, and a table that they can learn."""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ARCHITECTURES = ("distilbert", "bert", "roberta", "electra", "mpnet", "modernbert")
BERT_SPECIALS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
}
ROBERTA_SPECIALS = {
    "cls_token": "<s>",
    "pad_token": "<pad>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
}
POSITIVE = ("good", "great", "lovely", "fine")
NEGATIVE = ("bad", "awful", "dull", "poor")
OTHER = ("a", "the", "film", "was", "it", "plot", "and", "very", "story", "cast", ",", ".")
MAX_POSITIONS = 64


def words_of(specials: dict[str, str]) -> list[str]:
    """The vocabulary: the special tokens take the first ids, in their order."""
    return [*specials.values(), *POSITIVE, *NEGATIVE, *OTHER, "##s"]


def build_tokenizer(specials: dict[str, str], *, pad: bool = True) -> Any:
    """A WordPiece tokenizer that puts a start and an end around a text."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = words_of(specials)
    ids = {word: number for number, word in enumerate(words)}
    backend = Tokenizer(models.WordPiece(ids, unk_token=specials["unk_token"]))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    start, end = specials["cls_token"], specials["sep_token"]
    backend.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=[(start, ids[start]), (end, ids[end])]
    )
    kept = specials if pad else {k: v for k, v in specials.items() if k != "pad_token"}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **kept)


def build_config(architecture: str) -> Any:
    """Two layers, dim 32, two heads, FFN 64, 64 positions."""
    import transformers

    specials = ROBERTA_SPECIALS if architecture in ("roberta", "mpnet") else BERT_SPECIALS
    words = words_of(specials)
    pad = words.index(specials["pad_token"])
    bert = {
        "vocab_size": len(words),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": MAX_POSITIONS,
        "pad_token_id": pad,
    }
    if architecture == "distilbert":
        return transformers.DistilBertConfig(
            vocab_size=len(words),
            dim=32,
            n_layers=2,
            n_heads=2,
            hidden_dim=64,
            max_position_embeddings=MAX_POSITIONS,
            pad_token_id=pad,
        )
    if architecture == "electra":
        return transformers.ElectraConfig(embedding_size=32, **bert)
    if architecture == "modernbert":
        start, end = words.index("[CLS]"), words.index("[SEP]")
        ends = {"bos_token_id": start, "eos_token_id": end}
        return transformers.ModernBertConfig(
            **bert, **ends, cls_token_id=start, sep_token_id=end, global_attn_every_n_layers=2
        )
    kinds = {"bert": "BertConfig", "roberta": "RobertaConfig", "mpnet": "MPNetConfig"}
    return getattr(transformers, kinds[architecture])(**bert)


def save_model(folder: Path, architecture: str, *, pad: bool = True, seed: int = 0) -> Path:
    """Save a seeded random encoder with its tokenizer."""
    import torch
    from transformers import AutoModel

    specials = ROBERTA_SPECIALS if architecture in ("roberta", "mpnet") else BERT_SPECIALS
    torch.manual_seed(seed)
    model = AutoModel.from_config(build_config(architecture))
    # The usual 0.02 is made for wide models: here it would make all texts look the same.
    for weight in model.parameters():
        if weight.ndim == 2:
            torch.nn.init.normal_(weight, std=0.2)
    # Words of one kind are alike, as in a pretrained model.
    words, table = words_of(specials), model.get_input_embeddings().weight.data
    for kind, sign in ((POSITIVE, 1.0), (NEGATIVE, -1.0)):
        for word in kind:
            table[words.index(word), ::2] += sign
    model.save_pretrained(folder)
    build_tokenizer(specials, pad=pad).save_pretrained(folder)
    return folder


@dataclass(frozen=True)
class Reviews:
    """Texts whose label is decided by one word, as lists and as CSV files."""

    texts: list[str]
    labels: list[int]
    train: Path
    validation: Path
    test: Path


def write_table(path: Path, texts: list[str], labels: list[Any]) -> Path:
    """Write a CSV with the columns text and label."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(zip(texts, labels, strict=True))
    return path


def make_reviews(folder: Path) -> Reviews:
    """48 rows to train on, 16 to validate and 16 to test on."""
    draw = random.Random(7)  # noqa: S311
    texts, labels = [], []
    for row in range(80):
        words = draw.choices(OTHER, k=draw.randint(1, 8))
        words.insert(draw.randrange(len(words)), draw.choice(POSITIVE if row % 2 else NEGATIVE))
        texts.append(" ".join(words))
        labels.append(row % 2)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {
        name: write_table(folder / f"{name}.csv", texts[start:end], labels[start:end])
        for name, start, end in (("train", 0, 48), ("validation", 48, 64), ("test", 64, 80))
    }
    return Reviews(texts, labels, paths["train"], paths["validation"], paths["test"])
