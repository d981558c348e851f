"""Findings on copies: leakage between parts, duplicates in a part, and contradicting labels."""

from __future__ import annotations

from collections.abc import Mapping

from textlora.inspection.content_findings import EXAMPLES, rows_of, texts_of
from textlora.inspection.copies import Leaks, respelled
from textlora.inspection.corpus import TEST, TRAIN, VALIDATION, Corpus
from textlora.inspection.facts import Facts
from textlora.inspection.records import Example, Finding, Severity
from textlora.report.wording import count, percent

_MUCH_SHARED = 0.005
"""Share of a part that is in an earlier one, too, from which its figures mean little."""
_MANY_COPIES = 0.01

_FIX = "textlora inspect --fix does so in copies of the files."


def copy_findings(facts: Facts, *, will_be_split: bool) -> list[Finding]:
    """Return what is wrong with texts that are there more than once, in no order.

    Args:
        facts: what was found in the rows.
        will_be_split: whether validation or test rows will be split off the training rows.
    """
    return [
        *_leaks(facts, facts.exact_leaks, "leakage"),
        *_leaks(facts, facts.near_leaks, "near_leakage"),
        *_repeats(facts, facts.exact_repeats, "duplicates", will_be_split),
        *_repeats(facts, facts.near_repeats, "near_duplicates", will_be_split),
        *_conflicts(facts),
    ]


def _leaks(facts: Facts, leaks: Leaks, kind: str) -> list[Finding]:
    corpus = facts.corpus
    found = []
    for (earlier, later), rows in leaks.items():
        name, judged = corpus.names[earlier], corpus.names[later]
        share = len(rows) / len(corpus.rows_of(later))
        seen = "seen in training" if name == TRAIN else "used for choices already"
        nearly = "nearly the same " if kind == "near_leakage" else ""
        much = share >= _MUCH_SHARED
        found.append(
            Finding(
                kind,
                "error" if much else "warning",
                len(rows),
                f"{rows_of(len(rows))} of {judged} ({percent(share)}) {_are(len(rows))} "
                f"{nearly}in {name}, too: {seen}, so the figures on {judged} come out "
                f"{'' if much else 'a little '}too good.",
                _leak_remedy(kind, name, judged),
                tuple(_pair(facts, row, copy) for row, copy in list(rows.items())[:EXAMPLES]),
            )
        )
    return found


def _leak_remedy(kind: str, earlier: str, later: str) -> str:
    if kind == "leakage" and {earlier, later} <= {TRAIN, VALIDATION, TEST}:
        return f"Train with --drop-leaks: it leaves such rows out of {earlier}. Or {_FIX}"
    return f"Remove such texts from {earlier}; {_FIX}"


def _repeats(
    facts: Facts, rows: Mapping[int, int], kind: str, will_be_split: bool
) -> list[Finding]:
    corpus = facts.corpus
    found = []
    for part, name in enumerate(corpus.names):
        members = [row for row in corpus.rows_of(part) if row in rows]
        if not members:
            continue
        share = len(members) / len(corpus.rows_of(part))
        # A split keeps exact copies on one side.
        split = will_be_split and name == TRAIN and kind == "near_duplicates"
        nearly = "nearly " if kind == "near_duplicates" else ""
        after = (
            " A split at random puts copies on both sides, and the figures come out too good."
            if split
            else ""
        )
        many: Severity = "error" if split else "warning"
        found.append(
            Finding(
                kind,
                many if share >= _MANY_COPIES else "warning" if split else "note",
                len(members),
                f"{texts_of(len(members))} of {name} {_are(len(members))} {nearly}the same as one "
                f"before ({percent(share)}).{after}",
                _remedy(kind),
                tuple(_pair(facts, row, rows[row]) for row in members[:EXAMPLES]),
            )
        )
    return found


def _remedy(kind: str) -> str:
    if kind == "duplicates":
        return f"Keep one of each; {_FIX}"
    return "Look at the pairs: keep one of each where they are the same text, edited."


def _conflicts(facts: Facts) -> list[Finding]:
    groups = facts.conflicts
    if not groups:
        return []
    corpus = facts.corpus
    rows = sum(len(group) for group in groups)
    share = rows / len(corpus)
    return [
        Finding(
            "conflicts",
            "error" if share >= _MANY_COPIES else "warning",
            rows,
            f"{texts_of(len(groups))} {'has' if len(groups) == 1 else 'have'} different labels "
            f"in different rows ({count(rows)} rows).",
            "Give each text one label, or remove its rows; textlora inspect --fix removes them.",
            tuple(_conflict(facts, sorted(group)) for group in groups[:EXAMPLES]),
        )
    ]


def _conflict(facts: Facts, group: list[int]) -> Example:
    corpus = facts.corpus
    first = group[0]
    label = respelled(corpus.labels[first], facts.spelling)
    other = next(
        row for row in group if respelled(corpus.labels[row], facts.spelling) not in (label, None)
    )
    note = (
        f"labelled {corpus.called(corpus.labels[first])} here and "
        f"{corpus.called(corpus.labels[other])} in {_elsewhere(corpus, first, other)}"
    )
    return corpus.example(first, note)


def _pair(facts: Facts, row: int, copy: int) -> Example:
    corpus = facts.corpus
    labels = [respelled(corpus.labels[one], facts.spelling) for one in (row, copy)]
    differ = None not in labels and labels[0] != labels[1]
    note = f"as in {_elsewhere(corpus, row, copy)}"
    return corpus.example(row, note + (", with another label" if differ else ""))


def _elsewhere(corpus: Corpus, row: int, other: int) -> str:
    """Return where the other row is: just its line, if it is in the same part."""
    if corpus.part_of(row) == corpus.part_of(other):
        return f"line {corpus.line_of(other)}"
    return f"{corpus.names[corpus.part_of(other)]}, {corpus.place_of(other)}"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
