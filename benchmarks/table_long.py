"""Tables of long documents: questions of Banking77 among sentences of IMDb's unlabelled reviews.

What decides is a sentence or two of up to 1,000 words, at any place, at the front or at the end.
The filler of the test documents is of other reviews than that of the training documents.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from table_found import topic_questions
from table_rows import Sources, Split, seeded, sentences, take

MOST_TOPICS = 4
# Beyond 512 tokens, whatever the words are: a word is one token or more.
FILLER_WORDS = 600


def long_topics(sources: Sources, draw: int) -> Split:
    """Return 2,000 documents of 100 to 1,000 words with one to four topics each."""
    train, test = (
        _documents(sources, part, count, draw) for part, count in (("train", 2_000), ("test", 800))
    )
    return Split(train, test)


def headline_first(sources: Sources, draw: int) -> Split:
    """Return 1,000 documents that begin with their question, then 600 words of filler."""
    return _one_question(sources, draw, first=True)


def verdict_last(sources: Sources, draw: int) -> Split:
    """Return 1,000 documents of 600 words of filler that end with their question."""
    return _one_question(sources, draw, first=False)


def _one_question(sources: Sources, draw: int, *, first: bool) -> Split:
    parts = []
    for part in ("train", "test"):
        rows = take(topic_questions(sources, part), 1_000, draw)
        filler = _filler(sources, part, draw)
        texts = []
        for question in rows["text"]:
            body = " ".join(_words(filler, FILLER_WORDS))
            texts.append(f"{question} {body}" if first else f"{body} {question}")
        parts.append(rows.assign(text=texts))
    return Split(*parts)


def _documents(sources: Sources, part: str, count: int, draw: int) -> pd.DataFrame:
    """Put one to four questions of different topics at random places between filler."""
    random = seeded(part, draw)
    rows = topic_questions(sources, part)
    of_topic = {topic: group["text"].tolist() for topic, group in rows.groupby("label")}
    frequent = rows["label"].tolist()
    filler = _filler(sources, part, draw)
    texts, labels = [], []
    for _ in range(count):
        # Drawn as often as they are asked, so that the topics stay uneven.
        topics = {random.choice(frequent) for _ in range(random.randint(1, MOST_TOPICS))}
        length = round(100 * 10 ** random.random())
        questions = [random.choice(of_topic[topic]) for topic in sorted(topics)]
        body = list(_words(filler, length - sum(len(each.split()) for each in questions)))
        for question in questions:
            body.insert(random.randint(0, len(body)), question)
        texts.append(" ".join(body))
        labels.append(sorted(topics))
    return pd.DataFrame({"text": texts, "labels": labels})


def _filler(sources: Sources, part: str, draw: int) -> Iterator[str]:
    """Yield sentences for ever; training and test documents share no review."""
    rows = sources.reviews("unlabelled_24000")
    half = len(rows) // 2
    rows = rows.iloc[:half] if part == "train" else rows.iloc[half:]
    random = seeded("filler", part, draw)
    while True:
        yield from sentences(rows["text"].iloc[random.randrange(len(rows))], shortest=3)


def _words(filler: Iterator[str], count: int) -> Iterator[str]:
    """Yield sentences of so many words together; the last is cut, where it would be more."""
    while count > 0:
        words = next(filler).split()[:count]
        count -= len(words)
        yield " ".join(words)
