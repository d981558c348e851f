"""Findings on rows and texts: bad rows, empty or short texts, HTML, lengths, copies, leakage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from textlora.data.tables import RejectedRow
from textlora.inspection.copies import Leaks, respelled
from textlora.inspection.corpus import TEST, TRAIN, VALIDATION, Corpus, clipped
from textlora.inspection.facts import FEW_WORDS, Facts
from textlora.inspection.findings import Lengths
from textlora.report.view import Example, Finding, Severity
from textlora.report.wording import count, percent

EXAMPLES = 3
_MUCH_LOST = 0.02
"""Share of the tokens cut off from which truncation is a warning."""
_MANY = 0.05
"""Share of the rows from which short texts and HTML are a warning."""


def content_findings(
    facts: Facts, lengths: Lengths | None, *, longest_allowed: int | None
) -> list[Finding]:
    """Return what is wrong with rows and texts, in no order."""
    found = [
        *_bad_rows(facts),
        *_cut_off(facts),
        *_empty(facts),
        *_short(facts),
        *_html(facts),
    ]
    return found if lengths is None else [*found, *_truncation(lengths, longest_allowed)]


def _bad_rows(facts: Facts) -> Iterator[Finding]:
    bad = [row for row in facts.rejected if row not in facts.without_text]
    if not bad:
        return
    reasons = Counter(row.reason for row in bad).most_common(EXAMPLES)
    told = "; ".join(f"{reason} ({count(rows)})" for reason, rows in reasons)
    more = "; …" if len(Counter(row.reason for row in bad)) > EXAMPLES else ""
    yield Finding(
        "bad_rows",
        "error",
        len(bad),
        f"{rows_of(len(bad))} cannot be read: {told}{more}.",
        "Mend them, or train without them: --on-bad-rows skip.",
        _rejected_examples(bad, facts),
    )


def _cut_off(facts: Facts) -> Iterator[Finding]:
    """Return files whose last row cannot be taken apart, as after a broken download."""
    last: dict[str, int] = {}
    for table in facts.corpus.tables:
        last[table.source] = max(last.get(table.source, 0), *table.lines, 0)
    for row in facts.rejected:
        last[row.source] = max(last.get(row.source, 0), row.line)
    for row in facts.rejected:
        if row.column is None and row.line == last[row.source]:
            yield Finding(
                "cut_off",
                "error",
                1,
                f"The last row of {row.source} is broken: the file may have been cut off.",
                "Fetch or export the file again.",
                _rejected_examples([row], facts),
            )


def _empty(facts: Facts) -> Iterator[Finding]:
    rejected, rows = facts.without_text, facts.empty
    if not rejected and not rows:
        return
    examples = [*_rejected_examples(rejected, facts), *map(facts.corpus.example, rows[:EXAMPLES])]
    number = len(rejected) + len(rows)
    yield Finding(
        "empty",
        "error" if rejected else "warning",
        number,
        f"{rows_of(number)} {have(number)} no text"
        + (" (nothing but markup or invisible characters)." if not rejected else "."),
        "Remove such rows; textlora inspect --fix does so in copies of the files.",
        tuple(examples[:EXAMPLES]),
    )


def _short(facts: Facts) -> Iterator[Finding]:
    empty = set(facts.empty)
    rows = [
        row for row, words in enumerate(facts.word_counts) if words < FEW_WORDS and row not in empty
    ]
    if not rows:
        return
    share = len(rows) / len(facts.corpus)
    yield Finding(
        "short",
        "warning" if share >= _MANY else "note",
        len(rows),
        f"{texts_of(len(rows))} {have(len(rows))} fewer than {FEW_WORDS} words ({percent(share)}).",
        "See whether a person could tell the class from so little; if not, remove them.",
        tuple(map(facts.corpus.example, rows[:EXAMPLES])),
    )


def _html(facts: Facts) -> Iterator[Finding]:
    if not facts.html:
        return
    share = len(facts.html) / len(facts.corpus)
    yield Finding(
        "html",
        "warning" if share >= _MANY else "note",
        len(facts.html),
        f"{texts_of(len(facts.html))} {have(len(facts.html))} HTML in "
        f"{'it' if len(facts.html) == 1 else 'them'} ({percent(share)}).",
        "Train without it: --set data.strip_html=true.",
        tuple(map(facts.corpus.example, facts.html[:EXAMPLES])),
    )


def _truncation(lengths: Lengths, longest_allowed: int | None) -> Iterator[Finding]:
    loss = lengths.chosen
    if not lengths.truncated:
        return
    better = [
        other
        for other in lengths.losses
        if other.max_length > lengths.max_length
        and (longest_allowed is None or other.max_length <= longest_allowed)
    ]
    remedy = "Choose what is kept with data.truncation_side, or read it all in windows with "
    remedy += "--set data.long_texts=windows."
    if better:
        best = better[-1]
        remedy = (
            f"--set data.max_length={best.max_length} would cut off {percent(best.token_share)}; "
            "training takes longer."
        )
    yield Finding(
        "truncation",
        "warning" if loss.token_share >= _MUCH_LOST else "note",
        lengths.truncated,
        f"{texts_of(lengths.truncated)} {_are(lengths.truncated)} longer "
        f"than {lengths.max_length} tokens ({percent(lengths.truncated / lengths.rows)}); "
        f"{percent(loss.token_share)} of all tokens are cut off.",
        remedy,
    )


def _rejected_examples(rows: Sequence[RejectedRow], facts: Facts) -> tuple[Example, ...]:
    parts: Mapping[str, str] = {
        table.source: name
        for name, table in zip(facts.corpus.names, facts.corpus.tables, strict=True)
    }
    # Parts that were split off one file share its name: which one the row would be in is open.
    shared = {
        source
        for source, times in Counter(table.source for table in facts.corpus.tables).items()
        if times > 1
    }
    return tuple(
        Example(
            "" if row.source in shared else parts.get(row.source, ""),
            row.source,
            row.line,
            clipped(row.text),
            row.reason,
        )
        for row in rows[:EXAMPLES]
    )


def rows_of(number: int) -> str:
    """Return "1 row" or "12 rows"."""
    return f"{count(number)} row{'' if number == 1 else 's'}"


def texts_of(number: int) -> str:
    """Return "1 text" or "12 texts"."""
    return f"{count(number)} text{'' if number == 1 else 's'}"


def have(number: int) -> str:
    """Return "has" or "have"."""
    return "has" if number == 1 else "have"


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


def _leaks(facts: Facts, leaks: Leaks, kind: str) -> Iterator[Finding]:
    corpus = facts.corpus
    for (earlier, later), rows in leaks.items():
        name, judged = corpus.names[earlier], corpus.names[later]
        share = len(rows) / len(corpus.rows_of(later))
        seen = "seen in training" if name == TRAIN else "used for choices already"
        nearly = "nearly the same " if kind == "near_leakage" else ""
        much = share >= _MUCH_SHARED
        yield Finding(
            kind,
            "error" if much else "warning",
            len(rows),
            f"{rows_of(len(rows))} of {judged} ({percent(share)}) {_are(len(rows))} "
            f"{nearly}in {name}, too: {seen}, so the figures on {judged} come out "
            f"{'' if much else 'a little '}too good.",
            _leak_remedy(kind, name, judged),
            tuple(_pair(facts, row, copy) for row, copy in list(rows.items())[:EXAMPLES]),
        )


def _leak_remedy(kind: str, earlier: str, later: str) -> str:
    if kind == "leakage" and {earlier, later} <= {TRAIN, VALIDATION, TEST}:
        return f"Train with --drop-leaks: it leaves such rows out of {earlier}. Or {_FIX}"
    return f"Remove such texts from {earlier}; {_FIX}"


def _repeats(
    facts: Facts, rows: Mapping[int, int], kind: str, will_be_split: bool
) -> Iterator[Finding]:
    corpus = facts.corpus
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
        yield Finding(
            kind,
            many if share >= _MANY_COPIES else "warning" if split else "note",
            len(members),
            f"{texts_of(len(members))} of {name} {_are(len(members))} {nearly}the same as one "
            f"before ({percent(share)}).{after}",
            _remedy(kind),
            tuple(_pair(facts, row, rows[row]) for row in members[:EXAMPLES]),
        )


def _remedy(kind: str) -> str:
    if kind == "duplicates":
        return f"Keep one of each; {_FIX}"
    return "Look at the pairs: keep one of each where they are the same text, edited."


def _conflicts(facts: Facts) -> Iterator[Finding]:
    groups = facts.conflicts
    if not groups:
        return
    corpus = facts.corpus
    rows = sum(len(group) for group in groups)
    share = rows / len(corpus)
    yield Finding(
        "conflicts",
        "error" if share >= _MANY_COPIES else "warning",
        rows,
        f"{texts_of(len(groups))} {have(len(groups))} different labels "
        f"in different rows ({count(rows)} rows).",
        "Give each text one label, or remove its rows; textlora inspect --fix removes them.",
        tuple(_conflict(facts, sorted(group)) for group in groups[:EXAMPLES]),
    )


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
