"""The same training with several seeds, into runs under one folder."""

from __future__ import annotations

import shutil
from dataclasses import replace

from rich.console import Console

from textlora.config import RunConfig, SettledConfig
from textlora.data.loading import Parts, load_parts
from textlora.errors import ConfigError, RunError, storage_errors
from textlora.files import RunFolder, SeedsFolder, write_json
from textlora.inference.evaluating import FinishedRun
from textlora.inference.logits import FrozenStates
from textlora.inference.predictor import Predictor
from textlora.metrics.comparison import Contender, best_baseline
from textlora.recipes import load_recipe
from textlora.report.comparisons import Repetitions, repetitions
from textlora.training.building import tokenize_parts
from textlora.training.deciding import second_try_of
from textlora.training.fitting import all_rows
from textlora.training.job import train
from textlora.training.settling import may_refit, settle, taught
from textlora.training.verdict import judged_part, metric_of, resampling, train_baselines


def train_seeds(
    config: RunConfig,
    folder: SeedsFolder,
    seeds: int,
    *,
    console: Console | None = None,
    overwrite: bool = False,
) -> Repetitions:
    """Train with the seeds seed, seed + 1, … and sum the runs up.

    The data and their split stay the same. A seed whose run is finished is not trained again,
    and an interrupted one goes on, so the same call takes up where it was stopped.

    Args:
        config: every setting; `training.seed` is the first seed.
        folder: where the runs go.
        seeds: how many; 2 or more.
        console: where progress is shown; None for silence.
        overwrite: begin anew.

    Raises:
        TextloraError: anything the user can mend.
    """
    console = console or Console(quiet=True)
    if seeds < 2:
        raise ConfigError("--seeds: one seed has no spread.", "Give 2 or more, or leave it out.")
    if config.evaluation.full_fine_tuning:
        raise ConfigError(
            "--seeds repeats LoRA alone, not full fine-tuning.",
            "Leave out --full-fine-tuning (evaluation.full_fine_tuning).",
        )
    folder.check_free()
    if overwrite and folder.path.is_dir():
        with storage_errors(f"removing the old runs in {folder.path}"):
            shutil.rmtree(folder.path)
    parts = load_parts(config.data)
    settled = settle(config, parts, console)
    numbers = range(config.training.seed, config.training.seed + seeds)
    configs = {
        seed: _as_begun(_for_seed(settled.config, seed), folder.run(seed)) for seed in numbers
    }
    write_json(folder.summary, {"state": "running", "seeds": list(numbers)})
    for seed, each in configs.items():
        _train_one(each, folder.run(seed), parts, console)
    summary = _sum_up(settled.config, folder, numbers, parts, settled.states, console)
    write_json(folder.summary, {"state": "finished", **summary.to_dict()})
    return summary


def _for_seed(config: SettledConfig, seed: int) -> SettledConfig:
    """Return the settings of one seed's run; the baselines are trained once, for all of them."""
    return config.model_copy(
        update={
            "training": config.training.model_copy(update={"seed": seed}),
            "evaluation": config.evaluation.model_copy(
                update={"baselines": False, "full_fine_tuning": False}
            ),
        }
    )


def _as_begun(config: SettledConfig, run: RunFolder) -> SettledConfig:
    """Return the settings, as an earlier start of the run may have left them for its second try.

    Raises:
        RunError: the earlier start was about something else.
    """
    if not run.config.is_file():
        return config
    begun = load_recipe(str(run.config)).config().model_dump()
    tries = (config, second_try_of(config)) if config.training.second_try else (config,)
    for each in tries:
        if each.model_dump() == begun:
            return each
    raise RunError(
        f"{run.path}: this run has other settings.",
        "Begin anew with --overwrite, or choose another --out.",
    )


def _train_one(config: SettledConfig, run: RunFolder, parts: Parts, console: Console) -> None:
    state, name = run.state().get("state"), run.path.name
    if state == "finished":
        console.print(f"{name}: finished before, not trained again", highlight=False)
        return
    console.print(f"\n{name}", style="bold", highlight=False)
    # A start that was killed before its settings were written has nothing to go on with.
    resume = state is not None and run.config.is_file()
    overwrite = state is not None and not resume
    train(config, run, console=console, resume=resume, overwrite=overwrite, parts=parts)


def _sum_up(
    config: SettledConfig,
    folder: SeedsFolder,
    seeds: range,
    parts: Parts,
    states: FrozenStates,
    console: Console,
) -> Repetitions:
    part = judged_part(parts)
    runs = {}
    for seed in seeds:
        run = FinishedRun.read(folder.run(seed).path)
        name, given = run.path.name, run.parts[part].predictions
        runs[seed] = Contender(name, given, seconds=run.seconds)
    baseline = None
    if config.evaluation.baselines:
        console.print()
        baseline = _best_baseline(config, folder.run(seeds[0]), parts, states, console)
    how = resampling(config.evaluation)
    return repetitions(runs, part, baseline, how, metric_of(config, parts))


def _best_baseline(
    config: SettledConfig, run: RunFolder, parts: Parts, states: FrozenStates, console: Console
) -> Contender:
    """Train the baselines, and return the one to beat."""
    predictor = Predictor.load(run.path)
    parts = replace(parts, train=taught(parts.train, parts.labels.names, config))
    sequences = tokenize_parts(parts, predictor, train_windows=config.data.train_windows)
    baselines, _ = train_baselines(
        predictor,
        parts,
        sequences,
        config=config,
        states=states,
        console=console,
        # A seed that kept its start was not; the baselines then have a few rows more than it.
        all_rows=all_rows(config, predictor, parts) if may_refit(config, parts) else None,
    )
    return best_baseline(baselines, metric_of(config, parts), resampling(config.evaluation))[0]
