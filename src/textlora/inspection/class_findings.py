"""Findings on classes: spelling variants, imbalance, classes that training cannot use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from textlora.data.classes import ROWS_FOR_SPLITS, is_wrong_column, likely_separator
from textlora.data.tables import Label
from textlora.inspection.content_findings import EXAMPLES, have, rows_of
from textlora.inspection.copies import respelled
from textlora.inspection.corpus import TRAIN, Corpus
from textlora.inspection.facts import Facts, Spellings
from textlora.report.view import Finding, Severity
from textlora.report.wording import count, percent

_UNEVEN, _VERY_UNEVEN = 3, 10
"""Rows of the largest class for each row of the smallest."""
_FEW_ROWS = 10
_LISTED = 5


def class_findings(facts: Facts) -> list[Finding]:
    """Return what is wrong with the labels, in no order."""
    corpus = facts.corpus
    found = [_spelling(one, facts) for one in facts.spellings]
    if not corpus.labelled or not len(corpus):
        return found
    counts = [class_counts(facts, part) for part in range(len(corpus.names))]
    found += [*_training_classes(counts[0], len(corpus.tables[0]), corpus)]
    for name, rows in zip(corpus.names, counts, strict=True):
        found += _imbalance(name, rows, corpus)
    for name, rows in zip(corpus.names[1:], counts[1:], strict=True):
        found += _other_classes(name, rows, counts[0], facts)
    return found


def class_counts(facts: Facts, part: int) -> Counter[Label]:
    """Return the rows of each class of a part, with the labels in their usual spelling."""
    corpus = facts.corpus
    counts: Counter[Label] = Counter()
    for row in corpus.rows_of(part):
        label = respelled(corpus.labels[row], facts.spelling)
        counts.update(() if label is None else label if isinstance(label, tuple) else (label,))
    return counts


def _spelling(one: Spellings, facts: Facts) -> Finding:
    corpus, unusual = facts.corpus, one.unusual
    rows = [row for row, label in enumerate(corpus.labels) if _has(label, unusual)]
    written = ", ".join(f"'{label}' ({count(number)})" for label, number in one.rows.items())
    return Finding(
        "label_spelling",
        "error",
        sum(unusual.values()),
        f"One label in {len(one.rows)} spellings: {written}. Training takes each for a class.",
        f"Write '{one.usual}' everywhere; textlora inspect --fix does so in copies of the files.",
        tuple(corpus.example(row, f"labelled '{corpus.labels[row]}'") for row in rows[:EXAMPLES]),
    )


def _has(label: Label | None, members: dict[Label, int]) -> bool:
    return any(one in members for one in (label if isinstance(label, tuple) else (label,)))


def _training_classes(counts: Counter[Label], rows: int, corpus: Corpus) -> Iterator[Finding]:
    separator, wrong = likely_separator(counts), is_wrong_column(counts, rows)
    if separator is not None and (wrong or len(counts) > 1):
        severity: Severity = "error" if 1 in counts.values() else "warning"
        message, remedy = f"{separator.problem}.", separator.remedy
        yield Finding("joined_labels", severity, separator.joined, message, remedy)
    if wrong:
        if separator is None:
            yield Finding(
                "wrong_column",
                "error",
                len(counts),
                f"There are {count(len(counts))} different labels in {rows_of(rows)}.",
                "This looks like the wrong column: name the right one with --label-column.",
            )
        return
    if len(counts) == 1:
        name = corpus.called(next(iter(counts)))
        yield Finding(
            "one_class",
            "error",
            rows,
            f"All rows of {corpus.names[0]} are of one class, '{name}'.",
            "Give rows of at least two classes, or another column with --label-column.",
        )
        return
    small = [label for label, number in counts.items() if number < _FEW_ROWS]
    if small:
        yield _small_classes(small, counts, corpus)


def _small_classes(small: Sequence[Label], counts: Counter[Label], corpus: Corpus) -> Finding:
    single = 1 in (counts[label] for label in small)
    return Finding(
        "small_class",
        "error" if single else "warning",
        len(small),
        f"{_listed(small, counts, corpus)} {have(len(small))} too few rows in {corpus.names[0]} "
        "to be learnt" + (", and training refuses a class with one row." if single else "."),
        "Label more of them, or train without them: --min-rows-per-class "
        f"{ROWS_FOR_SPLITS if single else _FEW_ROWS}; --rare-classes other makes them one.",
    )


def _imbalance(name: str, counts: Counter[Label], corpus: Corpus) -> Iterator[Finding]:
    if len(counts) < 2:
        return
    (most, highest), (least, lowest) = counts.most_common(1)[0], counts.most_common()[-1]
    ratio, total = highest / lowest, sum(counts.values())
    if ratio < _UNEVEN:
        return
    yield Finding(
        "imbalance",
        "warning" if ratio >= _VERY_UNEVEN else "note",
        highest,
        f"The classes of {name} are uneven: '{corpus.called(most)}' has {rows_of(highest)}, "
        f"'{corpus.called(least)}' {count(lowest)}. Always to answer '{corpus.called(most)}' "
        f"would be right in {percent(highest / total)}.",
        "Judge by macro F1, not by accuracy; label more of the small classes if you can.",
    )


def _other_classes(
    name: str, counts: Counter[Label], training: Counter[Label], facts: Facts
) -> Iterator[Finding]:
    corpus = facts.corpus
    strange = [label for label in counts if label not in training]
    missing = [label for label in training if label not in counts]
    if strange:
        members = {label: counts[label] for label in strange}
        part = corpus.names.index(name)
        rows = [
            row
            for row in corpus.rows_of(part)
            if _has(respelled(corpus.labels[row], facts.spelling), members)
        ]
        yield Finding(
            "unknown_class",
            "error",
            len(rows),
            f"{name} has classes that {TRAIN} lacks: {_listed(strange, counts, corpus)}.",
            "Write labels as in the training rows, or set these rows aside: "
            "--on-unknown-classes skip.",
            tuple(map(corpus.example, rows[:EXAMPLES])),
        )
    if missing:
        yield Finding(
            "missing_class",
            "warning",
            len(missing),
            f"{name} has no row of {_listed(missing, training, corpus)}: "
            "nothing is measured of it there.",
            f"Add some to {name}.",
        )


def _listed(labels: Sequence[Label], counts: Counter[Label], corpus: Corpus) -> str:
    ranked = sorted(labels, key=lambda label: (counts[label], str(label)))
    told = ", ".join(
        f"'{corpus.called(label)}' ({count(counts[label])})" for label in ranked[:_LISTED]
    )
    return told + (f" and {len(ranked) - _LISTED} more" if len(ranked) > _LISTED else "")
