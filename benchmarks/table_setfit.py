"""SetFit on the same encoder and rows, for `tables.py --setfit`; prints one JSON line.

    python benchmarks/table_setfit.py TRAIN TEST ENCODER --seed 42

SetFit's recipe with the numbers of its paper (Tunstall et al. 2022): one epoch over twenty pairs
of the same class and twenty of different ones for each row, batches of 16, then logistic
regression. It has all training rows, as it needs no validation part. It runs in an environment
of its own, as textlora does not need the package: docs/results-by-table.md says how.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pandas as pd

PAIRS = 20
BATCH = 16


def run(train: Path, test: Path, encoder: Path, seed: int, pairs: int) -> dict[str, float]:
    """Train, answer the test rows, and return the figures; seconds are of training and test."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments
    from sklearn.metrics import f1_score

    started = time.perf_counter()
    parts = [pd.read_csv(file, keep_default_na=False) for file in (train, test)]
    classes = sorted(parts[0]["label"].unique())
    known = {label: number for number, label in enumerate(classes)}
    rows, held_out = (part.assign(label=part["label"].map(known)) for part in parts)
    model = SetFitModel.from_pretrained(str(encoder), local_files_only=True)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            save_strategy="no",
            report_to="none",
            batch_size=BATCH,
            num_epochs=1,
            num_iterations=pairs,
            seed=seed,
        )
        trainer = Trainer(model, args=arguments, train_dataset=Dataset.from_pandas(rows))
        trainer.train()
    answers = np.asarray(model.predict(held_out["text"].tolist()))
    truth = held_out["label"].to_numpy()
    return {
        "accuracy": float((answers == truth).mean()),
        "macro_f1": float(f1_score(truth, answers, average="macro", zero_division=0)),
        "seconds": time.perf_counter() - started,
    }


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--pairs", type=int, default=PAIRS, help="of each kind, for each row")
    options = parser.parse_args()
    with redirect_stdout(sys.stderr):  # what libraries print must not get before the JSON line
        figures = run(options.train, options.test, options.encoder, options.seed, options.pairs)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
