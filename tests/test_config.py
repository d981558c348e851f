"""Settings: typed, strict, and the same after a round trip through YAML."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from textlora.config import RunConfig, build_config, read_yaml, set_value, valid_keys
from textlora.errors import ConfigError


def assigned(*assignments: str) -> RunConfig:
    values: dict[str, Any] = {}
    for assignment in assignments:
        set_value(values, assignment)
    return build_config(values, origin="test")


def test_yaml_round_trip_keeps_every_value() -> None:
    config = assigned(
        "training.mixed_precision=no",
        "lora.layers=top:2",
        "lora.init_lora_weights=pissa",
        "data.label_names=['No', 'Yes']",
        "data.sample_texts=[{text: 'Ein schöner Film.', labels: [1, pos]}]",
    )
    assert build_config(yaml.safe_load(config.to_yaml()), origin="again") == config


@pytest.mark.parametrize(
    ("assignment", "section", "name", "value"),
    [
        ("training.learning_rate=1e-3", "training", "learning_rate", 0.001),
        ("training.mixed_precision=no", "training", "mixed_precision", "no"),
        ("lora.target_modules=[q, v]", "lora", "target_modules", ["q", "v"]),
        ("lora.layers=0-1", "lora", "layers", "0-1"),
        ("lora.layers=[0, 1]", "lora", "layers", [0, 1]),
        ("lora.init_lora_weights=true", "lora", "init_lora_weights", True),
        ("lora.init_lora_weights=gaussian", "lora", "init_lora_weights", "gaussian"),
        ("model.revision=1234567", "model", "revision", "1234567"),
        ("data.max_length=null", "data", "max_length", None),
        ("training.class_weight=balanced", "training", "class_weight", "balanced"),
        ("training.class_weight={1: 3}", "training", "class_weight", {"1": 3.0}),
        ("evaluation.costs={bad: {good: 4}}", "evaluation", "costs", {"bad": {"good": 4.0}}),
        ("evaluation.min_confidence=0.8", "evaluation", "min_confidence", 0.8),
        ("data.delimiter=;", "data", "delimiter", ";"),
        (" data.text_column=a=b", "data", "text_column", "a=b"),
    ],
)
def test_set_reads_values_as_yaml(assignment: str, section: str, name: str, value: object) -> None:
    assert getattr(getattr(assigned(assignment), section), name) == value


@pytest.mark.parametrize(
    ("assignment", "problem", "remedy"),
    [
        ("training.lerning_rate=1", "no such setting", "training.learning_rate?"),
        ("learning_rate=1", "no such setting", "training.learning_rate?"),
        ("train.seed=1", "no such setting", "training.seed?"),
        ("lora.r", "a value is missing", "section.key=value"),
        ("lora.r=[", "cannot be read", "Quote"),
        ("lora.r=many", "lora.r = 'many' is not valid", "Rank"),
        ("lora.r=0", "lora.r = 0 is not valid", "Rank"),
        ("training.optim=sgd", "training.optim = 'sgd'", "adamw"),
        ("data.subset=1.5", "data.subset = 1.5", "rows"),
        ("lora.target_modules=q", "lora.target_modules = 'q'", "names of the model"),
        ("data.sample_texts=[{txt: a}]", "data.sample_texts", "Texts shown"),
    ],
)
def test_a_wrong_assignment_is_named_with_what_is_near(
    assignment: str, problem: str, remedy: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        assigned(assignment)
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


def test_unknown_keys_of_a_file_name_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"mine: there is no setting 'lora\.rank'.*Did you mean"):
        build_config({"lora": {"rank": 4}}, origin="mine")
    with pytest.raises(ConfigError, match=r"there is no setting 'data\.sample_texts\.0\.txt'"):
        build_config({"data": {"sample_texts": [{"text": "a", "txt": 1}]}}, origin="mine")


def test_bce_needs_a_head_of_its_own() -> None:
    with pytest.raises(ConfigError, match=r"model\.loss=bce needs model\.head"):
        assigned("model.loss=bce", "model.head=auto", "model.pooling=cls")
    assert assigned("model.loss=bce", "model.head=linear").model.loss == "bce"


@pytest.mark.parametrize(
    ("content", "problem"),
    [("lora: [", "not valid YAML"), ("- a", "a mapping"), (b"\xff\xfe", "not valid YAML")],
)
def test_a_file_that_is_no_mapping_is_refused(
    tmp_path: Path, content: str | bytes, problem: str
) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=problem):
        read_yaml(path)


@pytest.mark.parametrize(
    ("assignments", "problem"),
    [
        (["model.head=auto", "model.pooling=cls", "model.loss=bce"], "model.loss=bce needs"),
        (["data.train_windows=true"], "train_windows needs"),
        (["model.head_init=logistic_regression", "model.pooling=cls"], "head_init=.* needs"),
        (["model.head_init=logistic_regression", "model.head=mlp"], "head_init=.* needs"),
        (["training.contrastive_weight=0.5", "model.head=mlp"], "contrastive_weight needs"),
    ],
)
def test_settings_that_do_not_go_together(assignments: list[str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        assigned(*assignments)


def test_every_setting_says_what_it_is() -> None:
    fields = RunConfig.model_fields
    for key in valid_keys():
        section, name = key.split(".")
        annotation: Any = fields[section].annotation
        assert annotation.model_fields[name].description, key


def test_the_settings_page_is_what_the_script_prints() -> None:
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, str(root / "scripts" / "settings_table.py")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (root / "docs" / "settings.md").read_text(encoding="utf-8")
