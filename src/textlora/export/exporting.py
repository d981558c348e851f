"""The export, top to bottom: merge, write, load again, prove, only then keep; the proof shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Group
from rich.table import Table
from rich.text import Text
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModel, AutoModelForSequenceClassification, PreTrainedTokenizerBase

from textlora.config import ComputeConfig
from textlora.errors import RunError
from textlora.export import Target
from textlora.export.onnx_graph import OnnxRunner, quantize, require_onnx, write_onnx
from textlora.export.portable import Portable, own_cut, portable, save_tokenizer
from textlora.export.proof import TOLERANCE, Ids, Outputs, Proof, Reference, Runner, prove
from textlora.files import RunFolder, is_free, whole_folder, write_json
from textlora.inference.evaluating import FinishedRun
from textlora.inference.predictor import Predictor, load_tokenizer, probabilities_of
from textlora.model.heads import PooledClassifier
from textlora.model.spec import ClassifierSpec
from textlora.report.wording import count, percent, points, points_interval, size

HEAD_FILE = "head.safetensors"
_ENCODER = "encoder."


def write_merged(exported: Portable, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write model, tokenizer and description.

    A classifier that Transformers has no class for is its encoder, which `AutoModel` reads, and
    `head.safetensors` with `classifier.*` and, for an mlp head, `pre_classifier.*`.
    """
    model: Any = exported.model
    if isinstance(model, PooledClassifier):
        model.encoder.save_pretrained(folder)
        head = {
            name: weight.contiguous()
            for name, weight in model.state_dict().items()
            if not name.startswith(_ENCODER)
        }
        save_file(head, folder / HEAD_FILE, metadata={"format": "pt"})
    else:
        model.save_pretrained(folder)
    save_tokenizer(tokenizer, exported.spec, folder)
    exported.spec.save(folder)


@dataclass(frozen=True)
class MergedRunner:
    """A merged folder, loaded as its reader would."""

    model: nn.Module
    spec: ClassifierSpec

    @classmethod
    def load(cls, folder: Path) -> MergedRunner:
        """Load a folder that `write_merged` wrote."""
        spec = ClassifierSpec.load(folder)
        known: dict[str, Any] = {"local_files_only": True, "use_safetensors": True}
        if not (folder / HEAD_FILE).is_file():
            own = AutoModelForSequenceClassification.from_pretrained(folder, **known)
            return cls(own.eval(), spec)
        pooled = PooledClassifier(AutoModel.from_pretrained(folder, **known), spec.head)
        rest = pooled.load_state_dict(load_file(folder / HEAD_FILE), strict=False)
        missing = [name for name in rest.missing_keys if not name.startswith(_ENCODER)]
        if missing or rest.unexpected_keys:
            raise ValueError(f"{HEAD_FILE} does not fit: {missing + rest.unexpected_keys}")
        return cls(pooled.eval(), spec)

    @torch.inference_mode()
    def __call__(self, input_ids: Ids, attention_mask: Ids) -> Outputs:
        """Return logits and probabilities [batch, classes] of token ids [batch, length]."""
        tensors = (torch.from_numpy(np.asarray(each)) for each in (input_ids, attention_mask))
        ids, mask = tensors
        logits = self.model(input_ids=ids, attention_mask=mask).logits.float().numpy()
        return Outputs(logits, probabilities_of(logits, self.spec))


RECORD_FILE = "export.json"
FORMAT = 1
_WEIGHTS = ("*.safetensors", "*.onnx")
_PACKAGES = ("textlora", "torch", "transformers", "peft")
_ONNX_PACKAGES = ("onnx", "onnxruntime", "onnxscript")


@dataclass(frozen=True)
class Exported:
    """A finished export.

    Args:
        folder: where it is.
        target: what it is.
        plain: merged: whether Transformers has a class for the classifier.
        proof: what the round trip showed.
    """

    folder: Path
    target: Target
    plain: bool
    proof: Proof


def export_run(
    path: Path,
    target: Target,
    out: Path | None = None,
    *,
    texts: int = 200,
    overwrite: bool = False,
) -> Exported:
    """Export a finished run; the folder is complete and proven, or it is not there.

    Args:
        path: the run's folder.
        target: "merged", "onnx" or "onnx-int8".
        out: the new folder; None: RUN/exports/TARGET.
        texts: how many of the run's own texts the round trip takes.
        overwrite: whether an earlier export in that folder may be replaced.

    Raises:
        RunError: the run is missing or unfinished, or the folder is in use.
        MissingExtraError: packages for ONNX are missing.
        ModelError: it cannot be exported, or does not answer as the run does.
        StorageError: the folder cannot be written.
    """
    if target != "merged":
        require_onnx()
    folder = out if out is not None else RunFolder(path).exports / target
    _check_free(folder, overwrite)
    run = FinishedRun.read(path)
    reference = Reference.of(run, Predictor.load(path, ComputeConfig(precision="fp32")), texts)
    # Loaded anew: merging is done in place, and the fast path has weights of its own.
    plain = ComputeConfig(precision="fp32", path="plain")
    merged = portable(Predictor.load(path, plain))
    with whole_folder(folder, "writing the export", replaced=overwrite) as temporary:
        runner = _write(merged, target, RunFolder(path).adapter, temporary)
        size = sum(file.stat().st_size for kind in _WEIGHTS for file in temporary.glob(kind))
        tolerance = None if target == "onnx-int8" else TOLERANCE
        proof = prove(runner, temporary, reference, tolerance, size)
        exported = Exported(folder, target, merged.is_plain, proof)
        write_json(temporary / RECORD_FILE, record(exported))
    return exported


