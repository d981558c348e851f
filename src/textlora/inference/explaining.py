"""Which words spoke for an answer, by integrated gradients on the word embeddings (captum).

The scores of a text sum to the difference that its words make: the log-odds of the class less those
of the same text with every word replaced by a baseline token. By how much they miss that sum is
captum's convergence delta.

Source: M. Sundararajan, A. Taly, Q. Yan, Axiomatic Attribution for Deep Networks, 2017
(https://arxiv.org/abs/1703.01365).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from textlora.data.tokenizing import TokenPlace, token_places, unseen_places, word_places
from textlora.data.truncation import SpecialTokens
from textlora.errors import ConfigError, MissingExtraError
from textlora.inference.logits import Progress, score
from textlora.metrics.mistakes import Explanation, Span, Word
from textlora.model.heads import log_odds

if TYPE_CHECKING:
    from textlora.inference.predictor import Predictor, Probabilities


# Reviews of IMDb are within 5 % after 20 points, nearly all of them, and half are not after 8.
FIRST_STEPS = 20
# Below this the scores are exact enough whatever their sum: it moves no probability by more
# than 1.3 points.
_SMALL_DELTA = 0.05
# Token rows whose activations are in memory at once; on two cores more is no faster.
_TOKENS_AT_ONCE = 512


@dataclass(frozen=True)
class TokenScores:
    """Integrated gradients of a sequence.

    Args:
        tokens: log-odds that each token adds, [length].
        text: log-odds of the target for the sequence.
        baseline: and for the baseline.
        steps: points at which the gradient was taken.
    """

    tokens: np.ndarray[Any, np.dtype[np.float64]]
    text: float
    baseline: float
    steps: int

    @property
    def delta(self) -> float:
        """By how much the scores miss their sum."""
        return float(self.tokens.sum()) - (self.text - self.baseline)

    @property
    def relative_delta(self) -> float:
        """The delta's absolute share of the difference to explain."""
        difference = abs(self.text - self.baseline)
        return abs(self.delta) / difference if difference else float("inf")

    def within(self, tolerance: float) -> bool:
        """Whether the delta is small enough."""
        return self.relative_delta <= tolerance or abs(self.delta) <= _SMALL_DELTA


def baseline_token(tokenizer: Any) -> tuple[str, int]:
    """Return the token that stands for "no word here".

    [MASK], where the tokenizer has one: in pretraining the encoder has learnt that it means some
    word unknown. The row of [PAD] is never attended to, so nothing has given it a meaning:
    a text of nothing else gets an answer at random, often a sure one.
    """
    if tokenizer.mask_token_id is not None:
        return str(tokenizer.mask_token), int(tokenizer.mask_token_id)
    return str(tokenizer.pad_token), int(tokenizer.pad_token_id)


