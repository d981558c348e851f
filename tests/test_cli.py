"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.tiny import Reviews, write_table

Cli = Callable[..., Any]


@pytest.fixture
def common(tiny: Callable[[str], Path], tmp_path: Path) -> list[str]:
    """Options that make a training quick."""
    return [
        *("--model", str(tiny("distilbert")), "--out", str(tmp_path / "run")),
        *("--set", "training.num_train_epochs=1", "--set", "training.learning_rate=0.01"),
        *("--set", "compute.precision=fp32"),
    ]


def test_help_names_every_verb() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "textlora", "--help"], capture_output=True, text=True
    )
    for verb in ("train", "evaluate", "predict", "demo", "recipes"):
        assert verb in done.stdout


HELP = """import contextlib, io, sys, textlora.cli
sys.argv = ["textlora", "--help"]
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    textlora.cli.main()
"""


@pytest.mark.parametrize(
    "code",
    [
        *("import textlora", "import textlora.cli", "import textlora.recipes", HELP),
        # A file that is not there is named before a model is loaded.
        "import textlora.inference.predicting",
    ],
)
def test_what_answers_at_once_imports_nothing_heavy(code: str) -> None:
    check = f"{code}\nimport sys; print([m for m in ('torch', 'transformers', 'pandas', 'sklearn') "
    check += "if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_public_names_are_there() -> None:
    import textlora

    assert set(dir(textlora)) == {"RunConfig", "TextClassifier", "TextloraError"}
    assert textlora.TextloraError.__name__ == "TextloraError"
    with pytest.raises(AttributeError, match="nothing"):
        _ = textlora.nothing


def test_train_prints_where_everything_is(
    cli: Cli, reviews: Reviews, common: list[str], tmp_path: Path
) -> None:
    done = cli("train", reviews.train, "--valid", reviews.validation, *common)
    assert done.code == 0, done.err
    for words in ("Trainable", "epoch 1.00", "Validation loss", "Run folder", "report.html"):
        assert words in done.out
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").is_file()
    again = cli("train", reviews.train, "--valid", reviews.validation, *common)
    assert again.code == 2
    assert "--overwrite" in again.err
    renewed = cli("train", reviews.train, *common, "--overwrite", "--seed", "7", "--json")
    assert renewed.code == 0, renewed.err
    figures = json.loads(renewed.out)
    assert figures["run"] == str(tmp_path / "run")
    assert set(figures["parts"]) == {"validation", "test"}


def test_flags_are_the_settings_of_the_training(
    cli: Cli, reviews: Reviews, common: list[str], tmp_path: Path
) -> None:
    flags = ["--epochs", "1", "--max-length", "32", "--learning-rate", "0.01", "--batch-size", "4"]
    done = cli("train", reviews.train, *common[:4], *flags)
    assert done.code == 0, done.err
    saved = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert saved["data"]["max_length"] == 32
    training = saved["training"]
    assert training["num_train_epochs"] == 1
    assert training["learning_rate"] == 0.01
    assert training["per_device_train_batch_size"] == 4


def test_rare_and_unknown_classes_are_set_aside_and_said(
    cli: Cli, reviews: Reviews, common: list[str], tmp_path: Path
) -> None:
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    train.write_text(reviews.train.read_text() + "so so,7\n")
    test.write_text(reviews.test.read_text() + "never seen,9\nso so,7\n")
    files = (train, "--valid", reviews.validation, "--test", test)
    assert "--min-rows-per-class 3" in cli("train", *files, *common).err
    rare = ("--min-rows-per-class", "2")
    assert "the label 9" in cli("train", *files, *common, *rare).err
    done = cli("train", *files, *common, *rare, "--on-unknown-classes", "skip")
    assert done.code == 0, done.err
    assert "1 class with fewer than 2 rows left out: 7 (1)" in done.out
    assert "3 rows set aside in rejected.csv" in done.out
    rejected = (tmp_path / "run" / "rejected.csv").read_text()
    assert "never seen" in rejected
    assert "the class 9 is not in the training rows" in rejected
    refused = cli("evaluate", tmp_path / "run", test)
    assert refused.code == 2
    assert "--on-unknown-classes skip" in refused.err
    judged = cli("evaluate", tmp_path / "run", test, "--on-unknown-classes", "skip")
    assert judged.code == 0, judged.err
    assert "2 rows left out" in judged.out


def test_rare_classes_become_one_class_for_evaluate_too(
    cli: Cli, reviews: Reviews, common: list[str], tmp_path: Path
) -> None:
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    train.write_text(reviews.train.read_text() + "so so,7\nneither nor,8\nhm,8\n")
    test.write_text("it was good,1\nso so,7\nhm,8\n".join(["text,label\n", ""]))
    options = ("--min-rows-per-class", "3", "--rare-classes", "other")
    done = cli("train", train, "--valid", reviews.validation, "--test", test, *common, *options)
    assert done.code == 0, done.err
    assert "2 classes with fewer than 3 rows merged into 'other' (3 rows)" in done.out
    figures = json.loads(cli("evaluate", tmp_path / "run", test, "--json").out)
    assert figures["rows"] == 3
    assert "other" in json.dumps(figures)


