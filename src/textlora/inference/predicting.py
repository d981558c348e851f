"""What `textlora predict` reads and prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from textlora.errors import ConfigError, DataError

if TYPE_CHECKING:
    from rich.console import Console

    from textlora.inference.predictor import Prediction


def texts_to_predict(
    texts: Sequence[str] | None, file: str | None, stdin: TextIO, **reading: Any
) -> list[str]:
    """Return the texts from the arguments, a file, or standard input (a text a line).

    Args:
        texts: the arguments.
        file: a table, or a `.txt` file with a text a line.
        stdin: read where neither is given.
        reading: settings of section `data` for a table; None is the default.

    Raises:
        ConfigError: no texts, or more than one source of them.
        DataError: the file cannot be used.
    """
    if texts and file:
        raise ConfigError("Texts and --file were both given.", "Give one of them.")
    if texts:
        return list(texts)
    if file is None:
        if stdin.isatty():
            raise ConfigError(
                "There is nothing to predict.", "Give texts, --file FILE, or pipe lines in."
            )
        return _lines(stdin.read(), "standard input")
    if file.endswith(".txt"):
        return _text_file(Path(file))
    from textlora.config import build_config
    from textlora.data.loading import load_texts

    given = {name: value for name, value in reading.items() if value is not None}
    table = load_texts(file, build_config({"data": given}, origin="--file").data)
    if table.rejected:
        lines = ", ".join(str(row.line) for row in table.rejected[:10])
        more = " …" if len(table.rejected) > 10 else ""
        print(f"{len(table.rejected):,} bad rows left out: {lines}{more}", file=sys.stderr)
    return table.texts


def print_predictions(
    texts: Sequence[str],
    predictions: Sequence[Prediction],
    console: Console,
    *,
    as_json: bool,
) -> None:
    """Print one line a text: label and probability, or JSON with every probability."""
    for text, prediction in zip(texts, predictions, strict=True):
        if as_json:
            line = json.dumps({"text": text, **asdict(prediction)}, ensure_ascii=False)
            console.file.write(line + "\n")
            continue
        shown = f"{prediction.shown}\t{prediction.probability:.1%}"
        console.file.write(f"{shown}\t{' '.join(text.split())}\n")


def _text_file(path: Path) -> list[str]:
    try:
        return _lines(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise DataError(
            "the bytes are not UTF-8.", source=path, remedy="Save the file as UTF-8."
        ) from error
    except OSError as error:
        raise DataError(f"{error.strerror}.", source=path, remedy="Check --file.") from None


def _lines(text: str, source: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError("there is no text.", source=source, remedy="Give a text a line.")
    return lines
