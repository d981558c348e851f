"""Tables from Banking77, GoEmotions, IMDb and the demo's reviews, as published or regrouped.

Every function takes the sources and the number of the draw; those that do not draw have the
same rows every time.
"""

from __future__ import annotations

import pandas as pd
from table_rows import Sources, Split, clean_split, rare, sentences, take, take_each

from textlora.recipes import reviews_path

# The first topic with a word that is in the name of the intent.
TOPICS = {
    "identity": ("identity", "source_of_funds", "personal_details", "age_limit"),
    "refund": ("refund", "reverted_card", "charged_twice", "extra_charge"),
    "exchange": ("exchange", "fiat", "currenc"),
    "cash": ("cash", "atm_", "swallowed"),
    "top-up": ("top_up", "topping_up"),
    "transfer": ("transfer", "beneficiary", "receiving_money"),
    "pin": ("pin_", "_pin", "passcode"),
    "virtual card": ("virtual", "disposable"),
    "card payment": ("card_payment", "direct_debit", "not_working", "acceptance", "pay_or"),
    "lost or stolen": ("lost", "compromised"),
    "account": ("account", "country"),
    "new card": ("",),
}
SENTIMENTS = {
    "positive": "admiration amusement approval caring desire excitement gratitude joy love "
    "optimism pride relief",
    "negative": "anger annoyance disappointment disapproval disgust embarrassment fear grief "
    "nervousness remorse sadness",
    "ambiguous": "confusion curiosity realization surprise",
    "neutral": "neutral",
}
SENTIMENT_OF = {name: group for group, names in SENTIMENTS.items() for name in names.split()}
FREQUENT = ("admiration", "approval", "gratitude", "annoyance", "amusement", "curiosity")


def banking_few(sources: Sources, draw: int, count: int) -> Split:
    """Return so many rows of each of the 77 intents; the issue's rows are draw 1 of 10."""
    train = sources.banking("train").groupby("label").sample(count, random_state=draw)
    return Split(train.reset_index(drop=True), sources.banking("test"))


def banking_all(sources: Sources, draw: int) -> Split:
    """Return Banking77 as it was published."""
    return Split(sources.banking("train"), sources.banking("test"))


def topic_of(intent: str) -> str:
    """Return the coarse topic of one of the 77 intents."""
    name = intent.lower()
    return next(topic for topic, words in TOPICS.items() if any(word in name for word in words))


def topic_questions(sources: Sources, part: str) -> pd.DataFrame:
    """Return Banking77's questions with their coarse topics."""
    rows = sources.banking(part)
    return rows.assign(label=rows["label"].map(topic_of))


def banking_topics(sources: Sources, draw: int) -> Split:
    """Return 1,500 questions of twelve coarse topics, as uneven as the topics are."""
    train = take(topic_questions(sources, "train"), 1_500, draw)
    return clean_split(train, topic_questions(sources, "test"))


def emotions(sources: Sources, draw: int) -> Split:
    """Return GoEmotions' 4,000 rows, several labels per text."""
    return Split(sources.emotions("train_4000"), sources.emotions("test_2000"))


def single_emotions(sources: Sources, part: str) -> pd.DataFrame:
    """Return the rows that have one label."""
    rows = sources.emotions(part)
    rows = rows[rows["labels"].str.len() == 1]
    return pd.DataFrame({"text": rows["text"], "label": rows["labels"].str[0]})


def emotions_single(sources: Sources, draw: int) -> Split:
    """Return the texts with one emotion: up to 28 classes, one with a third of the rows."""
    train, test = (single_emotions(sources, part) for part in ("train_4000", "test_2000"))
    return clean_split(train, test)


def emotions_frequent(sources: Sources, draw: int) -> Split:
    """Return the texts whose one emotion is one of the six most frequent, neutral aside."""
    parts = (single_emotions(sources, part) for part in ("train_4000", "test_2000"))
    train, test = (rows[rows["label"].isin(FREQUENT)] for rows in parts)
    return clean_split(train, test)