def test_a_file_without_a_header(
    cli: Cli, reviews: Reviews, common: list[str], tmp_path: Path
) -> None:
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    train.write_text(reviews.train.read_text().partition("\n")[2])
    test.write_text(reviews.test.read_text().partition("\n")[2])
    for told in (cli("train", train, *common), cli("inspect", train)):
        assert told.code == 2
        assert "looks like data" in told.err
    columns = ["--no-header", "--text-column", "column_1", "--label-column", "column_2"]
    done = cli("train", train, "--test", test, *common, *columns)
    assert done.code == 0, done.err
    # The run knows how its files are read.
    judged = cli("evaluate", tmp_path / "run", test, "--json")
    assert json.loads(judged.out)["rows"] == 16
    assert cli("evaluate", tmp_path / "run", reviews.test).code == 2
    named = ["--header", "--text-column", "text", "--label-column", "label", "--json"]
    assert cli("evaluate", tmp_path / "run", reviews.test, *named).out == judged.out
    answers = cli("predict", tmp_path / "run", "--file", test, *columns[:3])
    assert answers.out.count("\n") == 16
    scored = tmp_path / "scored.csv"
    assert cli("score", tmp_path / "run", test, "--out", scored).code == 0
    assert scored.read_text().count("\n") == 17


def test_fast_prefix(cli: Cli, reviews: Reviews, common: list[str], tmp_path: Path) -> None:
    arguments = ["train", reviews.train, "--valid", reviews.validation, *common, "--fast-prefix"]
    refused = cli(*arguments)
    assert refused.code == 2
    assert "the lowest layer has an adapter" in refused.err
    assert "Traceback" not in refused.err
    assert not (tmp_path / "run").exists()
    done = cli(*arguments, "--set", "lora.layers=top:1")
    assert done.code == 0, done.err
    assert "Prefix     layer 0 of 2 run once" in done.out
    assert "prefix_cache: true" in (tmp_path / "run" / "config.yaml").read_text()
    # The finished run answers texts, for which there are no states.
    assert cli("predict", tmp_path / "run", "it was good").code == 0
    again = cli("train", "--recipe", tmp_path / "run" / "config.yaml", "--out", tmp_path / "again")
    assert "Prefix     layer 0 of 2" in again.out


def test_drop_leaks(cli: Cli, reviews: Reviews, common: list[str], tmp_path: Path) -> None:
    """Where the test file holds all training texts, nothing would be left to train on."""
    test = write_table(tmp_path / "test.csv", reviews.texts, reviews.labels)
    refused = cli("train", reviews.train, "--test", test, *common, "--drop-leaks")
    assert refused.code == 2
    assert "--drop-leaks leaves no training row of" in refused.err
    assert not (tmp_path / "run").exists()


