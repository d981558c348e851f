"""`textlora explain`: which words spoke for an answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from textlora.cli.options import Json, Precision, Run, compute_settings, console_for, quiet_option

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from textlora.metrics.explanation import Explanation

# Weakest to strongest. Colours of the terminal's own palette, so that they are readable on a
# light and on a dark background; a background of our own would be so on one of them.
_STYLES = ("", "dim", "", "bold", "bold underline", "bold reverse")
_WORDS_LISTED = 10


def explain(
    run: Run,
    texts: Annotated[list[str] | None, typer.Argument(help="Texts; else --file or stdin.")] = None,
    file: Annotated[
        str | None, quiet_option("--file", "Table with a text column, or .txt, a text a line.")
    ] = None,
    target: Annotated[
        str | None, quiet_option("--target", "Class to explain; else the answered one.")
    ] = None,
    html: Annotated[
        Path | None, quiet_option("--html", "Write a page to look at or pass on.")
    ] = None,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="List words, without colours; as NO_COLOR=1 does.")
    ] = False,
    precision: Precision = None,
    as_json: Json = False,
) -> None:
    """Say which words spoke for an answer and which against it (integrated gradients)."""
    from textlora.inference.explaining import explain_many, require_captum
    from textlora.inference.predicting import texts_to_predict

    require_captum()
    given = texts_to_predict(texts, file, sys.stdin)
    from textlora.inference.predictor import Predictor
    from textlora.report.terminal import progress_bar

    predictor = Predictor.load(run, compute_settings(precision))
    with progress_bar(console_for(True), "explaining", len(given)) as progress:
        explanations = explain_many(predictor, given, [target] * len(given), progress)
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
    from textlora.report.attributions import explanations_page
    from textlora.run import write_text

    write_text(file, explanations_page(explanations, f"Why: {run.name}"))


def _show(explanation: Explanation, console: Console) -> None:
    from rich.text import Text

    from textlora.report.attributions import answer_in_words, quality_in_words, target_in_words

    console.print(Text(answer_in_words(explanation), style="bold"))
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

    from textlora.metrics.explanation import Span, Word
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
