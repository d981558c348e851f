"""`textlora evaluate` and `textlora predict`."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from textlora.cli.options import (
    Delimiter,
    Encoding,
    Header,
    Json,
    LabelColumn,
    MinConfidence,
    OnUnknownClasses,
    Precision,
    Run,
    SkipBadRows,
    Split,
    TextColumn,
    compute_settings,
    console_for,
    quiet_option,
)


def evaluate(
    run: Run,
    data: Annotated[str, typer.Argument(help="Labelled rows: a file, saved dataset or Hub id.")],
    split: Split = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    delimiter: Delimiter = None,
    header: Header = None,
    encoding: Encoding = None,
    on_bad_rows: SkipBadRows = None,
    on_unknown_classes: OnUnknownClasses = None,
    min_confidence: MinConfidence = None,
    precision: Precision = None,
    as_json: Json = False,
) -> None:
    """Evaluate a finished run on labelled rows: accuracy with its interval, F1, MCC, AUC, ECE."""
    from textlora.inference.evaluating import evaluate_file

    console = console_for(as_json)
    evaluation = evaluate_file(
        run,
        data,
        console=console,
        compute=compute_settings(precision),
        min_confidence=min_confidence,
        test_split=split,
        text_column=text_column,
        label_column=label_column,
        delimiter=delimiter,
        header=header,
        encoding=encoding,
        on_bad_rows=on_bad_rows,
        on_unknown_classes=on_unknown_classes,
    )
    if as_json:
        typer.echo(json.dumps(evaluation.to_dict()))
        return
    from textlora.report.terminal import metrics_table
    from textlora.report.wording import figures_in_words, rule_in_words

    console.print(metrics_table(evaluation.metrics, title=f"{data}", elsewhere="--json"))
    rule = rule_in_words(evaluation.decision, evaluation.metrics.labels)
    for sentence in [rule, *figures_in_words(evaluation.decisions)]:
        if sentence is not None:
            console.print(sentence, markup=False, highlight=False)


def predict(
    run: Run,
    texts: Annotated[list[str] | None, typer.Argument(help="Texts; else --file or stdin.")] = None,
    file: Annotated[
        str | None, quiet_option("--file", "Table with a text column, or .txt, a text a line.")
    ] = None,
    text_column: TextColumn = None,
    delimiter: Delimiter = None,
    header: Header = None,
    encoding: Encoding = None,
    on_bad_rows: SkipBadRows = None,
    min_confidence: MinConfidence = None,
    precision: Precision = None,
    as_json: Json = False,
) -> None:
    """Classify texts: label and probability of each."""
    from textlora.inference.predicting import print_predictions, texts_to_predict

    given = texts_to_predict(
        texts,
        file,
        sys.stdin,
        text_column=text_column,
        delimiter=delimiter,
        header=header,
        encoding=encoding,
        on_bad_rows=on_bad_rows,
    )
    from textlora.inference.predictor import Predictor

    predictor = Predictor.load(run, compute_settings(precision))
    predictor = predictor.with_min_confidence(min_confidence)
    print_predictions(given, predictor.predict(given), console_for(False), as_json=as_json)
