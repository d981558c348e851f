"""Why an answer: what every word of a text did for a class.

The scores of a text sum to the difference that its words make: the log-odds of the class less those
of the same text with every word replaced by a baseline token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from textlora.data.cutting import SpecialTokens
from textlora.data.words import TokenPlace, token_places, unseen_places, word_places
from textlora.errors import ConfigError, MissingExtraError
from textlora.inference.gradients import baseline_token, integrated_gradients
from textlora.inference.scoring import Progress, score
from textlora.metrics.explanation import Explanation, Span, Word
from textlora.model.heads import log_odds

if TYPE_CHECKING:
    from textlora.inference.predictor import Predictor, Probabilities

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
