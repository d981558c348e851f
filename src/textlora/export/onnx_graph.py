"""A merged classifier as an ONNX graph, in fp32 or with 8-bit weights."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from textlora.errors import MissingExtraError, ModelError
from textlora.export.portable import Portable, save_ready_tokenizer
from textlora.export.proof import Ids, Outputs
from textlora.model.heads import probabilities
from textlora.model.spec import ClassifierSpec

GRAPH_FILE = "model.onnx"
OPSET = 20
INPUTS = ("input_ids", "attention_mask")
OUTPUTS = ("logits", "probabilities")
_NOISY = ("torch.onnx", "onnxscript", "onnx_ir", "root")


def require_onnx() -> None:
    """Refuse where the packages of this export are missing.

    Raises:
        MissingExtraError: they are.
    """
    if any(find_spec(name) is None for name in ("onnx", "onnxruntime", "onnxscript")):
        raise MissingExtraError("An export to ONNX", "export")


def write_onnx(exported: Portable, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write `model.onnx`, a tokenizer that truncates and pads by itself, and the description.

    The graph takes `input_ids` and `attention_mask` [batch, length], int64, of any batch and
    length, and gives `logits` and `probabilities` [batch, classes].

    Raises:
        ModelError: the graph cannot be made, or is not valid.
    """
    _write_graph(_Answering(exported).eval(), tokenizer, folder / GRAPH_FILE)
    save_ready_tokenizer(tokenizer, exported.spec, folder)
    exported.spec.save(folder)


def quantize(folder: Path) -> None:
    """Make the weights of a folder's graph 8-bit integers, in place; activations at run time.

    Weights are scaled by output channel. They keep to 7 bits: on processors without VNNI the
    sums of full 8-bit products overflow (onnxruntime's own advice for AVX2 and AVX512).
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = folder / GRAPH_FILE
    smaller = folder / f"int8-{GRAPH_FILE}"
    with _quiet():
        quantize_dynamic(
            graph, smaller, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True
        )
    _check(smaller)
    smaller.replace(graph)


@dataclass(frozen=True)
class OnnxRunner:
    """A graph in onnxruntime."""

    session: Any
    spec: ClassifierSpec

    @classmethod
    def load(cls, folder: Path) -> OnnxRunner:
        """Load a folder that `write_onnx` wrote, with as many threads as torch has."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            folder / GRAPH_FILE, options, providers=["CPUExecutionProvider"]
        )
        return cls(session, ClassifierSpec.load(folder))

    def __call__(self, input_ids: Ids, attention_mask: Ids) -> Outputs:
        """Return logits and probabilities [batch, classes] of token ids [batch, length]."""
        given = dict(zip(INPUTS, (input_ids, attention_mask), strict=True))
        return Outputs(*self.session.run(list(OUTPUTS), given))


class _Answering(nn.Module):
    """A classifier that gives the probabilities beside the logits."""

    def __init__(self, exported: Portable) -> None:
        super().__init__()
        self.model = exported.model
        self.head, self.temperature = exported.spec.head, exported.spec.temperature

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and probabilities [batch, classes] of token ids [batch, length]."""
        logits = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits, probabilities(logits, self.head, self.temperature)


def _write_graph(model: nn.Module, tokenizer: PreTrainedTokenizerBase, file: Path) -> None:
    # Of two texts the second is padded, so that no step can do without the mask.
    batch = tokenizer(["an example of a text", "another"], padding=True, return_tensors="pt")
    sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    try:
        with torch.no_grad(), _quiet():
            torch.onnx.export(
                model,
                tuple(batch[name] for name in INPUTS),
                str(file),
                input_names=list(INPUTS),
                output_names=list(OUTPUTS),
                dynamic_shapes=(sizes, dict(sizes)),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
                external_data=False,
            )
    except (torch.onnx.OnnxExporterError, NotImplementedError) as error:
        first = str(error).strip().splitlines()[0]
        raise ModelError(
            f"This model cannot be exported to ONNX ({first}).", "Export it with --to merged."
        ) from error
    _strip(file)
    _check(file)


def _strip(file: Path) -> None:
    """Remove what the exporter noted for debugging.

    For every node that is the Python stack, with paths of this machine. The shapes of values
    between the nodes are of before it transposed weights: quantization stumbles over them.
    """
    import onnx

    model = onnx.load(file)
    graph = model.graph
    for entry in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        del entry.metadata_props[:]
        entry.doc_string = ""
    del graph.value_info[:]
    onnx.save(model, file)


def _check(file: Path) -> None:
    import onnx

    try:
        onnx.checker.check_model(str(file), full_check=True)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"The ONNX graph is not valid ({error}).") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress and its notes on other packages off the screen."""
    levels = {name: logging.getLogger(name).level for name in _NOISY}
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
