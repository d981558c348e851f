"""Which rows become which part."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from textlora.config import DataConfig
from textlora.data import (
    load_labelled,
    load_parts,
    load_texts,
    parts_from_tables,
    table_from_python,
)
from textlora.data.python import parts_from_python
from textlora.errors import ConfigError, DataError

Write = Callable[..., Path]


def csv_rows(count: int, prefix: str = "text") -> str:
    return "text,label\n" + "".join(f"{prefix} {i},{i % 2}\n" for i in range(count))


def saved(path: Path, **sizes: int) -> str:
    splits = {
        name: datasets.Dataset.from_dict(
            {"text": [f"{name} {i}" for i in range(size)], "label": [i % 2 for i in range(size)]}
        )
        for name, size in sizes.items()
    }
    datasets.DatasetDict(splits).save_to_disk(path)
    return str(path)


def sizes(**settings: Any) -> tuple[int, int | None, int | None]:
    parts = load_parts(DataConfig(**settings))
    return (
        len(parts.train),
        None if parts.validation is None else len(parts.validation),
        None if parts.test is None else len(parts.test),
    )


def test_one_file_is_split_in_three(write: Write) -> None:
    path = str(write("r.csv", csv_rows(100)))
    parts = load_parts(DataConfig(train=path))
    assert parts.validation
    assert parts.test
    together = [*parts.train.table.texts, *parts.validation.table.texts, *parts.test.table.texts]
    assert sorted(together) == sorted(f"text {i}" for i in range(100))
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (80, 10, 10)
    assert parts.validation.targets.sum() == 5
    again, other = load_parts(DataConfig(train=path)), load_parts(DataConfig(train=path, seed=1))
    assert again.train.table.texts == parts.train.table.texts
    assert other.train.table.texts != parts.train.table.texts


def test_targets_and_lines_follow_their_rows(write: Write) -> None:
    parts = load_parts(DataConfig(train=str(write("r.csv", csv_rows(60)))))
    for part in (parts.train, parts.validation, parts.test):
        assert part
        for text, line, target in zip(
            part.table.texts, part.table.lines, part.targets, strict=True
        ):
            number = int(text.split()[1])
            assert (line, target) == (number + 2, number % 2)


def test_shares_counts_and_nothing(write: Write) -> None:
    path = str(write("r.csv", csv_rows(100)))
    assert sizes(train=path, validation_size=20, test_size=0.3) == (50, 20, 30)
    assert sizes(train=path, validation_size=0, test_size=0) == (100, None, None)


def test_a_share_is_at_least_one_row_per_class(write: Write) -> None:
    rows = "".join(f"row {row},class {row % 30}\n" for row in range(180))
    path = str(write("r.csv", "text,label\n" + rows))
    assert sizes(train=path) == (120, 30, 30)
    with pytest.raises(DataError, match="162 and 18 rows is too small"):
        sizes(train=path, test_size=18)


def test_given_files(write: Write) -> None:
    train = str(write("t.csv", csv_rows(40)))
    valid, test = str(write("v.csv", csv_rows(10))), str(write("e.csv", csv_rows(6)))
    assert sizes(train=train, validation=valid, test=test) == (40, 10, 6)
    assert sizes(train=train, validation=valid) == (40, 10, None)
    assert sizes(train=train, test=test) == (36, 4, 6)


def test_own_splits_of_a_dataset(tmp_path: Path) -> None:
    three = saved(tmp_path / "three", train=40, validation=10, test=6)
    assert sizes(train=three) == (40, 10, 6)
    assert sizes(train=three, validation_split="test") == (40, 6, None)
    assert sizes(train=three, test_split="validation", validation_split="test") == (40, 6, 10)
    assert sizes(train=saved(tmp_path / "no_valid", train=40, test=6)) == (36, 4, 6)
    assert sizes(train=saved(tmp_path / "no_test", train=40, dev=10)) == (36, 10, 4)
    assert sizes(train=saved(tmp_path / "train", train=40)) == (32, 4, 4)
    assert sizes(train=three, train_split="test", test_size=0) == (6, 10, None)


def test_a_named_dataset_gives_its_validation_split(write: Write, tmp_path: Path) -> None:
    train = str(write("t.csv", csv_rows(40)))
    other = saved(tmp_path / "other", train=8, valid=10, test=6)
    assert sizes(train=train, validation=other, test=other) == (40, 10, 6)


def test_unlabelled_own_test_split_is_no_test_part(tmp_path: Path) -> None:
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
    )
    rows = {"text": ["a"] * 20, "label": [0, 1] * 10}
    train = datasets.Dataset.from_dict(rows, features=features)
    test = datasets.Dataset.from_dict({**rows, "label": [-1] * 20}, features=features)
    path = str(tmp_path / "glue")
    datasets.DatasetDict({"train": train, "test": test}).save_to_disk(path)
    assert sizes(train=path) == (16, 2, 2)
    with pytest.raises(DataError, match="no row has a label"):
        sizes(train=path, test_split="test")
    assert load_parts(DataConfig(train=path)).labels.names == ("neg", "pos")


def test_subsets_are_drawn_from_each_part(write: Write) -> None:
    path = str(write("r.csv", csv_rows(100)))
    assert sizes(train=path, subset=30, subset_eval=5) == (30, 5, 5)
    assert sizes(train=path, subset=3_000, subset_eval=3_000) == (80, 10, 10)
    whole = load_parts(DataConfig(train=path)).train.table.texts
    drawn = load_parts(DataConfig(train=path, subset=30)).train.table.texts
    assert set(drawn) < set(whole)
    assert drawn != whole[:30]
    with pytest.raises(DataError, match="1 rows drawn at random are all of one class"):
        sizes(train=path, subset=1)


def test_rejected_rows_of_all_sources(write: Write) -> None:
    train = str(write("t.csv", csv_rows(40) + " ,1\n"))
    valid = str(write("v.csv", csv_rows(10) + "text,\n"))
    parts = load_parts(DataConfig(train=train, validation=valid, on_bad_rows="skip"))
    assert [(row.source, row.line) for row in parts.rejected] == [(train, 42), (valid, 12)]
    one = load_parts(DataConfig(train=train, on_bad_rows="skip"))
    assert len(one.rejected) == 1


def test_multi_label_from_start_to_end(write: Write) -> None:
    rows = [{"text": f"t {i}", "labels": ["a", "b"][: i % 3]} for i in range(30)]
    path = str(write("r.jsonl", "\n".join(json.dumps(row) for row in rows)))
    parts = load_parts(DataConfig(train=path))
    assert parts.labels.multi_label
    assert parts.train.targets.shape == (24, 2)


def test_label_names_of_the_settings(write: Write) -> None:
    path = str(write("r.csv", csv_rows(40)))
    parts = load_parts(DataConfig(train=path, label_names=["negative", "positive"]))
    assert parts.labels.id2label == {0: "negative", 1: "positive"}


def test_unknown_label_in_a_given_part(write: Write) -> None:
    train = str(write("t.csv", csv_rows(40)))
    valid = str(write("v.csv", "text,label\na,0\nb,2\n"))
    with pytest.raises(DataError, match=r"v\.csv, line 3, column 'label': the label 2 is not one"):
        load_parts(DataConfig(train=train, validation=valid))


def test_training_rows_are_no_validation_rows(write: Write, tmp_path: Path) -> None:
    path = str(write("t.csv", csv_rows(40)))
    with pytest.raises(DataError, match="the rows to train on are named for the validation"):
        load_parts(DataConfig(train=path, validation=path))
    with pytest.raises(DataError, match=r"three \(train\): the rows to train on"):
        load_parts(DataConfig(train=saved(tmp_path / "three", train=4, test=4), test_split="train"))


def test_no_training_data() -> None:
    with pytest.raises(ConfigError, match=r"data\.train is not set"):
        load_parts(DataConfig())


# --- a finished run on other rows ------------------------------------------------


def test_load_labelled_uses_the_classes_of_the_run(write: Write, tmp_path: Path) -> None:
    data = DataConfig(train=str(write("t.csv", csv_rows(40))))
    labels = load_parts(data).labels
    part = load_labelled(str(write("new.csv", "text,label\na,1\nb,1\n")), data, labels)
    assert part.targets.tolist() == [1, 1]
    splits = saved(tmp_path / "splits", train=4, validation=3, test=2)
    assert len(load_labelled(splits, data, labels)) == 2
    assert len(load_labelled(saved(tmp_path / "dev", train=4, dev=3), data, labels)) == 3


def test_load_texts_needs_no_labels(write: Write) -> None:
    data = DataConfig(label_column="stars", strip_html=True)
    table = load_texts(str(write("new.csv", "text,other\na<br>b,1\nc,\n")), data)
    assert (table.texts, table.labels) == (["a b", "c"], None)


def test_tables_in_memory_become_parts() -> None:
    train = table_from_python([f"t {i}" for i in range(40)], ["a", "b"] * 20)
    held_out = table_from_python(["x"], ["b"])
    parts = parts_from_tables(train, held_out, None, DataConfig(test_size=0))
    assert (len(parts.train), parts.test) == (40, None)
    assert parts.validation
    assert parts.validation.targets.tolist() == [1]
    assert parts_from_tables(train, None, None, DataConfig()).test is not None


def rows_of(texts: list[str], classes: int = 2) -> str:
    return "text,label\n" + "".join(f"{text},{i % classes}\n" for i, text in enumerate(texts))


def test_leaks_are_dropped_from_the_earlier_split(write: Write) -> None:
    own = [f"train {i}" for i in range(20)]
    train = [*own, "both", "in valid", "in  test", "in test", "in test", "in valid"]
    validation = ["both", "in valid", "v 0", "v 1"]
    test = ["both", "in test", "in test", "t 0"]
    paths = {
        "train": str(write("t.csv", rows_of(train))),
        "validation": str(write("v.csv", rows_of(validation))),
        "test": str(write("e.csv", rows_of(test))),
    }
    parts = load_parts(DataConfig(**paths, drop_leaks=True))
    assert parts.train.table.texts == own
    assert parts.validation is not None
    assert parts.test is not None
    assert parts.validation.table.texts == ["in valid", "v 0", "v 1"]
    assert parts.test.table.texts == test
    assert parts.dropped == {"train": 6, "validation": 1}
    assert sizes(**paths) == (26, 4, 4)
    assert load_parts(DataConfig(**paths)).dropped == {}


def test_leaks_are_dropped_before_validation_is_split_off(write: Write) -> None:
    train = str(write("t.csv", rows_of([f"row {i}" for i in range(100)])))
    test = str(write("e.csv", rows_of([f"row {i}" for i in range(50)])))
    assert sizes(train=train, test=test, drop_leaks=True) == (45, 5, 50)


def test_dropping_leaks_must_leave_every_class_and_validation_rows(write: Write) -> None:
    texts = [f"row {i}" for i in range(30)]
    train, test = str(write("t.csv", rows_of(texts, 3))), str(write("e.csv", rows_of(texts[:3])))
    rare = str(write("r.csv", rows_of(texts, 3) + "row 0,3\nrow 1,3\n"))
    assert sizes(train=train, validation=test, drop_leaks=True) == (27, 3, None)
    with pytest.raises(DataError, match=r"no training row of '3'.*data\.drop_leaks=false"):
        sizes(train=rare, validation=test, drop_leaks=True)
    again = str(write("v.csv", rows_of(texts[:3])))
    with pytest.raises(DataError, match="every validation text is in the test rows"):
        sizes(train=train, validation=again, test=test, drop_leaks=True)


def test_copies_are_not_torn_apart_by_a_split(write: Write) -> None:
    texts = [f"row {i % 40}" for i in range(100)]
    parts = load_parts(DataConfig(train=str(write("t.csv", rows_of(texts)))))
    splits = [set(part.table.texts) for part in (parts.train, parts.validation, parts.test) if part]
    assert len(splits) == 3
    assert sum(map(len, splits)) == 40
    assert 8 <= len(parts.test or ()) <= 10


def test_leaks_are_dropped_where_copies_had_to_be_torn_apart(write: Write) -> None:
    texts = ["one"] * 48 + ["two"] * 50 + ["three", "four"]
    path = str(write("t.csv", rows_of(texts)))
    parts = load_parts(DataConfig(train=path, validation_size=0, drop_leaks=True))
    assert parts.test is not None
    assert not set(parts.train.table.texts) & set(parts.test.table.texts)


def test_leaks_are_dropped_from_several_labels(write: Write) -> None:
    rows = "".join(f"row {i},{('a', 'b', 'a|b')[i % 3]}\n" for i in range(30))
    train, test = write("t.csv", f"text,label\n{rows}"), write("e.csv", "text,label\nrow 2,a|b\n")
    paths = {"train": str(train), "test": str(test), "label_separator": "|"}
    assert sizes(**paths, validation_size=0, drop_leaks=True) == (29, None, 1)


def test_several_labels_must_differ(write: Write) -> None:
    texts = [f"text {number}" for number in range(12)]

    def given(labels: Any, weights: Any = None) -> None:
        parts_from_python(texts, labels, None, DataConfig(), weights)

    given([["a"], ["a", "b"]] * 6)
    with pytest.raises(DataError, match="have the same labels: 'a', 'b'"):
        given([["a", "b"]] * 12)
    with pytest.raises(DataError, match="no text to train on has a label"):
        given(np.eye(12, 3, dtype=np.int64), [0, 0, 0, *[1] * 9])
    path = str(write("r.csv", "text,label\n" + "".join(f"t{n},a|b\n" for n in range(12))))
    named = DataConfig(train=path, label_separator="|", label_names=["a", "b"])
    with pytest.raises(DataError, match="have the same labels"):
        load_parts(named)
