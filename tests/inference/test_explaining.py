"""Explanations add up, and name the words that decide."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from support.tiny import ARCHITECTURES
from textlora.config import ComputeConfig, LoraSettings
from textlora.errors import ConfigError, DataError, MissingExtraError
from textlora.inference.explaining import explain, explain_many
from textlora.inference.predictor import Predictor
from textlora.metrics.decisions import Decision
from textlora.model.adapters import add_adapter
from textlora.model.backends import choose_forward
from textlora.model.backends.plain import PlainForward
from textlora.model.encoders import Backbone
from textlora.model.heads import HeadSpec, load_base_classifier, log_odds, probabilities
from textlora.model.spec import ClassifierSpec

pytest.importorskip("captum")

TEXT = "the film was great , the plots awful"
HEADS = {
    "own": HeadSpec("auto", "cls", "cross_entropy", 2),
    "own, many": HeadSpec("auto", "cls", "cross_entropy", 4),
    "one unit": HeadSpec("linear", "mean", "bce", 2),
    "several labels": HeadSpec("mlp", "mean", "bce", 3, multi_label=True),
}


@pytest.fixture(scope="module")
def make(tiny: Callable[[str], Path]) -> Callable[..., Predictor]:
    """Return a function that makes a predictor with random adapter and head."""

    def _make(architecture: str, head: HeadSpec, **changes: Any) -> Predictor:
        from transformers import AutoTokenizer

        torch.manual_seed(3)
        names = tuple("abcd"[: head.num_labels])
        backbone = Backbone(str(tiny(architecture)))
        base = load_base_classifier(backbone, head, list(names))
        model = add_adapter(base, LoraSettings(r=2, target_modules=["q", "v"]))
        # Loading may draw numbers, and not always as many.
        torch.manual_seed(3)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "lora_A" in name:
                    weight.normal_(std=0.1)
                elif "lora_B" in name:
                    weight.normal_(std=0.6)
                elif "classifier" in name:
                    # Small, or probabilities near 1 lose the digits that are compared.
                    weight.normal_(std=0.2)
        tokenizer = AutoTokenizer.from_pretrained(tiny(architecture))
        spec = ClassifierSpec(backbone, head, names, names, 32, "right", strip_html=False)
        choice = choose_forward(
            model, head, tokenizer.pad_token_id, ComputeConfig(precision="fp32")
        )
        return Predictor(model.eval(), tokenizer, replace(spec, **changes), choice.forward)

    return _make


@pytest.fixture(scope="module")
def predictor(finished: Any) -> Predictor:
    return Predictor.load(finished.folder.path, ComputeConfig(precision="fp32"))


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_scores_add_up_to_what_the_words_make(
    architecture: str,
    head: HeadSpec,
    make: Callable[..., Predictor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("textlora.inference.explaining._SMALL_DELTA", 0.0)
    predictor = make(architecture, head)
    target = predictor.spec.label_names[-1]
    explanation = explain(predictor, TEXT, target, tolerance=0.02, most_steps=2560)
    assert [word.text for word in explanation.words] == TEXT.split()
    # The text's log-odds by the way that answers; the baseline's by the plain model.
    answer = predictor.predict_proba([TEXT])[0, -1]
    assert explanation.probability == pytest.approx(answer)
    log_odds_of_text = math.log(answer / (1 - answer))
    baseline = explanation.baseline_probability
    difference = log_odds_of_text - math.log(baseline / (1 - baseline))
    total = sum(word.score for word in explanation.words)
    assert max(abs(word.score) for word in explanation.words) > 0.001
    # Random weights may put a kink of a ReLU on the way, where the sum converges slowly.
    assert total == pytest.approx(difference, rel=0.03, abs=0.1)
    # Log-odds of a probability near 1 keep few digits.
    assert total - difference == pytest.approx(explanation.delta, abs=0.02)


@pytest.mark.parametrize("architecture", ["distilbert", "bert", "electra", "modernbert"])
def test_the_baseline_is_the_text_without_its_words(
    architecture: str, make: Callable[..., Predictor]
) -> None:
    """These take positions from the place alone, so the baseline can go in as ids."""
    predictor = make(architecture, HEADS["own"])
    ids = torch.tensor(predictor.sequences([TEXT])[0]).long()[None]
    ids[:, 1:-1] = predictor.tokenizer.pad_token_id
    with torch.no_grad():
        logits = predictor.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    expected = float(probabilities(logits, predictor.spec.head)[0, 1])
    explanation = explain(predictor, TEXT, "b")
    assert explanation.baseline == "[PAD]"
    assert explanation.baseline_probability == pytest.approx(expected, abs=1e-5)


def test_the_mask_token_stands_for_no_word(make: Callable[..., Predictor]) -> None:
    predictor = make("distilbert", HEADS["own"])
    predictor.tokenizer.add_special_tokens({"mask_token": "story"})
    explanation = explain(predictor, "story story")
    assert explanation.baseline == "story"
    assert [word.score for word in explanation.words] == pytest.approx([0, 0], abs=1e-6)
    assert (explanation.delta, explanation.converged) == (pytest.approx(0, abs=1e-6), True)


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_log_odds_are_those_of_the_probabilities(head: HeadSpec) -> None:
    logits = torch.randn(5, head.num_units, generator=torch.Generator().manual_seed(1)).double()
    for target in range(head.num_labels):
        expected = probabilities(logits, head, 2.5)[:, target].logit()
        found = log_odds(logits, head, target, 2.5)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


class Bag(nn.Module):
    """A classifier whose logit is the mean over the tokens of one number each."""

    def __init__(self, numbers: list[float]) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(len(numbers), 2)
        self.embeddings.weight.data = torch.tensor([[number, -7.0] for number in numbers])

    def get_input_embeddings(self) -> nn.Module:
        return self.embeddings

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
    ) -> Any:
        states = self.embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        assert attention_mask is not None
        sums = (states[..., :1] * attention_mask.unsqueeze(-1)).sum(1)
        return SimpleNamespace(logits=sums / attention_mask.sum(1, keepdim=True))


@pytest.fixture
def bag(make: Callable[..., Predictor]) -> Predictor:
    """A linear model over the words: "great" counts 4, "awful" -8, "##s" 2, the rest nothing."""
    predictor = make("distilbert", HEADS["one unit"])
    ids = predictor.tokenizer.get_vocab()
    numbers = [0.0] * len(ids)
    for word, number in {"great": 4.0, "awful": -8.0, "##s": 2.0, "[CLS]": 50.0}.items():
        numbers[ids[word]] = number
    plain = PlainForward(predictor.tokenizer.pad_token_id)
    return replace(predictor, model=Bag(numbers).eval(), forward=plain)


def test_a_linear_model_is_explained_exactly(bag: Predictor) -> None:
    explanation = explain(bag, TEXT, "b")
    scores = {word.text: word.score for word in explanation.words}
    length = len(bag.sequences([TEXT])[0])
    assert scores.pop("great") == pytest.approx(4 / length, abs=1e-5)
    assert scores.pop("awful") == pytest.approx(-8 / length, abs=1e-5)
    assert scores.pop("plots") == pytest.approx(2 / length, abs=1e-5)  # plot, ##s
    assert list(scores.values()) == pytest.approx([0] * len(scores), abs=1e-6)
    other = explain(bag, TEXT, "a")
    assert [word.score for word in other.words] == pytest.approx(
        [-word.score for word in explanation.words], abs=1e-5
    )


@pytest.mark.parametrize(
    ("side", "read", "unseen"),
    [
        ("right", ["great", "film", "was"], ["awful plot , dull"]),
        ("left", ["plot", ",", "dull"], ["great film was awful"]),
        ("head+tail", ["great", ",", "dull"], ["film was awful plot"]),
    ],
)
def test_what_is_cut_off_is_left_out(
    side: Any, read: list[str], unseen: list[str], bag: Predictor
) -> None:
    spec = replace(bag.spec, max_length=5, truncation_side=side, head_share=0.34)
    explanation = explain(replace(bag, spec=spec), "great film was awful plot , dull", "b")
    assert [word.text for word in explanation.words] == read
    text = explanation.text
    assert [text[span.start : span.end] for span in explanation.unseen] == unseen


def test_of_several_windows_the_surest_is_explained(bag: Predictor) -> None:
    spec = replace(bag.spec, max_length=5, long_texts="windows", window_stride=1, max_windows=9)
    windows = replace(bag, spec=spec)
    text = "awful film was the plot , great"
    best, worst = explain_many(windows, [text, text], ["b", "a"])
    assert [word.text for word in best.words] == ["plot", ",", "great"]
    assert [word.text for word in worst.words] == ["awful", "film", "was"]
    assert "3 windows; this explains number 3, the surest of b." in best.note
    assert best.probability == pytest.approx(float(windows.predict_proba([text])[0, 1]))
    assert explain(windows, "great").note == ""


def test_a_trained_model_names_the_words_it_learnt(predictor: Predictor) -> None:
    good, bad = explain_many(predictor, ["the film was great", "awful plot and cast"])
    assert (good.label, good.target, bad.label) == ("Positive", "Positive", "Negative")
    assert [good.strongest(1, 1)[0].text, bad.strongest(1, 1)[0].text] == ["great", "awful"]
    other = explain(predictor, "the film was great", "Negative")
    assert other.strongest(-1, 1)[0].text == "great"
    assert other.probability == pytest.approx(1 - good.probability, abs=1e-5)


def test_calibration_and_rule_are_those_of_the_answer(predictor: Predictor) -> None:
    rule = Decision(thresholds=(0.9999,), min_confidence=0.5)
    careful = predictor.with_temperature(2.0).with_decision(rule)
    explanation = explain(careful, "the film was great", most_steps=8)
    assert (explanation.label, explanation.target) == ("unsure", "Negative")
    raw = explain(predictor, "the film was great", "Negative", most_steps=8)
    assert explanation.probability > raw.probability
    for word, other in zip(explanation.words, raw.words, strict=True):
        assert word.score == pytest.approx(other.score / 2, rel=1e-3, abs=1e-4)


def test_places_are_those_of_the_text_that_the_model_reads(predictor: Predictor) -> None:
    stripping = replace(predictor, spec=replace(predictor.spec, strip_html=True))
    explanation = explain(stripping, "<p>great&nbsp;film</p>")
    assert explanation.text == "great film"
    assert [(w.text, w.start, w.end) for w in explanation.words] == [
        ("great", 0, 5),
        ("film", 6, 10),
    ]


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_text_with_nothing_in_it_is_refused(text: str, predictor: Predictor) -> None:
    with pytest.raises(DataError, match=r"the text is (missing|blank)"):
        explain(predictor, text)


@pytest.mark.parametrize("text", ["👍", "good " * 200])
def test_odd_texts(text: str, predictor: Predictor) -> None:
    explanation = explain(predictor, text)
    assert (
        "".join(
            text[piece.start : piece.end] if not isinstance(piece, str) else piece
            for piece in explanation.pieces()
        )
        == text
    )
    assert math.isfinite(explanation.delta)


def test_steps_are_doubled_up_to_the_limit(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("textlora.inference.explaining._SMALL_DELTA", -1.0)
    for tolerance, most, steps in ((9.0, 64, 20), (-1.0, 99, 80), (-1.0, 4, 4)):
        explanation = explain(predictor, "great", tolerance=tolerance, most_steps=most)
        assert (explanation.steps, explanation.converged) == (steps, tolerance > 0)


def test_what_bf16_rounds_is_in_the_delta_and_more_steps_are_exact(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "the film was great , the plot dull and poor"
    pad = predictor.tokenizer.pad_token_id
    rounding = replace(predictor, forward=PlainForward(pad, dtype=torch.bfloat16))
    exact, rough = (
        explain_many(one, [text], ["Positive"], tolerance=9.0)[0] for one in (predictor, rounding)
    )
    scores, rounded = ([word.score for word in found.words] for found in (exact, rough))
    assert scores != rounded
    assert rounded == pytest.approx(scores, rel=0.1, abs=0.1)
    assert rough.baseline_probability == exact.baseline_probability
    assert rough.delta - exact.delta == pytest.approx(sum(rounded) - sum(scores), abs=1e-6)
    monkeypatch.setattr("textlora.inference.explaining._SMALL_DELTA", -1.0)
    options = {"tolerance": -1.0, "most_steps": 40}
    assert explain(rounding, text, **options).words == explain(predictor, text, **options).words


def test_progress_is_told_of_every_text(predictor: Predictor) -> None:
    done: list[int] = []
    explain_many(predictor, ["good", "bad"], progress=done.append)
    assert done == [1, 1]
    assert explain_many(predictor, []) == []


def test_several_labels(make: Callable[..., Predictor]) -> None:
    predictor = make("distilbert", HEADS["several labels"])
    explanation = explain(predictor, TEXT)
    answer = predictor.predict([TEXT])[0]
    assert explanation.label == tuple(answer.label)
    assert explanation.target == max(answer.probabilities, key=answer.probabilities.__getitem__)


def test_mistakes(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"no class 'good'.*Negative, Positive"):
        explain(predictor, "x", "good")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[explain\]'"):
        explain(predictor, "x")
