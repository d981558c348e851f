"""The trainers that `train.py` compares; each lives in a process of its own.

Heavy modules are imported inside: the parent, which never computes, imports this file too.
"""

from __future__ import annotations

import gc
import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from measuring import memory, synchronize
from workload import LABELS, TRAIN_FILE, read_reviews, recipe_config

MEGA_BATCH = 50  # batches that transformers' sampler sorts by length together, at most


@dataclass(frozen=True)
class Job:
    """What every peer is told.

    Args:
        model: folder of the encoder.
        data: folder of the reviews.
        start: file with the weights that adapter and head start from.
        output: a folder for whatever a Trainer wants to write.
        batch_size: rows in a step.
        device: "cpu" or "cuda".
        threads: of torch.
        dropout: False for checks: every rate is 0.
        fp32: True for checks: everything is computed in fp32.
    """

    model: Path
    data: Path
    start: Path
    output: Path
    batch_size: int
    device: str
    threads: int
    dropout: bool = True
    fp32: bool = False

    def settings(self, **compute: str) -> Any:
        """Return the recipe's settings for this job."""
        lora = {} if self.dropout else {"lora_dropout": 0.0}
        return recipe_config(
            self.model,
            self.data,
            data={"subset_eval": 8},  # nothing is validated here
            lora=lora,
            training={"per_device_train_batch_size": self.batch_size},
            compute=compute,
        )


class Peer:
    """A trainer that trains on the rows it is told, from the same weights every time."""

    count: int
    """Rows of the training file."""

    def __init__(self, job: Job) -> None:
        import torch
        from transformers.utils import logging

        torch.set_num_threads(job.threads)
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self.job = job
        self.imported = memory()["now"]
        self.model, self.description = self.build()
        self.loaded = memory()["now"]

    def build(self) -> tuple[Any, str]:
        """Return the model with its adapter, and a line on how it is computed."""
        raise NotImplementedError

    def trainer(self, rows: list[int], seed: int) -> Any:
        """Return a Trainer over these rows, in this order."""
        raise NotImplementedError

    def tokens(self, row: int) -> list[int]:
        """Return the token ids of a row."""
        raise NotImplementedError

    def order(self, rows: list[int], seed: int) -> list[int]:
        """Return the rows in the order in which this peer takes them."""
        return rows

    def facts(self) -> dict[str, Any]:
        """Return what is computed how, on which tokens."""
        ids = [np.array(self.tokens(row), np.int32) for row in range(self.count)]
        return {
            "description": self.description,
            "lengths": [len(row) for row in ids],
            "tokens": hashlib.sha256(np.concatenate(ids).tobytes()).hexdigest(),
            "trained": sum(p.numel() for p in self.model.parameters() if p.requires_grad),
        }

    def train(self, rows: list[int], seed: int, log_steps: bool = False) -> dict[str, Any]:
        """Train one pass over the rows and return its seconds and mean loss.

        Args:
            rows: numbers of rows in the training file.
            seed: of dropout.
            log_steps: whether loss and gradient norm of every step are wanted.
        """
        from transformers import set_seed
        from transformers.trainer_callback import PrinterCallback

        self.reset()
        trainer = self.trainer(self.order(rows, seed), seed)
        trainer.remove_callback(PrinterCallback)
        if log_steps:
            trainer.args.logging_steps = 1
        set_seed(seed)
        gc.collect()
        synchronize(self.job.device)
        started = time.perf_counter()
        result = trainer.train()
        synchronize(self.job.device)
        seconds = time.perf_counter() - started
        steps = [entry for entry in trainer.state.log_history if "loss" in entry]
        return {
            "seconds": seconds,
            "loss": result.training_loss,
            "steps": trainer.state.global_step,
            "losses": [entry["loss"] for entry in steps],
            "norms": [entry.get("grad_norm") for entry in steps],
        }

    def reset(self) -> None:
        """Put adapter and head back to where every peer starts."""
        from peft import set_peft_model_state_dict
        from safetensors.torch import load_file

        set_peft_model_state_dict(self.model, load_file(self.job.start))

    def memory(self) -> dict[str, int]:
        """Return the peak, what it grew by while training, and a GPU's peak, in bytes."""
        import torch

        peak = memory()["peak"]
        values = {"peak": peak, "growth": peak - self.loaded, "imports": self.imported}
        if self.job.device == "cuda":
            values["gpu_peak"] = torch.cuda.max_memory_allocated()
        return values


