"""The benchmark's tables, made from a small folder of made sources."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import table_found as found
from table_data import TABLES, Table, chosen, facts
from table_long import FILLER_WORDS
from table_rows import Sources, Split, clean_split, labels_of, normalised, rare, sentences

INTENTS = (
    *("age_limit", "request_refund", "exchange_rate", "atm_support", "top_up_limits"),
    *("cancel_transfer", "change_pin", "getting_virtual_card", "declined_card_payment"),
    *("lost_or_stolen_card", "terminate_account", "card_arrival", "visa_or_mastercard"),
)
EMOTIONS = (["neutral"], ["anger"], ["joy"], *([name] for name in found.FREQUENT), ["joy", "anger"])
COPY = "Is this question in both files?"


def review(number: int, place: str) -> str:
    """Return a review of three sentences, two of which have five words or more."""
    first = f"In {place} we saw film number {number}.<br /><br />Bad?"
    return f"{first} I shall remember scene {number * 7} of {place} for long!"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    folder = tmp_path_factory.mktemp("sources")
    for part, count in (("train", 12), ("test", 3)):
        rows = [
            (f"{part} asks about {intent} for the {number}th time?", intent)
            for intent in INTENTS
            for number in range(count)
        ]
        frame = pd.DataFrame([*rows, (COPY, "age_limit")], columns=["text", "label"])
        frame.to_csv(folder / f"banking77_{part}.csv", index=False)
    for part, count in (("train_4000", 400), ("validation_1000", 100), ("test_2000", 200)):
        posts = [
            {
                "text": f"{part} has post {number} of them",
                "labels": EMOTIONS[number % len(EMOTIONS) if number % 3 else 0],
            }
            for number in range(count)
        ]
        file = folder / f"goemotions_{part}.jsonl"
        pd.DataFrame(posts).to_json(file, orient="records", lines=True)
    for part, count in (
        *(("train_1000", 120), ("validation_1000", 60), ("test_4000", 90)),
        ("unlabelled_24000", 40),
    ):
        texts = [review(number, part) for number in range(count)]
        labels = {} if "unlabelled" in part else {"label": [number % 2 for number in range(count)]}
        pd.DataFrame({"text": texts, **labels}).to_parquet(folder / f"imdb_{part}.parquet")
    return Sources(folder)


@pytest.fixture(scope="module")
def splits(sources: Sources) -> dict[str, Split]:
    return {name: table.split(sources, 1) for name, table in TABLES.items()}


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_every_table_can_be_trained_and_tested(table: Table, splits: dict[str, Split]) -> None:
    split = splits[table.name]
    counts = pd.Series(labels_of(split.train)).value_counts()
    assert len(counts) >= 2
    assert counts.min() >= 2
    assert set(labels_of(split.test)) <= set(counts.index)
    assert split.train["text"].str.strip().all()
    assert split.multi_label == (table.name in {"goemotions-4000", "long-topics"})


AS_PUBLISHED = {"banking77-3", "banking77-10", "banking77-all"}


@pytest.mark.parametrize("name", sorted(set(TABLES) - AS_PUBLISHED))
def test_no_text_is_in_both_parts(name: str, splits: dict[str, Split]) -> None:
    train, test = (
        set(normalised(part["text"])) for part in (splits[name].train, splits[name].test)
    )
    assert not train & test


def test_published_rows_stay_as_they_are(sources: Sources, splits: dict[str, Split]) -> None:
    pd.testing.assert_frame_equal(splits["banking77-all"].train, sources.banking("train"))
    for name in AS_PUBLISHED:
        pd.testing.assert_frame_equal(splits[name].test, sources.banking("test"))


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_a_draw_is_always_the_same_and_another_one_is_not(
    table: Table, sources: Sources, splits: dict[str, Split]
) -> None:
    again = table.split(sources, 1)
    pd.testing.assert_frame_equal(again.train, splits[table.name].train)
    pd.testing.assert_frame_equal(again.test, splits[table.name].test)
    other = table.split(sources, 2).train
    assert other.equals(again.train) == table.fixed


def test_files_hold_the_rows(tmp_path: Path, splits: dict[str, Split]) -> None:
    train, test = splits["tickets"].write(tmp_path / "one")
    read = pd.read_csv(train, keep_default_na=False)
    pd.testing.assert_frame_equal(read, splits["tickets"].train)
    assert len(pd.read_csv(test)) == len(splits["tickets"].test)
    several, _ = splits["long-topics"].write(tmp_path / "several")
    assert several.suffix == ".jsonl"
    pd.testing.assert_frame_equal(
        pd.read_json(several, lines=True), splits["long-topics"].train, check_dtype=False
    )


def test_few_rows_are_of_every_class(splits: dict[str, Split]) -> None:
    assert set(splits["banking77-10"].train["label"].value_counts()) == {10}
    assert set(splits["banking77-3"].train["label"].value_counts()) == {3}
    assert splits["imdb-100"].train["label"].value_counts().to_dict() == {0: 50, 1: 50}
    assert splits["imdb-20"].train["label"].value_counts().to_dict() == {0: 10, 1: 10}


def test_intents_have_one_topic_by_the_first_word_that_fits() -> None:
    expected = {
        "verify_my_identity": "identity",
        "wrong_exchange_rate_for_cash_withdrawal": "exchange",
        "top_up_by_cash_or_cheque": "cash",
        "topping_up_by_card": "top-up",
        "Refund_not_showing_up": "refund",
        "pin_blocked": "pin",
        "virtual_card_not_working": "virtual card",
        "card_not_working": "card payment",
        "card_about_to_expire": "new card",
    }
    assert {intent: found.topic_of(intent) for intent in expected} == expected


def test_emotions_are_regrouped(sources: Sources, splits: dict[str, Split]) -> None:
    original = sources.emotions("train_4000").set_index("text")["labels"]
    mixed = original[original.str.len() == 2]
    assert not mixed.empty  # joy and anger: of two sentiments
    sentiment = splits["goemotions-sentiment"].train.set_index("text")["label"]
    assert not set(mixed.index) & set(sentiment.index)
    assert set(sentiment[[name == ["joy"] for name in original[sentiment.index]]]) == {"positive"}
    single = splits["goemotions-single"].train.set_index("text")["label"]
    assert all([label] == original[text] for text, label in single.items())
    assert set(splits["goemotions-6"].train["label"]) <= set(found.FREQUENT)


def test_a_class_is_made_rare() -> None:
    rows = pd.DataFrame({"text": list("abcdefgh") * 20, "label": ["x", "y"] * 80})
    counts = rare(rows, "x", 20, 1)["label"].value_counts()
    assert counts.to_dict() == {"y": 80, "x": 4}


def test_copies_and_lonely_classes_go() -> None:
    train = pd.DataFrame({"text": ["A b!", "a b", "c", "d", "e"], "label": list("xxxyz")})
    test = pd.DataFrame({"text": ["C?", "f", "g"], "label": list("xxz")})
    more = pd.DataFrame({"text": ["h", "i"], "label": list("xy")})
    split = clean_split(pd.concat([train, more]), test)
    assert split.train.values.tolist() == [["A b!", "x"], ["d", "y"], ["h", "x"], ["i", "y"]]
    assert split.test.values.tolist() == [["C?", "x"], ["f", "x"]]


def test_sentences_of_a_review() -> None:
    text = "No.<br /><br />This is  one of them! And here is another one? Short."
    assert sentences(text) == ["This is one of them!", "And here is another one?"]


def test_a_sentence_keeps_the_label_of_its_review(
    sources: Sources, splits: dict[str, Split]
) -> None:
    label_of = {
        sentences(row.text)[-1]: row.label for row in sources.reviews("train_1000").itertuples()
    }
    rows = splits["review-sentences"].train
    assert [label_of[text] for text in rows["text"]] == rows["label"].tolist()


def test_long_documents_have_their_questions_where_they_are_meant(
    sources: Sources, splits: dict[str, Split]
) -> None:
    topics = found.topic_questions(sources, "train").set_index("text")["label"]

    def inside(text: str) -> list[str]:
        return [question for question in topics.index if question in text]

    for row in splits["headline-first"].train.itertuples():
        (question,) = inside(row.text)
        assert row.text.startswith(question)
        assert topics[question] == row.label
        assert len(row.text.split()) == FILLER_WORDS + len(question.split())
    for row in splits["verdict-last"].train.itertuples():
        (question,) = inside(row.text)
        assert row.text.endswith(question)
    for row in splits["long-topics"].train.head(200).itertuples():
        assert sorted(topics[question] for question in inside(row.text)) == row.labels
        assert 100 <= len(row.text.split()) <= 1_000


def test_made_tables_are_as_uneven_as_they_say(splits: dict[str, Split]) -> None:
    spam = splits["spam"].train["label"].value_counts(normalize=True)
    assert 0.004 < spam["spam"] < 0.04  # the made sources have few messages of the other kind
    tickets = splits["tickets"].train["label"].value_counts()
    assert tickets.max() / tickets.min() > 300
    catalogue = splits["catalogue-200"].train["label"].value_counts()
    assert len(catalogue) == 200


def test_facts_are_of_the_training_rows() -> None:
    train = pd.DataFrame({"text": ["a b", "c", "d e f"], "labels": [["x"], ["x", "y"], ["x"]]})
    assert facts(Split(train, train[:1])) == {
        "rows": "3",
        "test": "1",
        "classes": "2, several",
        "uneven": "1:3",
        "words": "1 to 3 (median 2)",
    }


def test_tables_are_asked_for_by_name() -> None:
    assert [table.name for table in chosen("spam,demo")] == ["spam", "demo"]
    assert len(chosen(None)) == len(TABLES)
    with pytest.raises(SystemExit, match="spamm: there is no such table"):
        chosen("spamm")


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"banking77_test\.csv is not there"):
        Sources(tmp_path).banking("test")
