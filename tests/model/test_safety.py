"""A hostile adapter is refused with one clear message, and runs nothing.

Each is a good tiny adapter with one thing changed. "Nothing ran" means: a file that every payload
here would write is not there, and a control shows that each payload does write it when it is run.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from safetensors.torch import load_file, save_file

from support.adapters import save_served
from textlora.errors import ModelError
from textlora.inference.predictor import Predictor
from textlora.metrics.decisions import Decision
from textlora.model.adapters import load_adapter
from textlora.model.encoders import Backbone
from textlora.model.heads import HeadSpec
from textlora.model.safety import PeftSettings, check_adapter_folder
from textlora.model.spec import ClassifierSpec

CONFIG, SPEC, TOKENIZER = "adapter_config.json", "textlora.json", "tokenizer_config.json"
WEIGHTS = "adapter_model.safetensors"
MODULE = "a_hostile_module"
Q_LIN = "base_model.model.distilbert.transformer.layer.0.attention.q_lin"


@dataclass(frozen=True)
class Ran:
    """Payloads that leave a mark when they are run."""

    mark: Path

    def __bool__(self) -> bool:
        return self.mark.exists()

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)

    @property
    def source(self) -> str:
        """Python that does the same, and defines every class that is asked for."""
        return (
            f"import os\nos.makedirs({str(self.mark)!r}, exist_ok=True)\n"
            "def __getattr__(name):\n    return dict\n"
        )


Change = Callable[[Path, Ran], object]


@pytest.fixture(scope="module")
def original(tiny: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_served(tmp_path_factory.mktemp("adapters") / "good", tiny("distilbert"))


@pytest.fixture
def adapter(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "adapter"))


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """A mark that is not there yet, and a module on the path that would make it."""
    ran = Ran(tmp_path / "it-ran")
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / f"{MODULE}.py").write_text(ran.source)
    monkeypatch.syspath_prepend(str(modules))
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    return ran


def edited(file: str, **values: Any) -> Change:
    """A change of values at the top of a JSON file."""

    def change(folder: Path, ran: Ran) -> None:
        path = folder / file
        known = json.loads(path.read_text()) if path.is_file() else {}
        path.write_text(json.dumps({**known, **values}))

    return change


def spec_part(part: str, **values: Any) -> Change:
    """A change of values inside one part of textlora.json."""

    def change(folder: Path, ran: Ran) -> None:
        known = json.loads((folder / SPEC).read_text())[part]
        edited(SPEC, **{part: {**known, **values}})(folder, ran)

    return change


def tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Change:
    """A change of the tensors."""

    def apply(folder: Path, ran: Ran) -> None:
        values = load_file(folder / WEIGHTS)
        change(values)
        save_file(values, folder / WEIGHTS)

    return apply


def pickled(name: str) -> Change:
    """A pickle beside the weights."""

    def change(folder: Path, ran: Ran) -> None:
        (folder / name).write_bytes(pickle.dumps({"weight": ran}))

    return change


def pickled_instead(name: str) -> Change:
    """A pickle in place of the weights."""

    def change(folder: Path, ran: Ran) -> None:
        torch.save({"weight": ran}, folder / name)
        if name != WEIGHTS:
            (folder / WEIGHTS).unlink()

    return change


def linked(name: str) -> Change:
    """A file, or what is named, replaced by a link to one outside."""

    def change(folder: Path, ran: Ran) -> None:
        outside = folder.parent / "outside"
        outside.mkdir()
        if (folder / name).exists():
            shutil.move(folder / name, outside / name)
        (folder / name).symlink_to(outside / name)

    return change


def text(file: str, content: str) -> Change:
    return lambda folder, ran: (folder / file).write_text(content)


def own_tokenizer(folder: Path, ran: Ran) -> None:
    (folder / "tokenizing.py").write_text(ran.source)
    edited(TOKENIZER, auto_map={"AutoTokenizer": [None, "tokenizing.Own"]})(folder, ran)


def own_model_config(folder: Path, ran: Ran) -> None:
    auto_map = {"AutoConfig": "configuring.Own", "AutoTokenizer": "configuring.Own"}
    edited("config.json", auto_map=auto_map, model_type="own")(folder, ran)


def hollow(columns: int) -> Change:
    """A file of that many columns by its header; a sparse one takes no room on the disk."""

    def change(folder: Path, ran: Ran) -> None:
        size = 4 * 4 * columns
        entry = {"dtype": "F32", "shape": [4, columns], "data_offsets": [0, size]}
        header = json.dumps({f"{Q_LIN}.lora_A.weight": entry}).encode()
        with (folder / WEIGHTS).open("wb") as file:
            file.write(len(header).to_bytes(8, "little") + header)
            file.truncate(8 + len(header) + size)

    return change


def huge_header(folder: Path, ran: Ran) -> None:
    with (folder / WEIGHTS).open("wb") as file:
        file.write((2**25).to_bytes(8, "little"))
        file.truncate(2**26)


def nan(values: dict[str, torch.Tensor]) -> None:
    values[f"{Q_LIN}.lora_B.weight"][1, 2] = float("nan")


def infinite_head(values: dict[str, torch.Tensor]) -> None:
    values["base_model.model.classifier.bias"][0] = float("inf")


def without_head(values: dict[str, torch.Tensor]) -> None:
    for name in [name for name in values if "classifier" in name]:
        del values[name]


def wider(values: dict[str, torch.Tensor]) -> None:
    values[f"{Q_LIN}.lora_A.weight"] = torch.zeros(4, 5000)


def stranger(values: dict[str, torch.Tensor]) -> None:
    values["base_model.model.distilbert.none.weight"] = torch.zeros(2)


def typed(dtype: torch.dtype) -> Change:
    def change(values: dict[str, torch.Tensor]) -> None:
        name = f"{Q_LIN}.lora_A.weight"
        values[name] = values[name].to(dtype)

    return tensors(change)


ELSEWHERE = {"base_model_class": "Own", "parent_library": MODULE}
REFUSED: dict[str, tuple[Change, str]] = {
    # --- pickles and programs
    "pickled weights beside": (pickled("adapter_model.bin"), "can run code when it is loaded"),
    "a .pt file": (pickled("extra.pt"), "can run code when it is loaded"),
    "a .pkl file": (pickled("label_encoder.pkl"), "can run code when it is loaded"),
    "a pickle, in capitals": (pickled("MODEL.BIN"), "can run code when it is loaded"),
    "a pickle in a folder": (
        lambda folder, ran: ((folder / "more").mkdir(), pickled("more/optimizer.pt")(folder, ran)),
        "can run code when it is loaded",
    ),
    "pickled weights alone": (pickled_instead("adapter_model.bin"), "can run code"),
    "a pickle named as safetensors": (pickled_instead(WEIGHTS), "damaged"),
    "a program": (text("modeling.py", "import os"), "no code of its own"),
    # --- code by name
    "auto_mapping to a module": (edited(CONFIG, auto_mapping=ELSEWHERE), "'auto_mapping' is"),
    "auto_mapping, no mapping": (edited(CONFIG, auto_mapping="os.system"), "'auto_mapping' is"),
    "megatron_core": (
        edited(CONFIG, megatron_core=MODULE, megatron_config={"a": 1}),
        "'megatron_(core|config)' is",
    ),
    "trust_remote_code of the adapter": (
        edited(CONFIG, trust_remote_code=True),
        "'trust_remote_code' is not supported",
    ),
    "trust_remote_code of the classifier": (
        edited(SPEC, trust_remote_code=True),
        "'trust_remote_code' is unknown",
    ),
    "trust_remote_code of the base": (
        spec_part("backbone", trust_remote_code=True),
        "'backbone' is .*'trust_remote_code' is unknown",
    ),
    "trust_remote_code of the tokenizer": (
        edited(TOKENIZER, trust_remote_code=True),
        "'trust_remote_code' asks for code",
    ),
    "a tokenizer of its own": (own_tokenizer, "no code of its own|'auto_map' asks for code"),
    "auto_map of a tokenizer": (
        edited(TOKENIZER, auto_map={"AutoTokenizer": [None, f"{MODULE}.Own"]}),
        "'auto_map' asks for code",
    ),
    "auto_map of a model": (own_model_config, "'auto_map' asks for code"),
    "a class of no tokenizer": (edited(TOKENIZER, tokenizer_class="AutoModel"), "no tokenizer of"),
    "a foreign class": (edited(TOKENIZER, tokenizer_class=f"{MODULE}.Own"), "no tokenizer of"),
    "a class that is no name": (edited(TOKENIZER, tokenizer_class=["BertTokenizer"]), "no tokeniz"),
    # --- names that lead elsewhere
    "a base by traversal": (spec_part("backbone", name_or_path="../../base"), "'backbone' is"),
    "a base, hidden traversal": (spec_part("backbone", name_or_path="owner/.."), "'backbone' is"),
    "a base in the home folder": (spec_part("backbone", name_or_path="~/base"), "'backbone' is"),
    "a base on the network": (spec_part("backbone", name_or_path="//host/base"), "'backbone' is"),
    "a base by address": (spec_part("backbone", name_or_path="https://x.y/b"), "'backbone' is"),
    "a base with a zero byte": (spec_part("backbone", name_or_path="/a\0b"), "'backbone' is"),
    "a revision by traversal": (spec_part("backbone", revision="../../main"), "'backbone' is"),
    "traversal in PEFT's settings": (
        edited(CONFIG, base_model_name_or_path="../../../etc"),
        "'base_model_name_or_path' is",
    ),
    "traversal in PEFT's revision": (edited(CONFIG, revision="a/../../b"), "'revision' is"),
    "a vocabulary by traversal": (
        edited(TOKENIZER, vocab_file="../../secret.txt"),
        "'vocab_file' names a file elsewhere",
    ),
    "a vocabulary by its full path": (
        edited(TOKENIZER, vocab_file="/etc/passwd"),
        "'vocab_file' names a file elsewhere",
    ),
    "a model inside settings": (
        edited(TOKENIZER, sp_model_kwargs={"model_file": "/etc/passwd"}),
        "'model_file' names a file elsewhere",
    ),
    "a list of files": (
        edited(TOKENIZER, fast_tokenizer_files=["tokenizer.json", "../../t.json"]),
        "'fast_tokenizer_files' names a file elsewhere",
    ),
    # --- links
    "linked weights": (linked(WEIGHTS), "leads out of the adapter folder"),
    "linked settings": (linked(CONFIG), "leads out of the adapter folder"),
    "a linked description": (linked(SPEC), "leads out of the adapter folder"),
    "a linked tokenizer": (linked("tokenizer.json"), "leads out of the adapter folder"),
    "a link to nowhere": (linked("more"), "leads out of the adapter folder"),
    "links in a circle": (
        lambda folder, ran: (folder / "ring").symlink_to("ring"),
        "leads out of the adapter folder",
    ),
    "a pipe": (lambda folder, ran: os.mkfifo(folder / "pipe.json"), "not a plain file"),
    # --- sizes
    "a gigantic rank": (edited(CONFIG, r=2**40), "'r' is 1099511627776; it should be"),
    "a rank that the weights do not have": (edited(CONFIG, r=4096), "has rank 4, and .* 4096"),
    "a negative rank": (edited(CONFIG, r=-1), "'r' is -1"),
    "a rank that is true": (edited(CONFIG, r=True), "'r' is True"),
    "a gigantic rank of a module": (edited(CONFIG, rank_pattern={"q_lin": 2**40}), "'rank_pattern"),
    "replicated layers": (edited(CONFIG, layer_replication=[[0, 2]] * 9999), "'layer_replication'"),
    "steps without end": (edited(CONFIG, init_lora_weights="pissa_niter_99999"), "'init_lora"),
    "a hollow file": (hollow(2**27), "no weights for the head"),
    "a gigantic file": (hollow(2**34), "larger than 8 GiB"),
    "a gigantic header": (huge_header, "header is larger than 16 MiB"),
    "gigantic classes": (spec_part("head", num_labels=2**40), "'head' is"),
    "more classes than names": (spec_part("head", num_labels=99_999), "99,999 elsewhere"),
    "texts without end": (edited(SPEC, max_length=2**40), "'max_length' is"),
    "longer texts than the base takes": (edited(SPEC, max_length=5000), "takes 64 tokens"),
    "huge settings": (text(CONFIG, '{"a": "' + "x" * 9 * 2**20 + '"}'), "larger than 8 MiB"),
    "a huge description": (text(SPEC, '{"a": "' + "x" * 9 * 2**20 + '"}'), "larger than 8 MiB"),
    "deep settings": (text(CONFIG, "[" * 200_000), "cannot be read"),
    "a deep description": (text(SPEC, '{"a":' * 200_000), "cannot be read"),
    "settings that are no object": (text(CONFIG, "[]"), "no object at the top"),
    "numbers that are none": (text(CONFIG, '{"r": NaN}'), "NaN is no number"),
    # --- settings that PEFT knows and textlora does not
    "another method": (edited(CONFIG, peft_type="XLORA"), "'peft_type' is"),
    "another task": (edited(CONFIG, task_type="CAUSAL_LM"), "'task_type' is"),
    "an unknown setting": (edited(CONFIG, run_this="x"), "'run_this' is not supported"),
    "an initialisation with a pass": (edited(CONFIG, init_lora_weights="eva"), "'init_lora_w"),
    "a regular expression": (edited(CONFIG, target_modules="(a+)+$"), "'target_modules' is"),
    "an expression in a list": (edited(CONFIG, target_modules=["(a+)+$"]), "'target_modules' is"),
    "an expression as pattern": (edited(CONFIG, rank_pattern={"(a+)+$": 4}), "'rank_pattern' is"),
    "every module": (edited(CONFIG, modules_to_save=[""]), "'modules_to_save' is"),
    "an unknown module": (edited(CONFIG, target_modules=["q_lin", "qq"]), "'qq' is none of its"),
    "a temperature of 0": (edited(SPEC, temperature=0), "'temperature' is"),
    # --- weights
    "NaN": (tensors(nan), "q_lin.lora_B.weight' has values that are not finite"),
    "an infinite head": (tensors(infinite_head), "classifier.bias' has values that are not finite"),
    "no head": (tensors(without_head), "no weights for the head module"),
    "a wrong shape": (tensors(wider), r"does not fit this base model .*shape \(4, 5000\)"),
    "a stranger among the weights": (tensors(stranger), "is for none of its modules"),
    "64 bits": (typed(torch.float64), "is of type F64"),
    "whole numbers": (typed(torch.int8), "is of type I8"),
    "no weights": (lambda folder, ran: (folder / WEIGHTS).unlink(), "is missing"),
    "no settings": (lambda folder, ran: (folder / CONFIG).unlink(), "is missing"),
    "a tokenizer that is none": (text("tokenizer.json", '{"model": 1}'), "cannot be loaded"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_and_runs_nothing(
    what: str, adapter: Path, ran: Ran, cli: Callable[..., Any]
) -> None:
    change, problem = REFUSED[what]
    change(adapter, ran)
    with pytest.raises(ModelError, match=problem) as refused:
        Predictor.load(adapter)
    assert refused.value.remedy
    result = cli("predict", adapter, "a good film")
    assert (result.code, result.out) == (2, "")
    assert "Traceback" not in result.err
    assert "Error" in result.err
    assert not ran
    assert MODULE not in sys.modules


def test_the_payloads_run_where_they_are_let(adapter: Path, ran: Ran) -> None:
    """Without this the tests above could pass by a payload that does nothing."""
    pickled("extra.pkl")(adapter, ran)
    pickle.loads((adapter / "extra.pkl").read_bytes())
    assert ran
    ran.mark.rmdir()
    subprocess.run([sys.executable, "-c", ran.source], check=True)
    assert ran


def test_the_good_one_is_taken(adapter: Path, cli: Callable[..., Any]) -> None:
    checked = check_adapter_folder(adapter)
    assert checked.config["r"] == 4
    assert checked.tensors[f"{Q_LIN}.lora_A.weight"].shape == (4, 32)
    assert cli("predict", adapter, "a good film").code == 0


@pytest.mark.parametrize(
    "change",
    [
        edited(CONFIG, a_setting_of_next_year=None, another=False, more={}),
        edited(CONFIG, peft_version="0.19.0", qalora_group_size=32, megatron_core="megatron.core"),
        edited(CONFIG, base_model_name_or_path="owner/name", revision="refs/pr/7"),
        edited(CONFIG, rank_pattern={"q_lin": 4}, alpha_pattern={"v_lin": 16.0}),
        edited(TOKENIZER, tokenizer_class="PreTrainedTokenizerFast"),
        edited(TOKENIZER, tokenizer_file=None, trust_remote_code=False),
        lambda folder, ran: (folder / "copy.json").symlink_to("tokenizer.json"),
        text("notes.md", "of the author"),
    ],
)
def test_what_is_harmless_is_taken(change: Change, adapter: Path, ran: Ran) -> None:
    change(adapter, ran)
    assert Predictor.load(adapter).predict(["a good film"])


@pytest.mark.parametrize(
    "name",
    ["DistilBertTokenizer", "ElectraTokenizerFast", "DebertaV2TokenizerFast", "TokenizersBackend"],
)
def test_tokenizers_of_transformers_are_known(name: str, adapter: Path, ran: Ran) -> None:
    edited(TOKENIZER, tokenizer_class=name)(adapter, ran)
    check_adapter_folder(adapter)


def test_the_folder_itself_may_be_reached_by_a_link(adapter: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(adapter)
    assert Predictor.load(tmp_path / "latest").predict(["a good film"])


def test_settings_of_before_a_key_are_taken(adapter: Path) -> None:
    path = adapter / CONFIG
    known = json.loads(path.read_text())
    few = ("peft_type", "r", "lora_alpha", "target_modules", "modules_to_save", "task_type", "bias")
    path.write_text(json.dumps({name: known[name] for name in few}))
    assert check_adapter_folder(adapter).config["r"] == 4


@pytest.mark.parametrize("architecture", ["bert", "roberta"])
def test_a_base_of_other_names_is_refused(
    architecture: str, adapter: Path, tiny: Callable[[str], Path], ran: Ran
) -> None:
    spec_part("backbone", name_or_path=str(tiny(architecture)))(adapter, ran)
    with pytest.raises(ModelError, match=r"no weights for the head|does not fit|tokens"):
        Predictor.load(adapter)


def test_a_tokenizer_of_another_model_is_refused(adapter: Path) -> None:
    path = adapter / "tokenizer.json"
    values = json.loads(path.read_text())
    vocabulary = values["model"]["vocab"]
    vocabulary.update({f"word{n}": n + len(vocabulary) for n in range(5000)})
    path.write_text(json.dumps(values))
    with pytest.raises(ModelError, match="they do not belong together"):
        Predictor.load(adapter)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (edited(CONFIG, r=4096), "has rank 4, and"),
        (edited(CONFIG, r=4096, rank_pattern={"v_lin": 4}), "has rank 4, and"),
        (edited(CONFIG, rank_pattern={"v.lin": 4096}), "has rank 4, and"),
        (edited(CONFIG, target_modules=["q_lin", "v_lin", "lin2"]), "no weights for its module"),
    ],
)
def test_no_module_of_the_base_is_touched_by_what_does_not_fit(
    change: Change, problem: str, adapter: Path, ran: Ran, make_base: Any
) -> None:
    base = make_base()
    before = {name: weight.clone() for name, weight in base.model.state_dict().items()}
    change(adapter, ran)
    with pytest.raises(ModelError, match=problem):
        load_adapter(base, adapter)
    after = base.model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)


# --- the base that an adapter names, and the run around it


def kernel(folder: Path, ran: Ran) -> None:
    edited("config.json", attn_implementation="somebody/kernel")(folder, ran)


def base_of_its_own_code(folder: Path, ran: Ran) -> None:
    (folder / "modeling.py").write_text(ran.source)
    auto_map = {"AutoModel": "modeling.Own", "AutoConfig": "modeling.Own"}
    edited("config.json", auto_map=auto_map, model_type="own")(folder, ran)


def pickled_base(folder: Path, ran: Ran) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"weight": ran}, folder / "pytorch_model.bin")


@pytest.mark.parametrize("change", [kernel, base_of_its_own_code, pickled_base])
def test_a_hostile_base_runs_nothing(
    change: Change, adapter: Path, ran: Ran, tiny: Callable[[str], Path], cli: Callable[..., Any]
) -> None:
    base = Path(shutil.copytree(tiny("distilbert"), adapter.parent / "base"))
    change(base, ran)
    spec_part("backbone", name_or_path=str(base))(adapter, ran)
    with pytest.raises(ModelError):
        Predictor.load(adapter)
    assert cli("predict", adapter, "a good film").code == 2
    assert not ran


@pytest.fixture
def run_folder(adapter: Path, tmp_path: Path) -> Path:
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text('{"state": "finished"}')
    shutil.move(adapter, run / "adapter")
    return run


def test_a_run_s_settings_build_no_objects(
    run_folder: Path, ran: Ran, cli: Callable[..., Any]
) -> None:
    hostile = f"data: !!python/object/apply:os.mkdir [{str(ran.mark)!r}]\n"
    (run_folder / "config.yaml").write_text(hostile)
    assert cli("predict", run_folder, "a good film").code == 2
    assert not ran


def test_a_run_s_adapter_is_in_the_run(run_folder: Path, cli: Callable[..., Any]) -> None:
    assert cli("predict", run_folder, "a good film").code == 0
    shutil.move(run_folder / "adapter", run_folder.parent / "elsewhere")
    (run_folder / "adapter").symlink_to(run_folder.parent / "elsewhere")
    result = cli("predict", run_folder, "a good film")
    assert result.code == 2
    assert "leads out of the run" in result.err


def test_every_setting_that_peft_writes_is_decided_on() -> None:
    """A new field of PEFT's is found out here, not at a user's: it has a rule, or is unset."""
    settings = LoraConfig().to_dict()
    unset = {name for name, value in settings.items() if value in (None, False, {}, [], "")}
    assert set(settings) <= set(PeftSettings.model_fields) | unset


@pytest.mark.parametrize(
    "spec",
    [
        ClassifierSpec(
            backbone=Backbone("owner/name", "v1"),
            head=HeadSpec("mlp", "mean", "bce", 3, multi_label=True),
            label_names=("a", "b", "c"),
            label_values=("a", "b", "other"),
            max_length=64,
            truncation_side="head+tail",
            strip_html=False,
            decision=Decision(thresholds=(0.5, 0.1, 0.9), min_confidence=0.3),
            merged_labels=("d", 7),
        ),
        ClassifierSpec(
            backbone=Backbone("bundled"),
            head=HeadSpec("auto", "cls", "cross_entropy", 2),
            label_names=("no", "yes"),
            label_values=(0, 1),
            max_length=64,
            truncation_side="right",
            strip_html=True,
            temperature=2,
            decision=Decision(costs=((0, 1.5), (2, 0))),
            long_texts="windows",
        ),
    ],
)
def test_every_description_that_is_written_is_taken(spec: ClassifierSpec, tmp_path: Path) -> None:
    spec.save(tmp_path)
    assert ClassifierSpec.load(tmp_path) == spec


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (edited(SPEC, label_names="ab"), "'label_names' is 'ab'; it should be a valid array"),
        (edited(SPEC, label_values=[1.5, 2]), "'label_values' is "),
        (edited(SPEC, strip_html=1), "'strip_html' is 1; it should be a valid boolean"),
        (edited(SPEC, truncation_side="top"), "'truncation_side' is 'top'; it should be 'left'"),
        (spec_part("head", kind="own"), "'head' is .*'kind' it should be 'auto'"),
        (spec_part("decision", min_confidence=2), "min_confidence should be from 0 to 1"),
        (spec_part("decision", thresholds=["0.5"]), "'decision' is .* it should be a valid number"),
        (text(SPEC, '{"format": 1}'), "'backbone' is missing, so the file is damaged"),
        (edited(CONFIG, layers_to_transform=[3, -1]), r"is \[3, -1\]; '1' it should be greater"),
        (edited(CONFIG, eva_config={"rho": 2}), "'eva_config' is not supported"),
        (edited(CONFIG, target_parameters=["a"]), "'target_parameters' is not supported"),
    ],
)
def test_the_message_names_the_file_the_key_and_what_is_wrong(
    change: Change, problem: str, adapter: Path, ran: Ran
) -> None:
    change(adapter, ran)
    with pytest.raises(ModelError, match=rf"adapter/\w+\.json: .*{problem}"):
        Predictor.load(adapter)