def record(exported: Exported) -> dict[str, object]:
    """Return what `export.json` holds."""
    merged = exported.target == "merged"
    packages = _PACKAGES if merged else _PACKAGES + _ONNX_PACKAGES
    return {
        "format": FORMAT,
        "to": exported.target,
        **({"transformers_class": exported.plain} if merged else {}),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in packages},
        "proof": asdict(exported.proof),
    }


def _write(merged: Portable, target: Target, adapter: Path, folder: Path) -> Runner:
    """Write what was asked for and load it again from its files."""
    tokenizer = load_tokenizer(adapter)
    # The base is in the weights now; its name may be a path of this machine.
    named = Path(merged.spec.backbone.name_or_path).name
    backbone = replace(merged.spec.backbone, name_or_path=named)
    if merged.spec.backbone.is_local:
        merged = replace(merged, spec=replace(merged.spec, backbone=backbone))
    if target == "merged":
        write_merged(merged, tokenizer, folder)
        return MergedRunner.load(folder)
    write_onnx(merged, tokenizer, folder)
    if target == "onnx-int8":
        quantize(folder)
    return OnnxRunner.load(folder)


def _check_free(folder: Path, overwrite: bool) -> None:
    if (folder / RECORD_FILE).is_file():
        if not overwrite:
            raise RunError(
                f"{folder}: there is an export in this folder.",
                "Replace it with --overwrite, or choose another folder with --out.",
            )
    elif not is_free(folder):
        raise RunError(f"{folder}: this is no earlier export.", "Choose another folder with --out.")


def export_table(exported: Exported) -> Group:
    """Return run and export side by side, on the texts of the proof."""
    proof = exported.proof
    texts = f"{count(proof.texts)} {proof.part} texts"
    table = Table(title=f"The same {texts}", title_justify="left", header_style="dim")
    table.add_column("")
    for name in ("run (fp32)", exported.target):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row("Accuracy", percent(proof.reference_accuracy), percent(proof.accuracy))
    table.add_row("Answers that differ", "", f"{count(proof.different_answers)} of {proof.texts:,}")
    table.add_row("Largest difference of a probability", "", f"{proof.largest_difference:.2g}")
    table.add_row("Weights", size(proof.reference_size_bytes), size(proof.size_bytes))
    speeds = (proof.reference_milliseconds, proof.milliseconds)
    threads = f"{proof.threads} thread{'s' if proof.threads > 1 else ''}"
    table.add_row(f"One text, median, {threads}", *(f"{value:.1f} ms" for value in speeds))
    return Group(table, Text(drop_in_words(proof)))


def drop_in_words(proof: Proof) -> str:
    """Return what the export costs in accuracy, and what the proof asked for."""
    if proof.tolerance is not None:
        return f"Proven: no probability is off by more than {proof.tolerance:g}."
    lost = f"Accuracy drop {points(proof.drop)} points ({points_interval(proof.drop_interval)})"
    return f"{lost}. 8-bit weights are allowed to answer otherwise: judge by these figures."


def notes(exported: Exported, spec: ClassifierSpec) -> Iterator[str]:
    """Yield what a reader of the folder has to do himself.

    Args:
        exported: the export.
        spec: of the run.
    """
    if exported.target == "merged" and not exported.plain:
        yield (
            f"Transformers has no class for the {spec.head.kind} head on the {spec.head.pooling} "
            "state of this encoder: the folder is the encoder, with the head beside it. The lines "
            "that load it are in docs/export.md."
        )
    if spec.strip_html:
        yield "The run removes HTML from texts: do so before you hand them to the export."
    if not own_cut(spec):
        yield (
            f"The run's long texts are {spec.cut_in_words}. The exported tokenizer truncates on "
            "the right instead; the proof cut them as the run does."
        )
    if spec.decision.thresholds or spec.decision.costs or spec.decision.min_confidence:
        yield "The run answers by a rule, not by the highest probability: it is in textlora.json."
