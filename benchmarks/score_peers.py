"""The programs that `score.py` compares: texts in, probabilities out, a process each.

Heavy modules are imported inside: a peer's memory holds what that peer needs.
"""

from __future__ import annotations

import hashlib
import importlib.util
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from measuring import memory
from workload import recipe_config

MAX_LENGTH = 512
Array = np.ndarray[Any, Any]
Options = dict[str, Any]


@dataclass(frozen=True)
class Files:
    """One classifier in every form that a peer reads.

    Args:
        run: textlora's run folder, or an adapter folder.
        folder: where the other forms are.
        threads: of every peer.
    """

    run: Path
    folder: Path
    threads: int

    @property
    def merged(self) -> Path:
        """The adapter merged into a plain Transformers classifier."""
        return self.folder / "merged"

    @property
    def onnx(self) -> Path:
        """The exported graph."""
        return self.folder / "model.onnx"

    @property
    def fused(self) -> Path:
        """The graph with ONNX Runtime's own attention and norm operators."""
        return self.folder / "fused.onnx"

    @property
    def int8(self) -> Path:
        """The fused graph with weights in int8 and activations quantized as they come."""
        return self.folder / "int8.onnx"

    def openvino(self, source: str) -> Path:
        """OpenVINO's form, converted from "onnx" or "torch"."""
        return self.folder / f"openvino-{source}.xml"


class Scorer:
    """A program that answers texts; the clock runs from texts to probabilities."""

    def __init__(self, files: Files, options: Options) -> None:
        self.files = files
        self.options = options
        self.imported = memory()["now"]
        self.load()
        self.loaded = memory()["now"]

    def load(self) -> None:
        """Load the classifier."""
        raise NotImplementedError

    def probabilities(self, texts: list[str]) -> Array:
        """Return [texts, classes]."""
        raise NotImplementedError

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Return the token ids of texts."""
        raise NotImplementedError

    def answer(self, texts: list[str]) -> dict[str, Any]:
        """Return the probabilities, and the seconds they took."""
        started = time.perf_counter()
        values = self.probabilities(texts)
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "probabilities": np.asarray(values, np.float64)}

    def tokens(self, texts: list[str]) -> dict[str, Any]:
        """Return the lengths of the tokenized texts, and a checksum of the tokens."""
        ids = [np.array(row, np.int32) for row in self.encode(texts)]
        digest = hashlib.sha256(np.concatenate(ids).tobytes()).hexdigest()
        return {"lengths": [len(row) for row in ids], "tokens": digest}

    def memory(self) -> dict[str, int]:
        """Return the peak, and what it grew by over the loaded model, in bytes."""
        peak = memory()["peak"]
        return {"peak": peak, "growth": peak - self.loaded, "imports": self.imported}


class PipelineScorer(Scorer):
    """`transformers.pipeline` on the merged classifier, fp32, batches of 16."""

    def load(self) -> None:
        """Load the classifier."""
        import torch
        from transformers import AutoTokenizer, pipeline

        torch.set_num_threads(self.files.threads)
        folder = str(self.files.merged)
        tokenizer = AutoTokenizer.from_pretrained(folder, truncation_side="left")
        self.pipe = pipeline(
            "text-classification",
            model=folder,
            tokenizer=tokenizer,
            batch_size=16,
            device="cpu",
            dtype=torch.float32,
        )

    def probabilities(self, texts: list[str]) -> Array:
        """Return [texts, classes]."""
        answers = self.pipe(texts, truncation=True, max_length=MAX_LENGTH, top_k=None)
        numbers = self.pipe.model.config.label2id
        rows = np.empty((len(texts), len(numbers)))
        for row, answer in zip(rows, answers, strict=True):
            for entry in answer:
                row[numbers[entry["label"]]] = entry["score"]
        return rows

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Return the token ids of texts."""
        encoded = self.pipe.tokenizer(texts, truncation=True, max_length=MAX_LENGTH)
        return list(encoded["input_ids"])


@dataclass(frozen=True)
class Batch:
    """Texts of similar length: their places, and their tokens padded to the longest."""

    places: list[int]
    ids: Array
    mask: Array


