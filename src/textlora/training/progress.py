"""What a person sees while a model trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from textlora.metrics.records import EpochRecord
from textlora.metrics.statistics import Metric
from textlora.report.progress import LongWork


class ProgressCallback(TrainerCallback):
    """A bar with the time left, in a log lines, and a line for every evaluation.

    They are shown while `bar`, a context manager, is open.

    Args:
        console: where to print.
        on_record: called with every evaluation's record.
        metric: what is judged by; a line has F1 first where it is that.
        multi_label: whether a text may have any number of the labels.
    """

    def __init__(
        self,
        console: Console,
        on_record: Callable[[EpochRecord], None] | None = None,
        *,
        metric: Metric = "accuracy",
        multi_label: bool = False,
    ) -> None:
        self.console = console
        self.metric, self.multi_label = metric, multi_label
        self.on_record = on_record
        self.bar = LongWork(
            console,
            "training",
            unit="steps",
            columns=(
                *("{task.description}", BarColumn(), MofNCompleteColumn(), "steps"),
                *(TimeElapsedColumn(), "left", TimeRemainingColumn(elapsed_when_finished=False)),
            ),
        )

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Set the bar's length."""
        self.bar.begin(state.max_steps, state.global_step)

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Advance the bar."""
        self.bar.reach(state.global_step)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Print the evaluation that was just logged."""
        record = record_of(state.log_history[-1])
        accuracy = "all labels right" if self.multi_label else "accuracy"
        figures = [f"{accuracy} {record.accuracy:.1%}", f"F1 {record.f1:.3f}"]
        if self.metric == "f1":
            figures.reverse()
        self.console.print(
            f"epoch {record.epoch:.2f}  loss {_number(record.training_loss)}"
            f"  validation {_number(record.validation_loss)}"
            f"  {'  '.join(figures)}  {record.seconds:.0f} s",
            highlight=False,
        )
        if self.on_record is not None:
            self.on_record(record)


def record_of(entry: dict[str, Any]) -> EpochRecord:
    """Turn an evaluation's entry of the Trainer's log into a record."""
    return EpochRecord(
        epoch=float(entry["epoch"]),
        step=int(entry["step"]),
        training_loss=entry.get("eval_training_loss"),
        validation_loss=entry["eval_loss"],
        accuracy=entry["eval_accuracy"],
        f1=entry["eval_f1"],
        mcc=entry["eval_mcc"],
        learning_rate=entry.get("eval_learning_rate"),
        seconds=entry["eval_seconds"],
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
