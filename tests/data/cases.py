"""Every bad input that docs/errors.md quotes, and how to meet it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from textlora.config import DataConfig
from textlora.data import (
    Truncation,
    load_labelled,
    load_parts,
    load_texts,
    tokenize,
    write_rejected,
)
from textlora.data.rows import readable_texts
from textlora.errors import TextloraError

GOOD = "text,label\ngood film,1\nbad film,0\nnice,1\nawful,0\n"


@dataclass(frozen=True)
class Case:
    """One bad input.

    Args:
        title: the heading in docs/errors.md.
        provoke: does what a user would do, in a folder of its own.
    """

    title: str
    provoke: Callable[[Path], object]

    def message(self, folder: Path) -> str:
        """Return the message that the input leads to, with the folder's name taken out."""
        try:
            self.provoke(folder)
        except TextloraError as error:
            return str(error).replace(f"{folder}/", "").replace(str(folder), ".")
        raise AssertionError(f"{self.title}: nothing was raised")


def _file(name: str, content: str | bytes, **settings: object) -> Callable[[Path], object]:
    def provoke(folder: Path) -> object:
        path = folder / name
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return load_parts(DataConfig.model_validate({"train": str(path), **settings}))

    return provoke


def _missing_file(folder: Path) -> object:
    (folder / "reviews.csv").write_text(GOOD)
    return load_parts(DataConfig(train=str(folder / "review.csv")))


def _unreadable_folder(folder: Path) -> object:
    # The tests may run as root, whom no permission stops.
    refusal = PermissionError(13, "Permission denied")
    with mock.patch.object(Path, "stat", side_effect=refusal):
        return load_parts(DataConfig(train=str(folder / "private" / "reviews.csv")))


def _other_folder(folder: Path) -> object:
    (folder / "tables").mkdir()
    (folder / "tables" / "reviews.csv").write_text(GOOD)
    return load_parts(DataConfig(train=str(folder / "tables")))


def _unknown_label(folder: Path) -> object:
    (folder / "train.csv").write_text("text,label\na,pos\nb,neg\nc,pos\nd,neg\n")
    (folder / "valid.csv").write_text("text,label\na,pos\nb,negative\n")
    return load_parts(
        DataConfig(train=str(folder / "train.csv"), validation=str(folder / "valid.csv"))
    )


def _unknown_labels(folder: Path, **settings: object) -> object:
    (folder / "train.csv").write_text("text,label\na,pos\nb,neg\nc,pos\nd,neg\n")
    (folder / "valid.csv").write_text("text,label\na,good\nb,negative\nc,good\n")
    files = {"train": str(folder / "train.csv"), "validation": str(folder / "valid.csv")}
    return load_parts(DataConfig.model_validate({**files, **settings}))


def _only_unknown_labels(folder: Path) -> object:
    return _unknown_labels(folder, on_unknown_classes="skip")


def _numbers_and_names(folder: Path) -> object:
    (folder / "train.csv").write_text(GOOD)
    (folder / "new.csv").write_text("text,label\na,good\nb,bad\n")
    labels = load_parts(
        DataConfig(train=str(folder / "train.csv"), test_size=0, validation_size=0)
    ).labels
    return load_labelled(str(folder / "new.csv"), DataConfig(), labels)


def _same_rows(folder: Path) -> object:
    (folder / "train.csv").write_text(GOOD)
    name = str(folder / "train.csv")
    return load_parts(DataConfig(train=name, validation=name))


def _no_split(folder: Path) -> object:
    import datasets

    saved = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]})
    datasets.DatasetDict({"train": saved, "test": saved}).save_to_disk(str(folder / "saved"))
    return load_parts(DataConfig(train=str(folder / "saved"), train_split="training"))


def _hub_out_of_reach(folder: Path) -> object:
    reason = ConnectionError("Couldn't reach 'shawhin/imdb-truncated' on the Hub")
    with mock.patch("datasets.load_dataset", side_effect=reason):
        return load_parts(DataConfig(train="shawhin/imdb-truncated"))


def _no_space(folder: Path) -> None:
    refusal = OSError(28, "No space left on device")
    with mock.patch("os.replace", side_effect=refusal):
        write_rejected([], folder / "rejected.csv")


