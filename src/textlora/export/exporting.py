"""The export, from top to bottom: merge, write, load again, prove, and only then keep."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from textlora.config import ComputeConfig
from textlora.errors import RunError
from textlora.export import Target
from textlora.export.merged import MergedRunner, write_merged
from textlora.export.onnx_graph import OnnxRunner, quantize, require_onnx, write_onnx
from textlora.export.portable import Portable, portable
from textlora.export.proof import TOLERANCE, Proof, Reference, Runner, prove
from textlora.folders import is_free, whole_folder
from textlora.inference.finished import FinishedRun
from textlora.inference.predictor import Predictor, load_tokenizer
from textlora.run import RunFolder, write_json

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
        "proof": exported.proof.to_dict(),
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
