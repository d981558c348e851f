"""The benchmark of tables: what is run, what is read from a run, and what is printed."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import tables
from table_data import TABLES
from table_differences import BASELINES
from table_markdown import duration, markdown
from table_rows import Split
from table_runs import (
    OURS,
    SETFIT,
    CommandError,
    Result,
    read_results,
    run_figures,
    train_setfit,
)

FROZEN, TFIDF = BASELINES


def result(**changes: object) -> Result:
    """Return a result of banking77-10."""
    values = {OURS: 0.88, FROZEN: 0.85, TFIDF: 0.65}
    usual = Result(
        table="banking77-10",
        draw=1,
        seed=42,
        peer=OURS,
        rows=770,
        test_rows=3_080,
        classes=77,
        multi_label=False,
        metric="accuracy",
        figures={name: {"accuracy": value, "macro_f1": 0.5} for name, value in values.items()},
        seconds=100.0,
        differences={FROZEN: (0.03, 0.021, 0.04), TFIDF: (0.23, 0.21, 0.25)},
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def ours(value: float, **changes: object) -> Result:
    """Return a result of another seed, without differences."""
    figures = result().figures | {OURS: {"accuracy": value, "macro_f1": 0.5}}
    return result(figures=figures, differences={}, **changes)


def cells(line: str) -> list[str]:
    """Return what is in a line of a Markdown table."""
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_line_has_the_mean_the_seeds_and_the_better_baseline() -> None:
    lines = markdown([ours(0.89, seed=43, seconds=140.0), result()]).splitlines()
    assert cells(lines[2]) == [
        *("banking77-10", "770", "77", "accuracy", "**88.5 (88.0, 89.0)**", "85.0", "65.0"),
        *("+3.0 (+2.1 to +4.0), better", "2 min 0 s"),
    ]
    assert "better baseline on 1, cannot be told apart on 0" in lines[-1]
    assert len({len(cells(line)) for line in lines[:3]}) == 1


@pytest.mark.parametrize(
    ("bounds", "outcome"),
    [
        ((0.03, 0.01, 0.05), "better"),
        ((0.03, -0.01, 0.07), "not told apart"),
        ((0.0, 0.0, 0.0), "not told apart"),
        ((-0.03, -0.05, -0.01), "worse"),
    ],
)
def test_the_interval_decides(bounds: tuple[float, float, float], outcome: str) -> None:
    text = markdown([result(differences={FROZEN: bounds, TFIDF: (0.2, 0.1, 0.3)})])
    assert f"{outcome} |" in text
    assert text.endswith("banking77-10.") == (outcome == "worse")


def test_the_baseline_that_is_better_on_test_counts() -> None:
    text = markdown([result(differences={FROZEN: (0.1, 0.05, 0.15), TFIDF: (0.01, -0.1, 0.1)})])
    assert "+1.0 (-10.0 to +10.0), not told apart" in text


def test_draws_have_a_line_each_and_their_mean() -> None:
    second = result(draw=2, differences={FROZEN: (-0.01, -0.03, 0.01), TFIDF: (0.2, 0.1, 0.3)})
    lines = markdown([second, result()]).splitlines()
    assert [cells(line)[0] for line in lines[2:5]] == [
        "banking77-10, mean of 2 draws",
        "banking77-10, draw 1",
        "banking77-10, draw 2",
    ]
    assert "+1.0, below on 1 of 2" in lines[2]


def test_several_labels_have_a_line_of_micro_f1() -> None:
    figures = result().figures | {OURS: {"accuracy": 0.3, "macro_f1": 0.42, "micro_f1": 0.52}}
    one = result(multi_label=True, metric="macro_f1", figures=figures)
    lines = markdown([one]).splitlines()
    assert cells(lines[2])[3:5] == ["macro F1", "**42.0**"]
    assert cells(lines[3])[3:7] == ["micro F1", "52.0", "–", "–"]


def test_setfit_has_a_column_where_it_was_run() -> None:
    peer = result(peer=SETFIT, figures={SETFIT: {"accuracy": 0.8}}, seconds=300.0, differences={})
    demo = result(table="demo")
    assert SETFIT not in markdown([demo])
    lines = markdown([peer, demo, result()]).splitlines()
    assert cells(lines[2])[7] == "80.0, 5 min 0 s"
    assert cells(lines[3])[0] == "demo"
    assert cells(lines[3])[7] == "–"


def test_results_survive_their_file(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text(f"{result().to_json()}\n{ours(0.9).to_json()}\n", encoding="utf-8")
    assert read_results(file) == [result(), ours(0.9)]
    assert read_results(tmp_path / "none.jsonl") == []


def test_figures_are_those_of_the_test_rows(tmp_path: Path) -> None:
    def candidate(name: str, accuracy: float) -> dict[str, object]:
        return {"name": name, "accuracy": accuracy, "macro_f1": 0.5, "seconds": 1.0}

    names = {"Majority class": 0.1, "LoRA": 0.3, FROZEN: 0.2, TFIDF: 0.4}
    candidates = [candidate(name, value) for name, value in names.items()]
    verdict = {"tuned": "LoRA", "candidates": candidates}
    (tmp_path / "verdict.json").write_text(json.dumps(verdict))
    test = {"multi_label": True, "micro_f1": 0.6}
    (tmp_path / "metrics.json").write_text(json.dumps({"parts": {"test": test}}))
    assert run_figures(tmp_path) == {
        OURS: {"accuracy": 0.3, "macro_f1": 0.5, "micro_f1": 0.6},
        FROZEN: {"accuracy": 0.2, "macro_f1": 0.5},
        TFIDF: {"accuracy": 0.4, "macro_f1": 0.5},
    }


def setfit_python(folder: Path, script: str) -> Path:
    """Return a program in the place of a Python that has SetFit."""
    python = folder / "python"
    python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    python.chmod(0o755)
    return python


ROWS = pd.DataFrame({"text": ["a", "b", "c", "d"], "label": [0, 1, 0, 1]})
ANSWER = '{"accuracy": 0.5, "macro_f1": 0.4, "seconds": 3.0}'


def test_setfits_figures_are_found_among_what_it_prints(tmp_path: Path) -> None:
    noise = """echo "{'train_loss': '0.1'}"; echo ' 95%|' >&2"""
    python = setfit_python(tmp_path, f"{noise}\necho '{ANSWER}'\n{noise}")
    found = train_setfit(TABLES["imdb-20"], Split(ROWS, ROWS), 1, 42, tmp_path / "work", python)
    assert found.figures == {SETFIT: {"accuracy": 0.5, "macro_f1": 0.4}}
    assert (found.key, found.seconds) == (("imdb-20", 1, 42, SETFIT), 3.0)


def test_a_command_that_fails_is_told_of_with_its_last_lines(tmp_path: Path) -> None:
    python = setfit_python(tmp_path, "echo no memory >&2; exit 3")
    with pytest.raises(CommandError, match=r"(?s)exit code 3.*no memory"):
        train_setfit(TABLES["imdb-20"], Split(ROWS, ROWS), 1, 42, tmp_path / "work", python)


def options(**changes: object) -> Namespace:
    """Return what the command line gives."""
    usual = {"tables": None, "seeds": 1, "draws": None, "setfit": None, "json": None}
    return Namespace(**(usual | changes))


def test_fixed_tables_have_one_draw_and_few_rows_setfit() -> None:
    asked = options(tables="demo,imdb-20", seeds=2, draws=2, setfit=Path("python"))
    steps = [(table.name, *rest) for table, *rest in tables.plan(asked)]
    assert steps == [
        *(("demo", 1, seed, OURS) for seed in (42, 43)),
        *(
            ("imdb-20", draw, seed, peer)
            for draw in (1, 2)
            for seed in (42, 43)
            for peer in (OURS, SETFIT)
        ),
    ]
    assert len(tables.plan(options(tables="imdb-20"))) == 5


def test_what_is_known_is_not_run_again_and_the_rest_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: list[int] = []

    def run_one(options: Namespace, table: object, draw: int, seed: int, peer: str) -> Result:
        run.append(seed)
        if seed == 44:
            raise tables.CommandError("no memory")
        return ours(0.9, table="demo", seed=seed)

    monkeypatch.setattr(tables, "run_one", run_one)
    monkeypatch.setattr(tables, "prepare", lambda threads, device: 1)
    file = tmp_path / "new" / "results.jsonl"
    asked = options(tables="demo", seeds=4, json=file, threads=1)
    known = [result(table="demo")]
    assert not tables.measure(asked, known)
    assert run == [43, 44, 45]
    assert [each.seed for each in read_results(file)] == [43, 45]
    assert len(known) == 3


def test_durations() -> None:
    assert [duration(value) for value in (4.4, 59.6, 125)] == ["4 s", "1 min 0 s", "2 min 5 s"]