def _no_space_for_tokens(folder: Path) -> object:
    from tokenizers import Tokenizer, models

    fast = mock.Mock(backend_tokenizer=Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))
    with mock.patch("os.replace", side_effect=OSError(28, "No space left on device")):
        cut = Truncation(8, "right", 0.25)
        return tokenize(["a"], fast, cut=cut, cache_dir=folder / "tokens")


def _no_space_for_the_prefix(folder: Path) -> None:
    from rich.console import Console

    from textlora.model.backends.frozen_layers import PrefixForward
    from textlora.training.fitting import prefix_cache

    refusal = OSError(28, "No space left on device")
    forward = mock.Mock(spec=PrefixForward, first_layer=4, **{"run_frozen.side_effect": refusal})
    with prefix_cache(
        forward,
        {"train": [], "validation": []},  # type: ignore[dict-item]
        ram_gb=0,
        folder=folder / "prefix",
        console=Console(quiet=True),
    ):
        pass


def _prefix_on_the_plain_path(_: Path) -> object:
    from textlora.model.backends import Choice, choose_prefix
    from textlora.model.backends.plain import PlainForward

    return choose_prefix(Choice(PlainForward(0), "plain, as compute.path says"))


def _prefix_of_no_layers(_: Path) -> object:
    from textlora.model.backends import Choice, choose_prefix
    from textlora.model.backends.fast import FastForward

    fast = mock.Mock(spec=FastForward)
    fast.encoder = mock.Mock(lowest_adapter=0, layers=(None,) * 6)
    return choose_prefix(Choice(fast, "fast"))


def _a_class_of_copies(folder: Path) -> object:
    (folder / "train.csv").write_text(GOOD + "so,2\nso so,2\n")
    (folder / "test.csv").write_text("text,label\nso,2\nso so,2\n")
    paths = {"train": str(folder / "train.csv"), "test": str(folder / "test.csv")}
    return load_parts(DataConfig(**paths, drop_leaks=True))


def _no_text_column(folder: Path) -> object:
    (folder / "new.csv").write_text("comment,stars\ngood,5\n")
    return load_texts(str(folder / "new.csv"), DataConfig())


_ONE_DOCUMENT = json.dumps([{"text": "a", "label": 1}], indent=1)
_MANY = "".join(f"text {i},{i}\n" for i in range(20))
_TOPICS = ("acq", "earn", "grain", "ship", "trade")
_JOINED = "".join(f"news {a} {b},{a}|{b}\n" for a in _TOPICS for b in _TOPICS if a < b)
_ROWS = "good film,1\nbad film,0\n"

