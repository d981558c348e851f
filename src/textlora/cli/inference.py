"""`textlora evaluate`, `predict`, `compare` and `explain`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from textlora.cli.options import (
    JUDGED,
    READING,
    SKIP_BAD_ROWS,
    Given,
    Json,
    MinConfidence,
    Run,
    compute_settings,
    console_for,
    quiet_option,
    takes,
)
from textlora.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from textlora.metrics.mistakes import Explanation

Texts = Annotated[list[str] | None, typer.Argument(help="Texts; else --file or stdin.")]
TextsFile = Annotated[
    str | None, quiet_option("--file", "Table with a text column, or .txt, a text a line.")
]


@takes(*JUDGED)
def evaluate(
    run: Run,
    data: Annotated[str, typer.Argument(help="Labelled rows: a file, saved dataset or Hub id.")],
    *,
    given: Given,
    min_confidence: MinConfidence = None,
    as_json: Json = False,
) -> None:
    """Evaluate a finished run on labelled rows: accuracy with its interval, F1, MCC, AUC, ECE."""
    from textlora.inference.evaluating import evaluate_file

    console = console_for(as_json)
    evaluation = evaluate_file(
        run,
        data,
        console=console,
        compute=compute_settings(given),
        min_confidence=min_confidence,
        **given["data"],
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


@takes(*READING, SKIP_BAD_ROWS, "--precision")
def predict(
    run: Run,
    texts: Texts = None,
    file: TextsFile = None,
    *,
    given: Given,
    min_confidence: MinConfidence = None,
    as_json: Json = False,
) -> None:
    """Classify texts: label and probability of each."""
    from textlora.inference.predicting import print_predictions, texts_to_predict

    asked = texts_to_predict(texts, file, sys.stdin, **given["data"])
    from textlora.inference.predictor import Predictor

    predictor = Predictor.load(run, compute_settings(given))
    predictor = predictor.with_min_confidence(min_confidence)
    print_predictions(asked, predictor.predict(asked), console_for(False), as_json=as_json)


@takes(*JUDGED)
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; each is set against the first.")],
    data: Annotated[
        str | None,
        quiet_option("--data", "Labelled rows to ask all of them about; else their test parts."),
    ] = None,
    *,
    given: Given,
    as_json: Json = False,
) -> None:
    """Set finished runs side by side on the same rows: figures, differences, how sure they are."""
    console = console_for(as_json)
    if data is None and any(given.values()):
        raise ConfigError("Options of reading need rows to read.", "Give them with --data FILE.")
    from textlora.inference.comparing import compare_on, compare_runs

    if data is None:
        compared = compare_runs(runs)
    else:
        compute = compute_settings(given)
        compared = compare_on(runs, data, console=console, compute=compute, **given["data"])
    if as_json:
        typer.echo(json.dumps(compared.to_dict()))
        return
    from textlora.report.terminal import side_by_side_table

    console.print(side_by_side_table(compared))


# Weakest to strongest. Colours of the terminal's own palette, so that they are readable on a
# light and on a dark background; a background of our own would be so on one of them.
_STYLES = ("", "dim", "", "bold", "bold underline", "bold reverse")
_WORDS_LISTED = 10


@takes("--precision")
def explain(
    run: Run,
    texts: Texts = None,
    file: TextsFile = None,
    *,
    target: Annotated[
        str | None, quiet_option("--target", "Class to explain; else the answered one.")
    ] = None,
    html: Annotated[
        Path | None, quiet_option("--html", "Write a page to look at or pass on.")
    ] = None,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="List words, without colours; as NO_COLOR=1 does.")
    ] = False,
    given: Given,
    as_json: Json = False,
) -> None:
    """Say which words spoke for an answer and which against it (integrated gradients)."""
    from textlora.inference.explaining import explain_many, require_captum
    from textlora.inference.predicting import texts_to_predict

    require_captum()
    asked = texts_to_predict(texts, file, sys.stdin)
    from textlora.inference.predictor import Predictor
    from textlora.report.progress import progress_bar

    predictor = Predictor.load(run, compute_settings(given))
    with progress_bar(console_for(True), "explaining", len(asked)) as progress:
        explanations = explain_many(predictor, asked, [target] * len(asked), progress)
    if html is not None:
        _write_page(explanations, html, run)
    if as_json:
        for explanation in explanations:
            typer.echo(json.dumps(explanation.to_dict(), ensure_ascii=False))
        return
    from rich.console import Console

    console = Console(no_color=True if no_color else None, highlight=False)
    for number, explanation in enumerate(explanations):
        if number:
            console.print()
        _show(explanation, console)
    if html is not None:
        console.print(f"\nPage  {html}", markup=False)


def _write_page(explanations: Sequence[Explanation], file: Path, run: Path) -> None:
    from textlora.files import write_text
    from textlora.report.attributions import explanations_page

    write_text(file, explanations_page(explanations, f"Why: {run.name}"))


def _show(explanation: Explanation, console: Console) -> None:
    from rich.text import Text

    from textlora.metrics.decisions import label_text
    from textlora.report.attributions import quality_in_words, target_in_words

    console.print(Text(label_text(explanation.label), style="bold"))
    console.print(Text(target_in_words(explanation)))
    console.print()
    if console.color_system is not None and not console.no_color:
        console.print(_coloured(explanation))
        console.print()
    for side, sign, colour in (("for", 1, "green"), ("against", -1, "red")):
        console.print(_listed(explanation, side, sign, colour))
    console.print(Text(quality_in_words(explanation), style="dim"))


def _coloured(explanation: Explanation) -> Text:
    """Return the text with green words for the target and red ones against it."""
    from rich.text import Text

    from textlora.metrics.mistakes import Span, Word
    from textlora.report.attributions import shortened

    shown = Text()
    for piece in explanation.pieces():
        if isinstance(piece, Word):
            level = explanation.level(piece)
            colour = "green" if level > 0 else "red"
            shown.append(piece.text, f"{_STYLES[abs(level)]} {colour}" if level else "")
        elif isinstance(piece, Span):
            shown.append(shortened(explanation.text[piece.start : piece.end]), "dim italic")
        else:
            shown.append(piece)
    return shown


def _listed(explanation: Explanation, side: str, sign: int, colour: str) -> Text:
    from rich.text import Text

    from textlora.report.attributions import signed

    words = explanation.strongest(sign, _WORDS_LISTED)
    named = ", ".join(f"{word.text} {signed(word.score)}" for word in words) or "none"
    line = Text(f"{side} {explanation.target}: ", colour)
    return line.append(named, "none")
