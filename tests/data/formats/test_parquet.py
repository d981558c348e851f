"""Parquet files and saved datasets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from textlora.data import ReadOptions, read_table
from textlora.errors import DataError

Write = Callable[..., Path]


def parquet(path: Path, **columns: Any) -> Path:
    pa.parquet.write_table(pa.table(columns), path)
    return path


def named(labels: list[Any]) -> datasets.Dataset:
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
    )
    texts = [f"text {index}" for index in range(len(labels))]
    return datasets.Dataset.from_dict({"text": texts, "label": labels}, features=features)


def test_parquet_rows_are_numbered_from_one(tmp_path: Path) -> None:
    table = read_table(
        parquet(tmp_path / "r.parquet", id=[7, 8], text=["null", "b"], label=[1, 0]), ReadOptions()
    )
    assert (table.texts, table.labels, table.lines) == (["null", "b"], [1, 0], [1, 2])
    assert table.label_names is None


def test_parquet_of_pandas_categories_and_floats(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    frame = pd.DataFrame({"text": ["a", "b"], "label": pd.Categorical(["x", "y"])})
    frame.to_parquet(path)
    assert read_table(path, ReadOptions()).labels == ["x", "y"]
    assert read_table(parquet(path, text=["a", "b"], label=[1.0, 0.0]), ReadOptions()).labels == [
        1,
        0,
    ]


def test_parquet_lists_are_multi_label(tmp_path: Path) -> None:
    path = parquet(tmp_path / "r.parquet", text=["a", "b"], labels=[["y", "x"], []])
    assert read_table(path, ReadOptions()).labels == [("x", "y"), ()]


def test_parquet_bad_rows(tmp_path: Path) -> None:
    path = parquet(tmp_path / "r.parquet", text=["a", None, " "], label=[1, 1, 0])
    with pytest.raises(DataError, match=r"r\.parquet, line 2, column 'text': the text is missing"):
        read_table(path, ReadOptions())
    table = read_table(path, ReadOptions(on_bad_rows="skip"))
    assert [row.line for row in table.rejected] == [2, 3]


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "the file is empty"), (b"PAR1 no", "not a Parquet file")],
)
def test_parquet_that_is_none(write: Write, content: bytes, told: str) -> None:
    with pytest.raises(DataError, match=rf"r\.parquet: .*{told}"):
        read_table(write("r.parquet", content), ReadOptions())


def test_parquet_cut_short(tmp_path: Path) -> None:
    path = parquet(tmp_path / "r.parquet", text=["a"] * 500, label=[1] * 500)
    path.write_bytes(path.read_bytes()[20:])
    with pytest.raises(DataError, match=r"r\.parquet: .*damaged"):
        read_table(path, ReadOptions())


def test_parquet_without_rows_or_columns(tmp_path: Path) -> None:
    path = parquet(tmp_path / "r.parquet", text=pa.array([], pa.string()), label=pa.array([], "i8"))
    with pytest.raises(DataError, match="no rows"):
        read_table(path, ReadOptions())
    with pytest.raises(DataError, match="the columns are: 'comment'"):
        read_table(parquet(path, comment=["a"]), ReadOptions())


def test_class_names_of_parquet_written_by_datasets(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    named([1, 0, -1]).to_parquet(path)
    table = read_table(path, ReadOptions(on_bad_rows="skip"))
    assert (table.labels, table.label_names) == ([1, 0], ["neg", "pos"])


def test_saved_dataset_with_names_and_indices(tmp_path: Path) -> None:
    named([0, 1, 1]).select([2, 0]).save_to_disk(tmp_path / "saved")
    table = read_table(tmp_path / "saved", ReadOptions())
    assert (table.texts, table.labels) == (["text 2", "text 0"], [1, 0])
    assert table.label_names == ["neg", "pos"]


def test_saved_dataset_of_class_lists(tmp_path: Path) -> None:
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "labels": datasets.List(datasets.ClassLabel(names=["joy", "fear"])),
        }
    )
    rows = {"text": ["a", "b"], "labels": [[0, 1], [1]]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "saved")
    table = read_table(tmp_path / "saved", ReadOptions())
    assert (table.labels, table.label_names) == ([("0", "1"), ("1",)], ["joy", "fear"])


def test_saved_splits(tmp_path: Path) -> None:
    splits = {"train": named([0, 1]), "test": named([1, 0, 1])}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "saved")
    name = str(tmp_path / "saved")
    assert len(read_table(name, ReadOptions())) == 2
    table = read_table(name, ReadOptions(split="test"))
    assert (len(table), table.source) == (3, f"{name} (test)")
    with pytest.raises(DataError, match="no split 'dev'; it has train, test"):
        read_table(name, ReadOptions(split="dev"))


def test_saved_splits_none_of_which_is_train(tmp_path: Path) -> None:
    datasets.DatasetDict({"a": named([0]), "b": named([1])}).save_to_disk(tmp_path / "saved")
    with pytest.raises(DataError, match=r"none of its splits \(a, b\) is called train"):
        read_table(tmp_path / "saved", ReadOptions())


def test_damaged_folder(tmp_path: Path) -> None:
    named([0, 1]).save_to_disk(tmp_path / "saved")
    for file in (tmp_path / "saved").glob("*.arrow"):
        file.write_bytes(b"no")
    with pytest.raises(DataError, match="saved dataset cannot be opened"):
        read_table(tmp_path / "saved", ReadOptions())