class SortedScorer(Scorer):
    """Tokenizes everything, sorts by length, and runs batches padded to their longest."""

    def load(self) -> None:
        """Load tokenizer and classifier."""
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(self.files.merged / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_LENGTH, direction="left")
        self.load_model()

    def load_model(self) -> None:
        """Load the classifier."""
        raise NotImplementedError

    def run(self, batches: list[Batch]) -> list[Array]:
        """Return the logits of each batch."""
        raise NotImplementedError

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Return the token ids of texts."""
        return [entry.ids for entry in self.tokenizer.encode_batch_fast(texts)]

    def probabilities(self, texts: list[str]) -> Array:
        """Return [texts, classes]."""
        batches = list(self.batches(self.encode(texts)))
        results = self.run(batches)
        logits = np.empty((len(texts), results[0].shape[1]), np.float32)
        for batch, values in zip(batches, results, strict=True):
            logits[batch.places] = values
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponents / exponents.sum(axis=1, keepdims=True)

    def batches(self, sequences: list[list[int]]) -> Sequence[Batch]:
        """Cut the sequences into batches, longest first."""
        order = sorted(range(len(sequences)), key=lambda place: -len(sequences[place]))
        found = []
        for start in range(0, len(order), self.options["batch"]):
            places = order[start : start + self.options["batch"]]
            ids = np.zeros((len(places), len(sequences[places[0]])), np.int64)
            mask = np.zeros_like(ids)
            for row, place in enumerate(places):
                ids[row, : len(sequences[place])] = sequences[place]
                mask[row, : len(sequences[place])] = 1
            found.append(Batch(places, ids, mask))
        return found


class TorchScorer(SortedScorer):
    """The merged classifier by torch, as sentence-transformers encodes."""

    def load_model(self) -> None:
        """Load the classifier."""
        import torch
        from transformers import AutoModelForSequenceClassification

        torch.set_num_threads(self.files.threads)
        self.model = AutoModelForSequenceClassification.from_pretrained(
            self.files.merged, dtype=torch.float32
        ).eval()

    def run(self, batches: list[Batch]) -> list[Array]:
        """Return the logits of each batch."""
        import torch

        results = []
        bf16 = self.options["precision"] == "bf16"
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            for batch in batches:
                ids, mask = torch.from_numpy(batch.ids), torch.from_numpy(batch.mask)
                logits = self.model(input_ids=ids, attention_mask=mask).logits
                results.append(logits.float().numpy())
        return results


class OnnxScorer(SortedScorer):
    """ONNX Runtime."""

    def load_model(self) -> None:
        """Load the classifier."""
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = self.files.threads
        settings.log_severity_level = 3
        graphs = {"fused": self.files.fused, "exported": self.files.onnx, "int8": self.files.int8}
        file = graphs[self.options["graph"]]
        self.session = onnxruntime.InferenceSession(
            str(file), settings, providers=["CPUExecutionProvider"]
        )

    def run(self, batches: list[Batch]) -> list[Array]:
        """Return the logits of each batch."""
        return [
            self.session.run(None, {"input_ids": batch.ids, "attention_mask": batch.mask})[0]
            for batch in batches
        ]


class OpenVinoScorer(SortedScorer):
    """OpenVINO: one request at a time, or several streams where its hint says so."""

    def load_model(self) -> None:
        """Load the classifier."""
        import openvino
        from openvino import properties
        from openvino.properties import hint

        core = openvino.Core()
        settings = {
            properties.inference_num_threads(): self.files.threads,
            hint.performance_mode(): getattr(hint.PerformanceMode, self.options["hint"]),
        }
        if self.options["precision"] == "fp32":
            settings[hint.inference_precision()] = openvino.Type.f32
        model = core.read_model(self.files.openvino(self.options["source"]))
        self.model = core.compile_model(model, "CPU", settings)
        self.queue = openvino.AsyncInferQueue(self.model)

    def run(self, batches: list[Batch]) -> list[Array]:
        """Return the logits of each batch."""
        results: dict[int, Array] = {}

        def keep(request: Any, number: int) -> None:
            results[number] = request.get_output_tensor(0).data.copy()

        self.queue.set_callback(keep)
        for number, batch in enumerate(batches):
            inputs = {"input_ids": batch.ids, "attention_mask": batch.mask}
            self.queue.start_async(inputs, number)
        self.queue.wait_all()
        return [results[number] for number in range(len(batches))]


class TextloraScorer(Scorer):
    """textlora's `Predictor`, with the adapter as it is."""

    def load(self) -> None:
        """Load the classifier."""
        import torch

        from textlora.config import ComputeConfig
        from textlora.inference.predictor import Predictor

        torch.set_num_threads(self.files.threads)
        precision = self.options["precision"]
        compute = ComputeConfig(path="fast", precision="auto" if precision == "bf16" else "fp32")
        self.predictor = Predictor.load(self.files.run, compute)

    def probabilities(self, texts: list[str]) -> Array:
        """Return [texts, classes]."""
        return self.predictor.predict_proba(texts)

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Return the token ids of texts."""
        sequences = self.predictor.sequences(texts)
        return [list(sequences[number]) for number in range(len(sequences))]


@dataclass(frozen=True)
class Entry:
    """A peer.

    Args:
        kind: its class.
        options: fixed ones.
        sweep: what is tried on a few reviews before, the best being kept.
        package: what has to be installed.
        family: "plain", "runtime" (ONNX Runtime and OpenVINO) or "textlora".
        exact: whether it computes in fp32 and so must give the pipeline's answers.
    """

    kind: type[Scorer]
    options: Options
    sweep: dict[str, tuple[Any, ...]]
    package: str
    family: str
    exact: bool

    @property
    def installed(self) -> bool:
        """Whether its package is there."""
        return importlib.util.find_spec(self.package) is not None


_BATCHES = {"batch": (8, 16, 32, 64)}
_ONNX = {**_BATCHES, "graph": ("fused", "exported")}
_INT8 = {**_BATCHES, "graph": ("int8",)}
_OPENVINO = {**_BATCHES, "source": ("onnx", "torch"), "hint": ("LATENCY", "THROUGHPUT")}


def _entry(
    kind: type[Scorer], precision: str, family: str, package: str = "torch", **more: Any
) -> Entry:
    options = {"precision": precision, **more.get("options", {})}
    return Entry(kind, options, more.get("sweep", {}), package, family, precision == "fp32")


PEERS: dict[str, Entry] = {
    "pipeline fp32": _entry(PipelineScorer, "fp32", "plain"),
    "torch fp32, sorted": _entry(TorchScorer, "fp32", "plain", options={"batch": 32}),
    "torch bf16, sorted": _entry(TorchScorer, "bf16", "plain", options={"batch": 32}),
    "onnxruntime fp32": _entry(OnnxScorer, "fp32", "runtime", "onnxruntime", sweep=_ONNX),
    "onnxruntime int8": _entry(OnnxScorer, "int8", "runtime", "onnxruntime", sweep=_INT8),
    "openvino fp32": _entry(OpenVinoScorer, "fp32", "runtime", "openvino", sweep=_OPENVINO),
    "openvino default": _entry(OpenVinoScorer, "default", "runtime", "openvino", sweep=_OPENVINO),
    "textlora": _entry(TextloraScorer, "bf16", "textlora"),
    "textlora fp32": _entry(TextloraScorer, "fp32", "textlora"),
}


def make_scorer(name: str, files: Files, options: Options) -> Scorer:
    """Return a peer by its name, with the options that the sweep chose."""
    entry = PEERS[name]
    return entry.kind(files, {**entry.options, **options})


# What is made before: each function runs once, in a process of its own.


def train_run(model: Path, data: Path, run: Path, rows: int | None) -> None:
    """Train the recipe for one epoch.

    Args:
        model: folder of the encoder.
        data: folder of the reviews.
        run: where the run goes.
        rows: train and validate on so few; None: on all.
    """
    from rich.console import Console

    from textlora.files import RunFolder
    from textlora.training.job import train

    config = recipe_config(
        model,
        data,
        data={"subset": rows, "subset_eval": rows},
        training={"num_train_epochs": 1},
    )
    train(config, RunFolder(run), console=Console(stderr=True), overwrite=True)


def fingerprint(run: Path) -> str:
    """Return a short checksum of a run's adapter, by which the other forms are kept."""
    from textlora.inference.predictor import adapter_folder

    weights = adapter_folder(run) / "adapter_model.safetensors"
    return hashlib.sha256(weights.read_bytes()).hexdigest()[:12]