def test_rows_of_one_s_own_replace_the_recipe_s_sources(
    cli: Cli, reviews: Reviews, common: list[str], tmp_path: Path
) -> None:
    """Else the quick recipe would validate on the Hub's IMDb."""
    options = ["--recipe", "distilbert-lora-quick", "--set", "data.max_length=64"]
    done = cli("train", reviews.train, *options, *common)
    assert done.code == 0, done.err
    saved = (tmp_path / "run" / "config.yaml").read_text()
    assert "stanfordnlp" not in saved
    assert "recipe: distilbert-lora-quick" in saved


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "There is nothing to train on."),
        (["train", "none.csv"], "none.csv: there is no such file."),
        (["train", "a.csv", "--set", "training.lr=1"], "there is no such setting"),
        (["train", "a.csv", "--set", "training.seed=x"], "training.seed = 'x' is not valid"),
        (["train", "a.csv", "--recipe", "distilbert"], "Did you mean distilbert-lora-"),
        (["train", "a.csv", "--on-bad-rows", "ignore"], "data.on_bad_rows = 'ignore'"),
        (
            ["train", "a.csv", "--resume", "x"],
            "--resume takes the run folder alone; leave out DATA",
        ),
        (["train", "--resume", "x", "--delimiter", ";"], "alone; leave out --delimiter."),
        (["train", "--resume", "x", "--epochs", "3", "--seed", "1"], "out --epochs, --seed."),
        (["train", "--resume", "x", "--fast-prefix"], "--resume takes the run folder alone"),
        (["train", "--resume", "x", "--drop-leaks"], "--resume takes the run folder alone"),
        (["train", "--resume", "nowhere"], "no run to resume"),
        (["evaluate", "nowhere", "a.csv"], "there is no such run folder"),
        (["predict", "nowhere", "text"], "there is no such run folder"),
        (["predict", "nowhere", "text", "--file", "a.csv"], "both given"),
        (["recipes", "show", "none"], "There is no recipe 'none'"),
        (["nonsense"], "No such command"),
        (["train", "--nonsense"], "There is no option --nonsense."),
        (["train", "--nonsense"], "--set section.key=value"),
        (["train", "a.csv", "--lora-r", "16"], "Any setting can be given: --set lora.r=16"),
        (["train", "a.csv", "--weight-decay=0.1"], "--set training.weight_decay=0.1"),
        (["train", "a.csv", "--lr", "1e-3"], "Did you mean --learning-rate?"),
        (["train", "a.csv", "--epoch", "3"], "Did you mean --epochs?"),
        (["inspect", "a.csv", "--batch-size", "8"], "--set training.per_device_train_batch_size=8"),
        (["recipes", "check", "--r", "4"], "--set lora.r=4"),
        (["train", "a.csv", "--epochs", "-1"], "training.num_train_epochs = -1.0 is not valid"),
        (["score", "--nonsense"], "No such option"),
    ],
)
def test_a_mistake_ends_with_one_message_and_code_2(
    arguments: list[str], message: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli(*arguments)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_bug_keeps_its_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    import textlora.recipes

    def broken() -> list[str]:
        raise ZeroDivisionError

    monkeypatch.setattr(textlora.recipes, "recipe_names", broken)
    monkeypatch.setattr(sys, "argv", ["textlora", "recipes", "list"])
    with pytest.raises(ZeroDivisionError):
        cli("recipes", "list")


def test_an_interrupt_is_told_in_a_word(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    import textlora.recipes

    def interrupted() -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(textlora.recipes, "recipe_names", interrupted)
    done = cli("recipes", "list")
    assert done.code == 130
    assert "Traceback" not in done.err


def test_evaluate(cli: Cli, finished: Any, reviews: Reviews) -> None:
    done = cli("evaluate", finished.folder.path, reviews.test)
    assert done.code == 0, done.err
    for words in ("Precision", "Recall", "Negative", "MCC", "ROC-AUC", "accuracy"):
        assert words in done.out
    figures = json.loads(cli("evaluate", finished.folder.path, reviews.test, "--json").out)
    assert figures["accuracy"] == finished.results["test"].metrics.accuracy
    assert figures["accuracy_interval"]["low"] < figures["accuracy"]


def test_predict_from_arguments_file_and_stdin(
    cli: Cli, finished: Any, reviews: Reviews, tmp_path: Path
) -> None:
    run = finished.folder.path
    label, share, text = cli("predict", run, "it was good").out.rstrip("\n").split("\t")
    assert (label, text) == ("Positive", "it was good")
    assert share.endswith("%")
    assert len(cli("predict", run, "--file", reviews.test).out.splitlines()) == 16
    assert cli("predict", run, stdin="a good film\nan awful film\n").out.count("\n") == 2
    lines = cli("predict", run, "a good film", "an awful film", "--json").out.splitlines()
    answers = [json.loads(line) for line in lines]
    assert [answer["label"] for answer in answers] == ["Positive", "Negative"]
    assert set(answers[0]["probabilities"]) == {"Negative", "Positive"}
    (tmp_path / "t.csv").write_text("review;x\ngood, film;1\n")
    assert cli("predict", run, "--file", tmp_path / "t.csv").code == 2
    told = cli("predict", run, "--file", tmp_path / "t.csv", "--delimiter", ";").out
    assert told.endswith("good, film\n")


@pytest.mark.parametrize(("text", "why"), [("", "missing"), ("  ", "blank")])
def test_predict_refuses_a_text_with_nothing_in_it(
    cli: Cli, finished: Any, text: str, why: str
) -> None:
    done = cli("predict", finished.folder.path, "a good film", text)
    assert (done.code, done.out) == (2, "")
    assert f"text 2 of 2: the text is {why}." in done.err
    assert "Traceback" not in done.err


def test_precision_is_a_choice_and_a_wrong_one_is_named(cli: Cli, finished: Any) -> None:
    run = finished.folder.path
    answers = [
        json.loads(cli("predict", run, "a good film", "--precision", name, "--json").out)
        for name in ("fp32", "bf16")
    ]
    assert answers[0]["probability"] == pytest.approx(answers[1]["probability"], abs=0.03)
    told = cli("predict", finished.folder.path, "a good film", "--precision", "fp8")
    assert told.code == 2
    assert "compute.precision" in told.err


def test_recipes(cli: Cli, tmp_path: Path) -> None:
    assert "distilbert-lora-imdb" in cli("recipes", "list").out
    listed = json.loads(cli("recipes", "list", "--json").out)
    assert len(listed) == 5
    shown = cli("recipes", "show", "distilbert-lora-bce").out
    (tmp_path / "mine.yaml").write_text(shown)
    counted = json.loads(cli("recipes", "check", tmp_path / "mine.yaml", "--json").out)
    assert counted["trainable"] == 74_497
    every = json.loads(cli("recipes", "check", "--json", "--model", "bundled").out)
    assert [entry["model"] for entry in every] == ["bundled"] * 5
    more = cli("recipes", "check", "distilbert-lora-bce", "--set", "lora.r=8", "--json")
    assert json.loads(more.out)["trainable"] == 2 * 2 * 6 * 6144 + 769


def test_version(cli: Cli) -> None:
    from importlib.metadata import version

    assert cli("--version").out == f"textlora {version('textlora')}\n"
