"""Made tables: rare spam, a catalogue of 200 kinds, and very uneven tickets.

Their words are shared between the classes, and some labels are wrong on purpose, in training
and in test rows alike: nothing can have them all right.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

import pandas as pd
from table_rows import Sources, Split, clean_split, seeded, take
from table_words import (
    ADDRESSEES,
    CLOSINGS,
    COLOURS,
    MAKERS,
    NOTICES,
    OBJECTS,
    OPENINGS,
    ROLES,
    SLOTS,
    SPAM,
    TICKETS,
)

WRONG_LABELS = 0.04
Row = tuple[str, str]


def spam(sources: Sources, draw: int) -> Split:
    """Return 4,000 messages of which 20 are spam.

    The others are Banking77's questions, GoEmotions' posts, and notices that share their words
    with spam.
    """
    parts = []
    for part, posts, count in (("train", "train_4000", 4_000), ("test", "test_2000", 4_000)):
        random = seeded("spam", part, draw)
        found = pd.concat([sources.banking(part), sources.emotions(posts)])[["text"]]
        honest = [*found["text"], *_distinct(partial(_fill, NOTICES), random, count // 4)]
        rare = _distinct(partial(_fill, SPAM), random, count // 200)
        rows = pd.DataFrame({"text": honest, "label": "other"})
        rows = take(rows, count - len(rare), draw)
        rows = pd.concat([rows, pd.DataFrame({"text": rare, "label": "spam"})])
        parts.append(take(rows, count, draw))
    return clean_split(*parts)


def catalogue(sources: Sources, draw: int) -> Split:
    """Return 4,000 titles of products of 200 kinds: forty things in five roles each."""
    random = seeded("catalogue", draw)
    kinds = [f"{name}: {role}" for name in OBJECTS for role in ROLES]
    train = [_title(kind, random) for kind in kinds for _ in range(20)]
    test = [_title(kind, random) for kind in kinds for _ in range(10)]
    return _noisy_split(train, test, random, draw)


def _title(kind: str, random: Random) -> Row:
    name, role = kind.split(": ")
    called = random.choice(OBJECTS[name])
    words = [random.choice(MAKERS), random.choice(ROLES[role]).format(called)]
    if random.random() < 0.5:
        words.insert(random.randint(0, 1), random.choice(COLOURS))
    if random.random() < 0.4:
        # Another thing is named, too.
        other = random.choice(OBJECTS[random.choice(list(OBJECTS))])
        words.append(random.choice(["not for {}", "also fits {}", "free {} sticker"]).format(other))
    words.append(
        random.choice([f"{random.randint(1, 40)} cm", f"pack of {random.randint(2, 9)}", ""])
    )
    return " ".join(words).strip(), kind


def tickets(sources: Sources, draw: int) -> Split:
    """Return 4,000 tickets of fourteen queues, from every third ticket to one in 500 of those."""
    random = seeded("tickets", draw)
    queues = list(TICKETS)
    # From the largest to 1/500 of it, in equal ratios; test rows: 20 a queue or more.
    share = [500 ** (-rank / (len(queues) - 1)) for rank in range(len(queues))]
    counts = [max(3, round(4_000 * each / sum(share))) for each in share]
    train: list[Row] = []
    test: list[Row] = []
    for queue, count in zip(queues, counts, strict=True):
        make = partial(_ticket, queue)
        made = _distinct(make, random, count + max(20, count // 4))
        train += [(text, queue) for text in made[:count]]
        test += [(text, queue) for text in made[count:]]
    return _noisy_split(train, test, random, draw)


def _ticket(queue: str, random: Random) -> str:
    parts = [_fill(TICKETS[queue], random)]
    if random.random() < 0.3:
        # An old matter of another queue, which is not what this one is about.
        old = _fill(TICKETS[random.choice(list(TICKETS))], random)
        parts.append(random.choice(["Solved since yesterday, thanks: ", "Unrelated: "]) + old)
        random.shuffle(parts)
    opening, closing = random.choice(OPENINGS), random.choice(CLOSINGS)
    addressee = random.choice(ADDRESSEES)
    return " ".join(" ".join([opening.format(addressee), *parts, closing]).split())


def _fill(templates: list[str], random: Random) -> str:
    """Return one of the templates with its slots filled."""
    text = random.choice(templates)
    while "{" in text:
        slot = text[text.index("{") + 1 : text.index("}")]
        filling = str(random.randint(2, 990)) if slot == "n" else random.choice(SLOTS[slot])
        text = text.replace(f"{{{slot}}}", filling, 1)
    return text


def _distinct(make: Callable[[Random], str], random: Random, count: int) -> list[str]:
    """Return so many different texts; fewer where the templates do not give as many."""
    made: dict[str, None] = {}
    for _ in range(50 * count):
        if len(made) == count:
            break
        made[make(random)] = None
    return list(made)


def _noisy_split(train: list[Row], test: list[Row], random: Random, draw: int) -> Split:
    parts = []
    for rows in (train, test):
        noisy = pd.DataFrame(_noisy(rows, random), columns=["text", "label"])
        parts.append(take(noisy, len(noisy), draw))
    return clean_split(*parts)


def _noisy(rows: list[Row], random: Random) -> list[Row]:
    """Give some rows the label of a row drawn at random, so that classes keep their sizes."""
    return [
        (text, random.choice(rows)[1] if random.random() < WRONG_LABELS else label)
        for text, label in rows
    ]