def emotions_sentiment(sources: Sources, draw: int) -> Split:
    """Return the texts whose emotions are all of one of the four groups of GoEmotions."""
    parts = []
    for part in ("train_4000", "test_2000"):
        rows = sources.emotions(part)
        groups = rows["labels"].map(lambda names: {SENTIMENT_OF[name] for name in names})
        one = groups.str.len() == 1
        label = groups[one].map(lambda group: next(iter(group)))
        parts.append(pd.DataFrame({"text": rows["text"][one], "label": label}))
    return clean_split(*parts)


def emotions_anger(sources: Sources, draw: int) -> Split:
    """Return anger among neutral texts, 1 to 20; validation rows are test rows, too."""
    held_out = [single_emotions(sources, part) for part in ("validation_1000", "test_2000")]
    parts = []
    for rows in (single_emotions(sources, "train_4000"), pd.concat(held_out)):
        rows = rows[rows["label"].isin(["anger", "neutral"])]
        parts.append(rare(rows, "anger", 20, draw))
    return clean_split(*parts)


def reviews(sources: Sources, draw: int) -> Split:
    """Return 1,000 long reviews of two classes."""
    return Split(sources.reviews("train_1000"), sources.reviews("test_4000"))


def reviews_few(sources: Sources, draw: int, count: int) -> Split:
    """Return so many reviews, half of each class."""
    train = take_each(sources.reviews("train_1000"), count // 2, draw)
    return Split(take(train, count, draw), sources.reviews("test_4000"))


def reviews_uneven(sources: Sources, draw: int) -> Split:
    """Return reviews with 1 good one for 20 bad ones; validation rows are training rows."""
    train = pd.concat([sources.reviews("train_1000"), sources.reviews("validation_1000")])
    test = sources.reviews("test_4000")
    return clean_split(rare(train, 1, 20, draw), rare(test, 1, 20, draw))


def review_sentences(sources: Sources, draw: int) -> Split:
    """Return the last sentence of 5 to 30 words of each review, with the review's label."""
    parts = []
    for part in ("train_1000", "test_4000"):
        rows = sources.reviews(part)
        last = rows["text"].map(lambda text: next(reversed(sentences(text)), None))
        parts.append(rows.assign(text=last).dropna())
    return clean_split(parts[0], take(parts[1], 2_000, draw=1))


def fragments(sources: Sources, draw: int) -> Split:
    """Return four words in a row of a question, a post or a review: where are they from?

    20,000 training rows.
    """
    train = _fragments(sources, "train", ("train_4000", "validation_1000"), draw)
    test = _fragments(sources, "test", ("test_2000",), draw)
    clean = clean_split(train, take(test, 4_000, draw))
    return Split(take(clean.train, 20_000, draw), clean.test)


def _fragments(sources: Sources, part: str, posts: tuple[str, ...], draw: int) -> pd.DataFrame:
    films = {"train": ("train_1000", "validation_1000"), "test": ("test_4000",)}[part]
    reviews = pd.concat([sources.reviews(name) for name in films])["text"]
    texts = {
        "question": sources.banking(part)["text"],
        "post": pd.concat([sources.emotions(name) for name in posts])["text"],
        "review": reviews.map(sentences).explode().dropna(),
    }
    texts["review"] = texts["review"].sample(min(8_000, len(texts["review"])), random_state=draw)
    rows = [
        pd.DataFrame({"text": values.map(_middle), "label": label})
        for label, values in texts.items()
    ]
    return pd.concat(rows).dropna()


def _middle(text: str, count: int = 4) -> str | None:
    words = text.split()
    start = (len(words) - count) // 2
    return None if start < 0 else " ".join(words[start : start + count])


def demo(sources: Sources, draw: int) -> Split:
    """Return the short reviews that textlora's demo trains on."""
    return Split(*(pd.read_csv(reviews_path(part)) for part in ("train", "test")))
