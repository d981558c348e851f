"""Texts and labels: read, check, clean, split, label, tokenize.

Nothing here imports a model, torch, or a heavy reader before it is needed.
"""

from textlora.data.cleaning import strip_html
from textlora.data.labels import LabelSet, Targets
from textlora.data.loading import (
    Part,
    Parts,
    load_labelled,
    load_parts,
    load_texts,
    parts_from_tables,
)
from textlora.data.rows import MAX_TEXT_BYTES
from textlora.data.sources import read_table, table_from_python
from textlora.data.splitting import Split, random_subset, stratified_split
from textlora.data.tables import Label, ReadOptions, RejectedRow, TextTable, write_rejected
from textlora.data.tokenizing import TokenizedTexts, tokenize
from textlora.data.truncation import Truncation, Windows

__all__ = [
    "MAX_TEXT_BYTES",
    "Label",
    "LabelSet",
    "Part",
    "Parts",
    "ReadOptions",
    "RejectedRow",
    "Split",
    "Targets",
    "TextTable",
    "TokenizedTexts",
    "Truncation",
    "Windows",
    "load_labelled",
    "load_parts",
    "load_texts",
    "parts_from_tables",
    "random_subset",
    "read_table",
    "stratified_split",
    "strip_html",
    "table_from_python",
    "tokenize",
    "write_rejected",
]
