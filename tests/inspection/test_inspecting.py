"""Seeded corruptions are found, and clean data give nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from inspection.support import sentences, table_of
from inspection.test_lengths import sequences
from textlora.config import DataConfig
from textlora.data.loading import parts_from_tables
from textlora.data.tables import RejectedRow, TextTable
from textlora.inspection import Inspection, inspect_parts, short_lines
from textlora.inspection.findings import KINDS, SEVERITIES, Estimate
from textlora.inspection.inspecting import describe, inspect_tables, measure_lengths

Tables = dict[str, TextTable]


@pytest.fixture
def clean() -> Tables:
    texts = sentences(320)
    return {
        "train": table_of(texts[:200]),
        "validation": table_of(texts[200:260], source="validation.csv"),
        "test": table_of(texts[260:], source="test.csv"),
    }


def found_in(tables: Tables, **options: bool) -> Inspection:
    return describe(inspect_tables(tables, **options))


def kinds(inspection: Inspection) -> dict[str, int]:
    return {finding.kind: finding.count for finding in inspection.findings}


def changed(table: TextTable, rows: dict[int, str]) -> TextTable:
    return replace(table, texts=[rows.get(row, text) for row, text in enumerate(table.texts)])


def relabelled(table: TextTable, rows: dict[int, str]) -> TextTable:
    labels = [rows.get(row, label) for row, label in enumerate(table.labels or [])]
    return replace(table, labels=labels)


def test_clean_data_have_no_finding(clean: Tables) -> None:
    inspection = found_in(clean)
    assert inspection.findings == ()
    assert short_lines(inspection) == []
    assert [(part.name, part.rows, part.words) for part in inspection.parts] == [
        ("train", 200, 30),
        ("validation", 60, 30),
        ("test", 60, 30),
    ]
    assert [(one.name, one.rows) for one in inspection.parts[0].classes] == [
        ("neg", 100),
        ("pos", 100),
    ]


def test_copies_across_parts(clean: Tables) -> None:
    test = clean["test"].texts
    clean["train"] = changed(clean["train"], {5: test[7], 9: test[11]})
    inspection = found_in(clean)
    assert kinds(inspection) == {"leakage": 2}
    (finding,) = inspection.findings
    assert finding.severity == "error"
    first = finding.examples[0]
    assert (first.part, first.source, first.line) == ("test", "test.csv", 9)
    assert "train, train.csv line 7" in first.note
    (line,) = short_lines(inspection)
    assert line == f"{finding.message} {finding.remedy}"
    assert "--drop-leaks" in line


def test_leaked_rows_are_counted_for_every_pair(clean: Tables) -> None:
    # Chat posts: a few short texts are a third of the test rows, and stand once in train.
    common = ["hi", "lol", "good morning", "thanks", "bye"]
    labels = ["neg", "pos"] * 30
    test = [*clean["test"].texts[:41], *(common * 4)[:19]]
    clean["train"] = changed(clean["train"], dict(enumerate(common)))
    clean["validation"] = changed(clean["validation"], {0: "hi", 1: "hi", 2: "lol"})
    clean["test"] = replace(clean["test"], texts=test, labels=labels)
    leaks = found_in(clean, near=False).of_kind("leakage")
    told = {finding.message.split(" too:")[0]: finding.count for finding in leaks}
    assert told == {
        "19 rows of test (31.7 %) are in train,": 19,
        "8 rows of test (13.3 %) are in validation,": 8,
        "3 rows of validation (5.0 %) are in train,": 3,
    }


def test_errors_come_first_then_warnings_then_notes(clean: Tables) -> None:
    texts = clean["train"].texts
    clean["train"] = changed(clean["train"], {3: "So so", 5: clean["test"].texts[7], 8: texts[9]})
    clean["train"] = relabelled(clean["train"], {8: "pos", **dict.fromkeys(range(10, 190), "pos")})
    clean["train"] = replace(
        clean["train"], rejected=[RejectedRow("train.csv", 9, None, "", "the quotes do not match")]
    )
    found = [finding.severity for finding in found_in(clean).findings]
    assert set(found) == set(SEVERITIES)
    assert found == sorted(found, key=SEVERITIES.index)


def test_near_copies_across_parts(clean: Tables) -> None:
    edited = clean["validation"].texts[3] + " Indeed."
    clean["train"] = changed(clean["train"], {5: edited})
    assert kinds(found_in(clean)) == {"near_leakage": 1}
    assert kinds(found_in(clean, near=False)) == {}


def test_copies_in_a_part(clean: Tables) -> None:
    texts = clean["train"].texts
    clean["train"] = changed(clean["train"], {row: texts[row - 100] for row in range(100, 106)})
    inspection = found_in(clean)
    assert kinds(inspection) == {"duplicates": 6}
    assert inspection.findings[0].severity == "warning"
    # A split keeps copies on one side.
    facts = inspect_tables({"train": clean["train"]})
    assert describe(facts, will_be_split=True).findings == describe(facts).findings


def test_near_copies_in_a_part(clean: Tables) -> None:
    texts = clean["train"].texts
    clean["train"] = changed(clean["train"], {50: texts[0].upper(), 60: texts[1] + " Indeed."})
    assert kinds(found_in(clean)) == {"near_duplicates": 2}
    facts = inspect_tables({"train": clean["train"]})
    (alone,) = describe(facts, will_be_split=True).findings
    assert alone.severity == "error"
    assert "split" in alone.message


def test_contradicting_labels(clean: Tables) -> None:
    texts = clean["train"].texts
    # Rows 0 and 101 have different labels, rows 2 and 102 have the same.
    clean["train"] = changed(clean["train"], {101: texts[0], 102: texts[2]})
    found = kinds(found_in(clean))
    assert found == {"conflicts": 2, "duplicates": 2}


def test_flipped_label_of_a_copy_in_test(clean: Tables) -> None:
    clean["train"] = changed(clean["train"], {5: clean["test"].texts[6]})
    inspection = found_in(clean)
    assert kinds(inspection) == {"conflicts": 2, "leakage": 1}
    (conflict,) = inspection.of_kind("conflicts")
    assert "labelled pos here and neg in test" in conflict.examples[0].note
    (leak,) = inspection.of_kind("leakage")
    assert leak.examples[0].note.endswith("with another label")


def test_html(clean: Tables) -> None:
    texts = clean["train"].texts
    clean["train"] = changed(
        clean["train"], {row: texts[row] + "<br />So &amp; so." for row in range(0, 60, 2)}
    )
    inspection = found_in(clean)
    assert kinds(inspection) == {"html": 30}
    assert inspection.findings[0].severity == "warning"
    assert "strip_html" in inspection.findings[0].remedy


def test_empty_and_short_texts(clean: Tables) -> None:
    clean["train"] = changed(clean["train"], {3: "<br />", 4: "\u200b", 8: "So so", 9: ":)"})
    clean["test"] = replace(
        clean["test"], rejected=[RejectedRow("test.csv", 90, "text", "", "the text is blank")]
    )
    found = kinds(found_in(clean))
    assert found == {"empty": 3, "short": 2, "html": 1}


def test_label_spellings(clean: Tables) -> None:
    clean["train"] = relabelled(clean["train"], {1: "Pos", 3: "POS.", 5: "Pos"})
    clean["test"] = relabelled(clean["test"], {0: "NEG"})
    inspection = found_in(clean)
    assert [(one.kind, one.count) for one in inspection.findings] == [
        ("label_spelling", 3),
        ("label_spelling", 1),
    ]
    assert "'pos' (157), 'Pos' (2), 'POS.' (1)" in inspection.findings[0].message
    # The classes are told as if they were spelled right.
    assert [one.name for one in inspection.parts[0].classes] == ["neg", "pos"]


def test_a_truncated_file(clean: Tables) -> None:
    last = RejectedRow("train.csv", 900, None, '"It was a', "a quote opens in this row and …")
    clean["train"] = replace(clean["train"], rejected=[last])
    inspection = found_in(clean)
    assert kinds(inspection) == {"bad_rows": 1, "cut_off": 1}
    assert "cut off" in inspection.of_kind("cut_off")[0].message
    earlier = replace(last, line=1)
    clean["train"] = replace(clean["train"], rejected=[earlier])
    assert kinds(found_in(clean)) == {"bad_rows": 1}


def test_imbalance_and_small_classes(clean: Tables) -> None:
    mostly = {row: "neg" for row in range(200) if row % 40 != 1}
    clean["train"] = relabelled(clean["train"], mostly)
    found = found_in(clean)
    assert kinds(found) == {"imbalance": 195, "small_class": 1}
    assert "97.5 %" in found.of_kind("imbalance")[0].message
    clean["train"] = relabelled(clean["train"], dict.fromkeys(range(2, 200), "neg"))
    assert found_in(clean).of_kind("small_class")[0].severity == "error"


def test_one_class(clean: Tables) -> None:
    clean["train"] = relabelled(clean["train"], dict.fromkeys(range(200), "neg"))
    assert kinds(found_in(clean)) == {"one_class": 200, "unknown_class": 30}


def test_classes_of_other_parts(clean: Tables) -> None:
    clean["test"] = relabelled(clean["test"], dict.fromkeys(range(0, 60, 2), "neutral"))
    found = kinds(found_in(clean))
    assert found == {"unknown_class": 30, "missing_class": 1}


def test_wrong_column(clean: Tables) -> None:
    ids = {row: f"id-{row}" for row in range(200)}
    assert "wrong_column" in kinds(found_in({"train": relabelled(clean["train"], ids)}))


def test_several_labels_a_text(clean: Tables) -> None:
    labels = [[("a",), ("a", "b"), (), ("b", "c"), ("B",)][row % 5] for row in range(200)]
    inspection = found_in({"train": replace(clean["train"], labels=labels)})
    assert kinds(inspection) == {"label_spelling": 40, "imbalance": 120}
    counts = {one.name: one.rows for one in inspection.parts[0].classes}
    assert counts == {"a": 80, "b": 120, "c": 40}


def test_parts_of_a_run_and_json(clean: Tables) -> None:
    clean["train"] = changed(clean["train"], {5: clean["test"].texts[7]})
    numbered = {
        name: replace(table, labels=[row % 2 for row in range(len(table))])
        for name, table in clean.items()
    }
    parts = parts_from_tables(*numbered.values(), DataConfig(label_names=["Bad", "Good"]))
    tokens = {name: sequences([40, 10] * 30, 20) for name in numbered}
    inspection = inspect_parts(parts, tokens, max_length=20, longest_allowed=512)
    assert [one.name for one in inspection.parts[0].classes] == ["Bad", "Good"]
    assert kinds(inspection) == {"leakage": 1, "truncation": 90}
    (cut,) = inspection.of_kind("truncation")
    assert "40.0 % of all tokens" in cut.message
    assert "data.max_length" not in cut.remedy  # no usual length is above 20 and cuts less
    assert len(short_lines(inspection)) == 2
    assert Inspection.from_dict(json.loads(json.dumps(inspection.to_dict()))) == inspection


def test_json_with_an_estimate(clean: Tables) -> None:
    estimate = Estimate(
        seconds=60.5,
        epoch_seconds=10,
        evaluation_seconds=2,
        prepare_seconds=0,
        final_seconds=3,
        epochs=3,
        tokens_per_second=1000,
        memory_bytes=10**9,
        gpu_memory_bytes=None,
        disk_bytes=10**7,
        steps=4,
        path="fast",
    )
    inspection = describe(inspect_tables(clean), estimate=estimate, left_out=["Nothing."])
    assert Inspection.from_dict(json.loads(json.dumps(inspection.to_dict()))) == inspection


@pytest.mark.parametrize(("allowed", "proposed"), [(512, 512), (256, 256), (128, None)])
def test_a_longer_length_is_proposed(clean: Tables, allowed: int, proposed: int | None) -> None:
    lengths = measure_lengths({"train": sequences([600, 100], 128)}, 128)
    inspection = describe(inspect_tables(clean), lengths, longest_allowed=allowed)
    remedy = inspection.findings[0].remedy
    assert (f"data.max_length={proposed}" in remedy) == (proposed is not None)


def test_no_rows_at_all() -> None:
    inspection = found_in({"train": table_of([])})
    assert inspection.parts[0].rows == 0


def test_every_kind_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "inspect.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(KINDS)


def test_joined_labels_are_a_notice_where_training_takes_them(clean: Tables) -> None:
    topics = [f"{a}|{b}" for a in "abcdef" for b in "abcdef" if a < b]
    labels = {row: topics[row % len(topics)] for row in range(len(clean["train"]))}
    found = found_in({"train": relabelled(clean["train"], labels)}).of_kind("joined_labels")
    assert [one.severity for one in found] == ["warning"]
    assert "--label-separator '|'" in found[0].remedy
