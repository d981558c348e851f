"""The model card of a run that knows everything about itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.settled import settled_config
from textlora.config import RunConfig
from textlora.metrics.classification import classification_metrics
from textlora.model.card import Circumstances, model_card
from textlora.model.encoders import Backbone
from textlora.model.heads import HeadSpec
from textlora.model.spec import ClassifierSpec

SPEC = ClassifierSpec(
    backbone=Backbone("owner/base"),
    head=HeadSpec("auto", "cls", "cross_entropy", 2),
    label_names=("bad|worse", "good"),
    label_values=(0, 1),
    max_length=64,
    truncation_side="left",
    strip_html=True,
    temperature=1.25,
)
FIGURES = {
    "test": classification_metrics(
        [0, 1, 1, 0], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]], SPEC.label_names
    )
}
KNOWN = Circumstances(
    rows={"train": {"bad|worse": 49, "good": 50}, "test": {"bad|worse": 2, "good": 2}},
    verdict="LoRA is better than guessing.",
    notes=("The test part was used once.",),
    parameters=(1_000, 20_000),
    repo="me/mine",
)


def test_the_card_has_figures_verdict_data_and_limits() -> None:
    card = model_card(SPEC, settled_config(), FIGURES, KNOWN)
    for said in (
        *("# mine", "75.0 % of 4 test texts right", "## Is it worth it?"),
        *("LoRA is better than guessing.", "The test part was used once.", "temperature of 1.250"),
        *(r"| bad\|worse |", "| train | 49 | 50 |", "1,000 of 20,000 parameters"),
        *("fewer than 50 training texts: `bad|worse`.", "What of a text lies beyond 64 tokens"),
        *('from_pretrained("me/mine", num_labels=2)', "base_model: owner/base", "value: 0.75"),
        *('("me/mine", local_dir="adapter")', 'tokenizer.truncation_side = "left"\n```'),
    ):
        assert said in card


def test_what_a_run_does_not_know_of_its_training_is_left_out() -> None:
    card = model_card(SPEC, settled_config(), FIGURES, KNOWN)
    assert "; 2 epochs, learning rate 0.01, batches of 8, seed 42; the best checkpoint by" in card
    card = model_card(SPEC, RunConfig(), FIGURES, KNOWN)
    assert "; seed 42; the best checkpoint on validation." in card


@pytest.mark.parametrize(
    ("train", "shown"),
    [
        ("/home/anna/secret/reviews.csv", "`reviews.csv`"),
        ("../secret/reviews.csv", "`reviews.csv`"),
        (r"C:\secret\reviews.csv", "`reviews.csv`"),
        ("/home/anna/secret/saved", "`saved`"),
        ("secret/folder/saved", "`saved`"),
        ("owner/dataset", "`owner/dataset`"),
        (None, "data of its own"),
    ],
)
def test_the_data_is_named_without_its_folder(train: str | None, shown: str) -> None:
    card = model_card(SPEC, settled_config(data={"train": train}), FIGURES, KNOWN)
    assert f"Trained on {shown}" in card.replace("`data of its own`", "data of its own")
    assert "secret" not in card


def test_no_end_is_named_where_texts_are_cut_in_the_middle() -> None:
    card = model_card(replace(SPEC, truncation_side="head+tail"), settled_config(), FIGURES, KNOWN)
    assert "truncation_side" not in card
    assert "AutoTokenizer.from_pretrained" in card


def test_a_local_base_is_named_without_its_folder() -> None:
    local = replace(SPEC, backbone=Backbone("/home/anna/secret/model"))
    card = model_card(local, settled_config(), FIGURES, KNOWN)
    assert "`model`" in card
    assert "secret" not in card
    assert "base_model" not in card
    assert "--to merged" in card