CASES = [
    Case("Missing file", _missing_file),
    Case("Unknown file type", _file("reviews.txt", "good film\n")),
    Case("Empty file", _file("reviews.csv", "")),
    Case("A header and no rows", _file("reviews.csv", "text,label\n")),
    Case("Unreadable folder or file", _unreadable_folder),
    Case("A folder that holds no dataset", _other_folder),
    Case("Wrong delimiter", _file("reviews.csv", "text;label\ngood film;1\n")),
    Case("Commas in a TSV", _file("reviews.tsv", "text,label\ngood film,1\n")),
    Case("Delimiter of two characters", _file("reviews.csv", GOOD, delimiter="||")),
    Case("A table without a header", _file("reviews.csv", GOOD.partition("\n")[2])),
    Case("No text column", _no_text_column),
    Case("No label column", _file("reviews.csv", "text,stars\ngood film,5\n")),
    Case("More than one text column", _file("reviews.csv", "text,review,label\na,b,1\n")),
    Case("A named column that does not exist", _file("r.csv", GOOD, label_column="lable")),
    Case("Duplicate column names", _file("reviews.csv", "text,label,text\na,1,b\n")),
    Case("Missing text", _file("reviews.csv", "text,label\ngood film,1\n,0\n")),
    Case("Blank text", _file("reviews.csv", "text,label\ngood film,1\n   ,0\n")),
    Case("A text to be answered with nothing in it", lambda _: readable_texts(["good film", " "])),
    Case(
        "Nothing left after HTML stripping",
        _file("reviews.csv", "text,label\ngood film,1\n<br />,0\n", strip_html=True),
    ),
    Case("Missing label", _file("reviews.csv", "text,label\ngood film,1\nbad film,\n")),
    Case("No labels at all", _file("reviews.csv", "text,label\ngood film,\nbad film,\n")),
    Case("A text that is a number", _file("r.jsonl", '{"text": 7, "label": 1}\n')),
    Case("A label that is no label", _file("r.jsonl", '{"text": "good", "label": 0.5}\n')),
    Case(
        "Numbers and strings as labels",
        _file("r.jsonl", '{"text": "a", "label": 0}\n{"text": "b", "label": "pos"}\n'),
    ),
    Case("Rows of differing width", _file("r.csv", "text,label\ngood, very good,1\n")),
    Case("A quote that is never closed", _file("r.csv", f'text,label\n{_ROWS}"nice,1\n')),
    Case("Quotes that do not match", _file("r.csv", 'text,label\n"a "good" film",1\n')),
    Case(
        "Bytes that are not UTF-8", _file("r.csv", f"text,label\n{_ROWS}Café,1\n".encode("cp1252"))
    ),
    Case("UTF-16", _file("r.csv", GOOD.encode("utf-16"))),
    Case("Unknown encoding", _file("r.csv", GOOD, encoding="utf-88")),
    Case("A NUL byte", _file("r.csv", "text,label\ngood film,1\nbad\0film,0\n")),
    Case("A text of 2 MB", _file("r.csv", f"text,label\n{'good ' * 400_000},1\nbad,0\n")),
    Case("Broken JSON", _file("r.jsonl", '{"text": "good", "label": 1}\n{"text": "bad"\n')),
    Case("A key twice in a line", _file("r.jsonl", '{"text": "a", "text": "b", "label": 1}\n')),
    Case("One JSON document", _file("reviews.json", _ONE_DOCUMENT)),
    Case("Damaged Parquet", _file("reviews.parquet", b"PAR1 and no more")),
    Case("Nothing but bad rows", _file("r.csv", "text,label\n,1\n,0\n", on_bad_rows="skip")),
    Case("One class only", _file("reviews.csv", "text,label\ngood film,1\nnice,1\n")),
    Case(
        "Several labels, and every text has the same",
        _file(
            "r.csv",
            "text,label\n" + "".join(f"film {number},sad|long\n" for number in range(9)),
            label_separator="|",
        ),
    ),
    Case("A class with one row", _file("r.csv", f"text,label\n{_ROWS}nice,1\n")),
    Case(
        "Several classes with one row", _file("r.csv", f"text,label\n{_ROWS}so,2\nnice,1\nhm,3\n")
    ),
    Case(
        "A class with two rows",
        _file("r.csv", "text,label\n" + _ROWS * 9 + "so,2\nhm,2\n", test_size=0.5),
    ),
    Case("All labels different", _file("r.csv", "text,label\n" + _MANY)),
    Case("Several labels in a cell", _file("r.csv", "text,label\n" + _JOINED)),
    Case("Label not in the training set", _unknown_label),
    Case("Several labels not in the training set", _unknown_labels),
    Case("No row of a known class", _only_unknown_labels),
    Case("Names where the training labels are numbers", _numbers_and_names),
    Case(
        "A number without a name",
        _file("r.csv", GOOD + "so,2\nso so,2\n", label_names=["bad", "good"]),
    ),
    Case("Too few rows for a split", _file("r.csv", GOOD, test_size=1)),
    Case("Validation on the training rows", _same_rows),
    Case("All rows of a class are copies", _a_class_of_copies),
    Case("A split that does not exist", _no_split),
    Case("Hub out of reach", _hub_out_of_reach),
    Case("No space left", _no_space),
    Case("No space left for the token cache", _no_space_for_tokens),
    Case("No space left for the prefix cache", _no_space_for_the_prefix),
    Case("Prefix cache on the plain path", _prefix_on_the_plain_path),
    Case("Prefix cache with an adapter in the lowest layer", _prefix_of_no_layers),
]