def merge(files: Files) -> None:
    """Merge the adapter into a plain Transformers classifier.

    Raises:
        ValueError: the peers could not run this classifier, or not as it was trained.
    """
    from transformers import PreTrainedModel

    from textlora.config import ComputeConfig
    from textlora.inference.predictor import Predictor

    predictor = Predictor.load(files.run, ComputeConfig(path="plain"))
    spec = predictor.spec
    if (spec.max_length, spec.truncation_side, spec.strip_html) != (MAX_LENGTH, "left", False):
        raise ValueError("the run must have max_length 512, left truncation and no strip_html")
    merged: Any = predictor.model.merge_and_unload()  # type: ignore[operator]
    if not isinstance(merged, PreTrainedModel) or merged.config.model_type != "distilbert":
        raise ValueError("the run must be a DistilBERT with its own head, such as the recipe's")
    tokenizer = predictor.tokenizer
    tokenizer.truncation_side = "left"
    _whole(files.merged, lambda folder: (merged.save_pretrained(folder), folder)[1])
    tokenizer.save_pretrained(files.merged)


def export(files: Files, texts: list[str]) -> float:
    """Write the merged classifier as ONNX graphs, and check them on real texts.

    Returns:
        The largest difference of a logit from torch's.
    """
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(
        files.merged, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    tokenizer = AutoTokenizer.from_pretrained(files.merged)
    batch = tokenizer(texts, padding=True, truncation=True, max_length=64, return_tensors="pt")
    names = ("input_ids", "attention_mask")
    inputs = tuple(batch[name] for name in names)
    axes = {name: {0: "texts", 1: "tokens"} for name in names}
    _whole(
        files.onnx,
        lambda file: torch.onnx.export(
            model,
            inputs,
            str(file),
            input_names=list(names),
            output_names=["logits"],
            dynamic_axes={**axes, "logits": {0: "texts"}},
            opset_version=17,
            dynamo=False,  # the new exporter needs a package more
        ),
    )
    fuse(files, model.config)
    long = tokenizer(texts, padding=True, truncation=True, max_length=512, return_tensors="pt")
    with torch.inference_mode():
        expected = model(**{name: long[name] for name in names}).logits.numpy()
    return _largest_difference(files, {name: long[name].numpy() for name in names}, expected)


def fuse(files: Files, config: Any) -> None:
    """Write the graph with ONNX Runtime's own operators, and that in int8."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.optimizer import optimize_model

    graph = optimize_model(
        str(files.onnx), "bert", num_heads=config.n_heads, hidden_size=config.dim, opt_level=0
    )
    fused = graph.get_fused_operator_statistics()["Attention"]
    if fused != config.n_layers:
        raise ValueError(f"ONNX Runtime fused {fused} of {config.n_layers} attentions")
    _whole(files.fused, lambda file: graph.save_model_to_file(str(file)))
    _whole(
        files.int8,
        lambda file: quantize_dynamic(
            str(files.fused),
            str(file),
            weight_type=QuantType.QInt8,
            # Types do not pass through the fused operators by themselves.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        ),
    )


def convert(files: Files) -> None:
    """Write OpenVINO's forms, from the ONNX graph and from torch."""
    import openvino
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(
        files.merged, dtype=torch.float32
    ).eval()
    example = {name: torch.ones(2, 16, dtype=torch.long) for name in ("input_ids",)}
    example["attention_mask"] = torch.tensor([[1] * 16, [1] * 9 + [0] * 7])
    for source, converted in (
        ("onnx", openvino.convert_model(files.onnx)),
        ("torch", openvino.convert_model(model, example_input=example)),
    ):
        openvino.save_model(converted, files.openvino(source), compress_to_fp16=False)


def _largest_difference(files: Files, inputs: dict[str, Array], expected: Array) -> float:
    import onnxruntime

    found = 0.0
    for file in (files.onnx, files.fused):
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        logits = session.run(None, inputs)[0]
        found = max(found, float(np.abs(logits - expected).max()))
    return found


def _whole(target: Path, write: Callable[[Path], Any]) -> None:
    """Write a file or a folder under another name first, so that none is left half done."""
    temporary = target.with_name(f".{target.stem}-writing{target.suffix}")
    write(temporary)
    temporary.replace(target)