def integrated_gradients(
    model: Any,
    value: Callable[[Tensor], Tensor],
    ids: Sequence[int],
    baseline: Sequence[int],
    *,
    dtype: torch.dtype,
    tolerance: float,
    most_steps: int,
) -> TokenScores:
    """Integrate along the line from the baseline's embeddings to the text's.

    The number of steps is doubled until the delta is within the tolerance.

    Args:
        model: the plain classifier.
        value: from logits [batch, units] to what is explained [batch].
        ids: tokens of the text.
        baseline: as many tokens.
        dtype: type of the products for the gradients of the first round. What the scores should sum
            to is computed in fp32, and so is every later round: what bf16 rounds shows in the
            delta, and more steps would not mend it.
        tolerance: the relative delta that will do.
        most_steps: where the doubling ends.
    """
    from captum.attr import LayerIntegratedGradients

    embeddings = model.get_input_embeddings()
    device = next(model.parameters()).device
    both = torch.tensor([ids, baseline], device=device)
    with torch.no_grad():
        of_text, of_baseline = _run(model, value, both, torch.float32).double().tolist()
    steps = min(FIRST_STEPS, most_steps)
    while True:
        method = LayerIntegratedGradients(partial(_run, model, value, dtype=dtype), embeddings)
        gradients = method.attribute(
            both[:1],
            baselines=both[1:],
            n_steps=steps,
            method="gausslegendre",
            internal_batch_size=max(1, _TOKENS_AT_ONCE // both.shape[1]),
        )
        tokens = gradients[0].double().sum(dim=-1).cpu().numpy()
        scores = TokenScores(tokens, of_text, of_baseline, steps)
        if scores.within(tolerance) or 2 * steps > most_steps:
            return scores
        steps, dtype = 2 * steps, torch.float32


def _run(model: Any, value: Callable[[Tensor], Tensor], ids: Tensor, dtype: torch.dtype) -> Tensor:
    """Return what is explained [batch] of token ids [batch, length].

    The model gets embeddings and not ids: RoBERTa and MPNet tell positions from the ids, so a
    baseline of pad tokens would stand nowhere.
    """
    inputs = {
        "inputs_embeds": model.get_input_embeddings()(ids),
        "attention_mask": torch.ones_like(ids),
    }
    with torch.autocast(ids.device.type, dtype, enabled=dtype != torch.float32):
        logits = model(**inputs).logits
    return value(logits)


MOST_STEPS = 160
TOLERANCE = 0.05


@dataclass(frozen=True)
class _Reading:
    """One sequence that the model reads of a text.

    Args:
        places: all tokens of the text.
        kept: the numbers of those in the sequence.
        note: which sequence it is, where there are several.
    """

    places: list[TokenPlace]
    kept: list[int]
    note: str = ""

    @property
    def ids(self) -> list[int]:
        """Token ids of the sequence."""
        return [self.places[number].id for number in self.kept]

    def baseline(self, token: int) -> list[int]:
        """The same with every token of the text replaced; special tokens stay."""
        kept = (self.places[number] for number in self.kept)
        return [place.id if place.word is None else token for place in kept]


def explain(
    predictor: Predictor,
    text: str,
    target: str | None = None,
    *,
    tolerance: float = TOLERANCE,
    most_steps: int = MOST_STEPS,
) -> Explanation:
    """Say what every word of a text did for a class.

    Args:
        predictor: the classifier.
        text: the text.
        target: the class; None: the answered one, for multi-label data the most probable.
        tolerance: the convergence delta that will do, as a share of the difference to explain.
            The steps are doubled until it is reached.
        most_steps: where the doubling ends.

    Raises:
        ConfigError: there is no such class.
        MissingExtraError: captum is not installed.
    """
    found = explain_many(predictor, [text], [target], tolerance=tolerance, most_steps=most_steps)
    return found[0]


def explain_many(
    predictor: Predictor,
    texts: Sequence[str],
    targets: Sequence[str | None] | None = None,
    progress: Progress | None = None,
    *,
    tolerance: float = TOLERANCE,
    most_steps: int = MOST_STEPS,
) -> list[Explanation]:
    """Explain several texts, one after the other: memory does not grow with their number.

    Args:
        predictor: the classifier.
        texts: the texts.
        targets: the class of each, as in `explain`; None: None for each.
        progress: called with 1 after every text.
        tolerance: as in `explain`.
        most_steps: as in `explain`.

    Raises:
        ConfigError: there is no such class.
        MissingExtraError: captum is not installed.
    """
    require_captum()
    names = predictor.spec.label_names
    asked = list(targets) if targets is not None else [None] * len(texts)
    for target in asked:
        if target is not None and target not in names:
            raise ConfigError(
                f"There is no class '{target}'.", f"The classes are {', '.join(names)}."
            )
    found = []
    answers = predictor.predict_proba(texts)
    for text, target, row in zip(texts, asked, answers, strict=True):
        number = _answered(predictor, row) if target is None else names.index(target)
        found.append(_explain(predictor, text, row, number, tolerance, most_steps))
        if progress is not None:
            progress(1)
    return found


def require_captum() -> None:
    """Ask for captum before anything slow is done.

    Raises:
        MissingExtraError: it is not installed.
    """
    from importlib.util import find_spec

    if find_spec("captum") is None:
        raise MissingExtraError("Explaining an answer", "explain")


def _answered(predictor: Predictor, row: Probabilities) -> int:
    """Return the class that is the answer; for multi-label data the most probable one."""
    if predictor.spec.head.multi_label:
        return int(row.argmax())
    return int(predictor.spec.decision.labels(row[None])[0])


def _explain(
    predictor: Predictor,
    text: str,
    row: Probabilities,
    target: int,
    tolerance: float,
    most_steps: int,
) -> Explanation:
    """Explain a text whose probabilities [classes] are `row`."""
    spec = predictor.spec
    text = predictor.cleaned([text])[0]
    reading = _reading(predictor, text, target)
    name, token = baseline_token(predictor.tokenizer)
    scores = integrated_gradients(
        predictor.model,
        lambda logits: log_odds(logits, spec.head, target, spec.temperature),
        reading.ids,
        reading.baseline(token),
        dtype=predictor.forward.dtype,
        tolerance=tolerance,
        most_steps=most_steps,
    )
    by_token = dict(zip(reading.kept, scores.tokens, strict=True))
    places = word_places(text, reading.places, reading.kept)
    words = tuple(
        Word(
            text[place.start : place.end],
            place.start,
            place.end,
            float(sum(by_token[number] for number in place.tokens)),
        )
        for place in places
    )
    unseen = unseen_places(text, reading.places, reading.kept, places)
    answer = predictor.answer(row)
    return Explanation(
        text=text,
        label=tuple(answer.label) if isinstance(answer.label, list) else answer.shown,
        probability=float(row[target]),
        target=spec.label_names[target],
        words=words,
        baseline_probability=float(torch.sigmoid(torch.tensor(scores.baseline))),
        baseline=name,
        delta=scores.delta,
        relative_delta=scores.relative_delta,
        steps=scores.steps,
        converged=scores.within(tolerance),
        unseen=tuple(Span(start, end) for start, end in unseen),
        note=reading.note,
    )


def _reading(predictor: Predictor, text: str, target: int) -> _Reading:
    """Return what the model reads of a text; of several windows the one surest of the target."""
    places = token_places(text, predictor.tokenizer)
    special = [place.word is None for place in places]
    before = special.index(False) if False in special else min(1, len(special))
    # Cut the tokens' numbers in place of their ids: what comes out says where each one stands.
    cuts = predictor.spec.cut.sequences(
        np.arange(len(places), dtype=np.int32), SpecialTokens(before, sum(special) - before)
    )
    readings = [_Reading(places, [int(number) for number in cut]) for cut in cuts]
    if len(readings) == 1:
        return readings[0]
    logits = torch.from_numpy(
        score(
            predictor.model,
            predictor.forward,
            [np.array(reading.ids, dtype=np.int32) for reading in readings],
        )
    )
    best = int(log_odds(logits, predictor.spec.head, target).argmax())
    note = (
        f"The text is read in {len(readings)} windows; this explains number {best + 1}, "
        f"the surest of {predictor.spec.label_names[target]}."
    )
    return replace(readings[best], note=note)
