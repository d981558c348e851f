"""What a finished training shows in the terminal."""

from __future__ import annotations

from rich.console import Console

from textlora.report.terminal import before_after_table, epochs_table, metrics_table, verdict_table
from textlora.report.wording import duration, headline, leakage_sentence
from textlora.training.reporting import NO_TEST_PART
from textlora.training.results import TrainedRun


def print_run(run: TrainedRun, console: Console) -> None:
    """Print epochs, sample texts before and after, figures, and where everything is."""
    part, lead = run.lead
    console.print()
    console.print(epochs_table(run.history))
    if run.before_after:
        console.print()
        console.print(before_after_table(run.before_after))
    console.print()
    console.print(metrics_table(lead.metrics, title=f"{part} part"))
    console.print()
    console.print(headline(lead.metrics, part, metric=run.metric), style="bold", highlight=False)
    leakage = run.conclusion.leakage
    if leakage is not None and leakage.matters:
        told = leakage_sentence(leakage, multi_label=lead.metrics.multi_label)
        console.print(told, style="bold yellow", highlight=False)
    for notice in run.notices:
        console.print(notice, style="bold yellow", highlight=False)
    verdict = run.conclusion.verdict
    if part != "test" and verdict is None:
        console.print(NO_TEST_PART)
    if verdict is not None:
        console.print()
        console.print(verdict_table(verdict))
    console.print(f"Trained in {duration(run.seconds)}.", highlight=False)
    # Paths must stay in one piece to be copied.
    console.print(f"Run folder  {run.folder.path}", markup=False, soft_wrap=True)
    console.print(f"Report      {run.folder.report}", markup=False, soft_wrap=True)
    console.print(
        f'Next        textlora predict {run.folder.path} "It was good."',
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
