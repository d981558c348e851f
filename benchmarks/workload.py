"""What the benchmarks run on: the recipe, the reviews, and the encoder they are run with."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

RECIPE = "distilbert-lora-imdb"
TRAIN_FILE = "imdb_train_1000.parquet"
VALIDATION_FILE = "imdb_validation_1000.parquet"
TEST_FILE = "imdb_test_4000.parquet"
LABELS = ("Negative", "Positive")

ModelName = Literal["bundled", "base"]


@dataclass(frozen=True)
class Reviews:
    """Texts with 0 for negative and 1 for positive."""

    texts: list[str]
    labels: list[int]


def read_reviews(file: Path) -> Reviews:
    """Read a table with columns text and label."""
    from pyarrow import parquet

    table = parquet.read_table(file, columns=["text", "label"])
    return Reviews(table["text"].to_pylist(), table["label"].to_pylist())


def require_data(data: Path, *files: str) -> None:
    """End the program with one line where a file is missing."""
    missing = [name for name in files if not (data / name).is_file()]
    if missing:
        sys.exit(f"{data}: {missing[0]} is not there; name the folder with --data.")


def model_folder(name: ModelName, work: Path) -> Path:
    """Return the folder of an encoder with its tokenizer, made on first use.

    bundled is all-MiniLM-L6-v2 as a DistilBERT. base has the sizes of
    distilbert-base-uncased and seeded random weights: it learns nothing, and takes as long.
    The vocabularies are equally large, so both see the same tokens.

    Args:
        name: which.
        work: where base is built.
    """
    from textlora.model.bundled import bundled_folder

    bundled = bundled_folder()
    if name == "bundled":
        return bundled
    import torch
    from transformers import AutoTokenizer, DistilBertConfig, DistilBertModel

    folder = work / "base"
    if not (folder / "tokenizer.json").is_file():
        torch.manual_seed(0)
        tokenizer = AutoTokenizer.from_pretrained(bundled)
        config = DistilBertConfig()
        assert config.vocab_size == len(tokenizer)
        DistilBertModel(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder.absolute()


def without_dropout(model: Path, target: Path) -> Path:
    """Return a folder with the same weights and a configuration without dropout."""
    target.mkdir(parents=True, exist_ok=True)
    for file in model.iterdir():
        link = target / file.name
        if not link.exists():
            link.symlink_to(file.absolute())
    config = read_config(model)
    config |= {"dropout": 0.0, "attention_dropout": 0.0, "seq_classif_dropout": 0.0}
    (target / "config.json").unlink()
    (target / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return target.absolute()


def read_config(model: Path) -> dict[str, Any]:
    """Return a model's configuration."""
    values: dict[str, Any] = json.loads((model / "config.json").read_text(encoding="utf-8"))
    return values


def recipe_config(model: Path, folder: Path, **sections: dict[str, Any]) -> Any:
    """Return the recipe's settings for this encoder and these files, with some replaced.

    Args:
        model: folder of the encoder.
        folder: where the reviews are.
        sections: values by section, applied over the recipe's.
    """
    from textlora.recipes import load_recipe

    sources = {"train": str(folder / TRAIN_FILE), "validation": str(folder / VALIDATION_FILE)}
    return load_recipe(RECIPE).config(
        model={"name_or_path": str(model)},
        data={**sources, **sections.get("data", {})},
        **{name: values for name, values in sections.items() if name != "data"},
    )
