"""What the tables of the benchmark are made of: train and test rows, and how they are drawn."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

import pandas as pd

Metric = Literal["accuracy", "macro_f1"]
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
TAGS = re.compile(r"<[^>]+>")


@dataclass(frozen=True)
class Split:
    """The rows of a table.

    Args:
        train: column "text", and "label", or "labels" with a list for each text.
        test: likewise; every label of it is a label of two training rows or more.
    """

    train: pd.DataFrame
    test: pd.DataFrame

    @property
    def multi_label(self) -> bool:
        """Whether a text may have several labels."""
        return "labels" in self.train

    @property
    def classes(self) -> list[str]:
        """The labels of the training rows, as text."""
        return sorted({str(label) for label in labels_of(self.train)})

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write train and test into a folder, and return the two files."""
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for name, rows in (("train", self.train), ("test", self.test)):
            if self.multi_label:
                file = folder / f"{name}.jsonl"
                rows.to_json(file, orient="records", lines=True, force_ascii=False)
            else:
                file = folder / f"{name}.csv"
                rows.to_csv(file, index=False)
            written.append(file)
        return written[0], written[1]


@dataclass(frozen=True)
class Sources:
    """The folder of the data that the tables are made from.

    Args:
        folder: with the files of Banking77, GoEmotions and IMDb.
    """

    folder: Path

    def banking(self, part: str) -> pd.DataFrame:
        """Return Banking77's "train" or "test" rows."""
        return pd.read_csv(self._file(f"banking77_{part}.csv"), keep_default_na=False)

    def emotions(self, part: str) -> pd.DataFrame:
        """Return GoEmotions' rows: "train_4000", "validation_1000" or "test_2000"."""
        return pd.read_json(self._file(f"goemotions_{part}.jsonl"), lines=True, dtype=False)

    def reviews(self, part: str) -> pd.DataFrame:
        """Return IMDb's rows, label 0 or 1: "train_1000", "validation_1000" or "test_4000"."""
        return pd.read_parquet(self._file(f"imdb_{part}.parquet"))

    def _file(self, name: str) -> Path:
        file = self.folder / name
        if not file.is_file():
            sys.exit(f"{self.folder}: {name} is not there; name the folder with --data.")
        return file


def labels_of(rows: pd.DataFrame) -> list[Any]:
    """Return every label of every row, one after the other."""
    if "labels" in rows:
        return [label for labels in rows["labels"] for label in labels]
    return rows["label"].tolist()


def normalised(texts: pd.Series) -> pd.Series:
    """Return what two texts have in common that are copies of each other."""
    return texts.str.lower().str.replace(r"\W+", " ", regex=True).str.strip()


def clean_split(train: pd.DataFrame, test: pd.DataFrame) -> Split:
    """Return a split without copies, and without classes that nothing could be learnt for.

    Repeated texts go, training rows whose text is in the test rows, and classes that then
    have a single training row.
    """
    train, test = (rows[~normalised(rows["text"]).duplicated()] for rows in (train, test))
    train = train[~normalised(train["text"]).isin(set(normalised(test["text"])))]
    counts = train["label"].value_counts()
    known = counts.index[counts >= 2]
    return Split(
        *(rows[rows["label"].isin(known)].reset_index(drop=True) for rows in (train, test))
    )


def seeded(*names: object) -> Random:
    """Return a generator that depends on these names alone."""
    return Random(" ".join(str(name) for name in names))  # noqa: S311 - no secret is made of it


def take(rows: pd.DataFrame, count: int, draw: int) -> pd.DataFrame:
    """Return so many rows at random, or all where there are fewer."""
    return rows.sample(min(count, len(rows)), random_state=draw).reset_index(drop=True)


def take_each(rows: pd.DataFrame, count: int, draw: int) -> pd.DataFrame:
    """Return so many rows of each label at random; all where there are fewer."""
    shuffled = rows.sample(len(rows), random_state=draw)
    return shuffled.groupby("label", sort=True).head(count).reset_index(drop=True)


def rare(rows: pd.DataFrame, label: Any, others: int, draw: int) -> pd.DataFrame:
    """Return the rows with one label made rare: one for so many others."""
    rest = rows[rows["label"] != label]
    few = take(rows[rows["label"] == label], max(2, len(rest) // others), draw)
    return take(pd.concat([rest, few]), len(rows), draw)


def sentences(text: str, shortest: int = 5, longest: int = 30) -> list[str]:
    """Return the sentences of a review that have a number of words within the limits."""
    found = SENTENCE_END.split(" ".join(TAGS.sub(" ", text).split()))
    return [each for each in found if shortest <= len(each.split()) <= longest]
