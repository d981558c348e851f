"""A run that is killed at any moment, any number of times, ends as if it had not been."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from textlora.files import RunFolder

# Forks of one process that has imported everything: a start costs milliseconds, not seconds.
KILLER = """
import json, os, random, signal, sys, time
import textlora.training.job, textlora.training.reporting, textlora.cli
from pathlib import Path
from textlora.files import RunFolder

def start(arguments):
    child = os.fork()
    if child:
        return child
    sys.argv = ["textlora", *arguments]
    try:
        textlora.cli.main()
    except SystemExit as end:
        sys.stdout.flush()
        os._exit(end.code or 0)
    os._exit(99)

asked = json.load(sys.stdin)
fresh = ["train", "--recipe", asked["recipe"], "--overwrite", "--out"]
started = time.perf_counter()
assert os.waitpid(start([*fresh, asked["whole"]]), 0)[1] == 0
whole = time.perf_counter() - started
draw = random.Random(asked["seed"])
killed, resumed = 0, 0
while True:
    cut = asked["cut"]
    can_resume = os.path.exists(cut + "/config.yaml")
    child = start(["train", "--resume", cut] if can_resume else [*fresh, cut])
    if killed < asked["kills"]:
        time.sleep(draw.uniform(0.2, 0.9) * whole)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if status == 0 or RunFolder(Path(cut)).state().get("state") == "finished":
        break  # a kill may come after the last thing that a run does
    assert os.WIFSIGNALED(status), status
    killed += 1
    resumed += bool(os.path.exists(cut + "/checkpoints"))
print(json.dumps({"killed": killed, "resumed": resumed}))
"""


@pytest.mark.slow
def test_killed_at_random_moments(make_config: Callable[..., Any], tmp_path: Path) -> None:
    config = make_config(
        {
            **{"training.num_train_epochs": 6, "lora.lora_dropout": 0.1},
            **{"training.eval_strategy": "steps", "training.eval_steps": 2},
        }
    )
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(config.to_yaml())
    asked = {
        **{"recipe": str(recipe), "seed": 3, "kills": 5},
        **{"whole": str(tmp_path / "whole"), "cut": str(tmp_path / "cut")},
    }
    done = subprocess.run(
        [sys.executable, "-c", KILLER], input=json.dumps(asked), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    count = json.loads(done.stdout.splitlines()[-1])
    assert count["resumed"] >= 1, count
    whole, cut = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "cut")
    cut.require_finished()
    weights = "adapter_model.safetensors"
    assert (cut.adapter / weights).read_bytes() == (whole.adapter / weights).read_bytes()
    assert cut.predictions.read_bytes() == whole.predictions.read_bytes()