class PlainPeer(Peer):
    """What a user of Transformers and PEFT writes: Trainer, dynamic padding.

    Args:
        job: what every peer is told.
        best: bf16 autocast, and batches of rows of similar length.
    """

    def __init__(self, job: Job, best: bool) -> None:
        self.best = best
        super().__init__(job)

    def build(self) -> tuple[Any, str]:
        """Return the model with its adapter, and a line on how it is computed."""
        import datasets
        import torch
        from transformers import AutoTokenizer

        self.bf16 = self.best and not self.job.fp32
        self.tokenizer = AutoTokenizer.from_pretrained(self.job.model, truncation_side="left")
        reviews = read_reviews(self.job.data / TRAIN_FILE)
        encoded = self.tokenizer(reviews.texts, truncation=True, max_length=512)
        columns = {name: encoded[name] for name in ("input_ids", "attention_mask")}
        self.rows = datasets.Dataset.from_dict({**columns, "labels": reviews.labels})
        self.count = len(self.rows)
        model = plain_model(self.job)
        assert next(model.parameters()).dtype == torch.float32
        kind = "bf16 autocast, rows of similar length" if self.bf16 else "fp32"
        attention = model.get_base_model().config._attn_implementation
        return model, f"Trainer and PEFT, dynamic padding, {kind}, attention {attention}"

    def tokens(self, row: int) -> list[int]:
        """Return the token ids of a row."""
        return list(self.rows[row]["input_ids"])

    def order(self, rows: list[int], seed: int) -> list[int]:
        """Return the rows in the order in which this peer takes them.

        Grouped as `train_sampling_strategy="group_by_length"` does it in an epoch over the
        whole file. The sampler itself would sort within a quarter of these few rows, and
        the batches would be padded more than a real epoch's.
        """
        if not self.best or self.job.fp32:
            return rows
        import torch
        from transformers.trainer_pt_utils import get_length_grouped_indices

        lengths = [len(self.tokens(row)) for row in rows]
        together = min(self.count // (4 * self.job.batch_size), MEGA_BATCH)
        chosen = get_length_grouped_indices(
            lengths,
            self.job.batch_size,
            mega_batch_mult=max(together, 1),
            generator=torch.Generator().manual_seed(seed),
        )
        return [rows[index] for index in chosen]

    def trainer(self, rows: list[int], seed: int) -> Any:
        """Return a Trainer over these rows, in this order."""
        from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

        config = self.job.settings().training
        arguments = TrainingArguments(
            output_dir=str(self.job.output),
            num_train_epochs=1,
            per_device_train_batch_size=self.job.batch_size,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            lr_scheduler_type=config.lr_scheduler_type,
            logging_steps=config.logging_steps,
            bf16=self.bf16,
            use_cpu=self.job.device == "cpu",
            train_sampling_strategy="sequential",  # shuffled beforehand, the same for all
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=seed,
            dataloader_pin_memory=self.job.device != "cpu",
        )
        return Trainer(
            self.model,
            arguments,
            train_dataset=self.rows.select(rows),
            data_collator=DataCollatorWithPadding(self.tokenizer),
        )


class FastPeer(Peer):
    """textlora, as `textlora train` builds it.

    Args:
        job: what every peer is told.
        attention_dropout: "keep" or "off".
    """

    def __init__(self, job: Job, attention_dropout: str) -> None:
        self.attention_dropout = attention_dropout
        super().__init__(job)

    def build(self) -> tuple[Any, str]:
        """Return the model with its adapter, and a line on how it is computed."""
        from textlora.data.loading import load_parts
        from textlora.training.building import build_classifier, tokenize_parts

        self.config = self.job.settings(
            path="fast" if self.job.device == "cpu" else "auto",
            precision="fp32" if self.job.fp32 else "auto",
            attention_dropout=self.attention_dropout,
        )
        parts = load_parts(self.config.data)
        assert parts.labels.names == LABELS
        classifier = build_classifier(self.config, parts)
        self.predictor = classifier.predictor
        self.sequences = tokenize_parts(parts, self.predictor)["train"]
        self.targets = parts.train.targets
        self.count = len(self.targets)
        return self.predictor.model, f"textlora, {classifier.path_reason}"

    def tokens(self, row: int) -> list[int]:
        """Return the token ids of a row."""
        return list(self.sequences[row])

    def trainer(self, rows: list[int], seed: int) -> Any:
        """Return a Trainer over these rows, in this order."""
        from transformers.trainer_utils import IntervalStrategy, SaveStrategy

        from textlora.training.arguments import optimizer_of, training_arguments
        from textlora.training.trainer import ClassifierTrainer, LabelledSequences

        arguments = training_arguments(self.config.training, self.job.output)
        # The training loop alone: one pass, no evaluation, nothing saved, the given order.
        arguments.num_train_epochs = 1
        arguments.eval_strategy = IntervalStrategy.NO
        arguments.save_strategy = SaveStrategy.NO
        arguments.load_best_model_at_end = False
        arguments.train_sampling_strategy = "sequential"
        arguments.seed = seed
        dataset = LabelledSequences(
            [self.sequences[row] for row in rows], self.targets[rows], np.arange(len(rows) + 1)
        )
        return ClassifierTrainer(
            self.model,
            head=self.predictor.spec.head,
            forward=self.predictor.forward,
            window_pooling=self.predictor.spec.window_pooling,
            metrics=lambda targets, probabilities: {},
            args=arguments,
            train_dataset=dataset,
            eval_dataset=dataset,
            callbacks=[],
            optimizer=optimizer_of(self.config.training),
        )


PEERS: dict[str, tuple[type[Peer], Any]] = {
    "plain recipe": (PlainPeer, False),
    "plain at its best": (PlainPeer, True),
    "textlora fast": (FastPeer, "keep"),
    "textlora fast, attention dropout off": (FastPeer, "off"),
}


def make_peer(name: str, job: Job) -> Peer:
    """Return a peer by its name."""
    kind, option = PEERS[name]
    return kind(job, option)  # type: ignore[call-arg]


def plain_model(job: Job) -> Any:
    """Return the encoder with a fresh head and a fresh adapter, by PEFT alone."""
    import torch
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import AutoModelForSequenceClassification

    lora = job.settings().lora
    model = AutoModelForSequenceClassification.from_pretrained(
        job.model, num_labels=2, dtype=torch.float32
    )
    config = LoraConfig(
        task_type=TaskType.SEQ_CLS,
        r=lora.r,
        lora_alpha=lora.lora_alpha,
        lora_dropout=lora.lora_dropout,
        target_modules=["q_lin"],
    )
    return get_peft_model(model, config)


def write_start(job: Job) -> None:
    """Draw the weights that adapter and head of every peer start from."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file
    from transformers import set_seed

    set_seed(42)
    weights = get_peft_model_state_dict(plain_model(job), save_embedding_layers=False)
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, job.start)


def first_steps(name: str, job: Job, rows: list[int]) -> dict[str, dict[str, Any]]:
    """Train the first steps without dropout, in fp32 and in the peer's own precision.

    Args:
        name: the peer.
        job: with a model folder without dropout.
        rows: rows of these steps.

    Returns:
        Losses and gradient norms of the steps, under "fp32" and "own".
    """
    found: dict[str, dict[str, Any]] = {}
    for kind, fp32 in (("fp32", True), ("own", False)):
        if found and PEERS[name] == (PlainPeer, False):  # fp32 is its own
            return {**found, kind: found["fp32"]}
        peer = make_peer(name, replace(job, dropout=False, fp32=fp32))
        # The same batches for all: grouping would put other rows together.
        peer.order = lambda rows, seed: rows  # type: ignore[method-assign]
        found[kind] = peer.train(rows, 0, True)
    return found
