"""Train the target model on the accepted samples of one recipe, once a seed, and keep the weights of each."""

import json
from pathlib import Path

from stages.common.checkpoint import WorkFolder
from stages.common.cli import run_recipe_stage
from stages.common.device import pick_device
from stages.common.digests import work_digest
from stages.common.params import SharedParams
from stages.common.paths import publish, require
from stages.common.recipes import CHECKPOINTS
from stages.common.samples import read_index
from stages.common.spec import SPEC_PATH, read_spec
from stages.common.tracking import Tracker
from stages.common.weights import save_weights
from stages.train.inputs import labelled, read_accepted, read_if_any, read_pool
from stages.train.params import TrainParams
from stages.train.seeds import train_seeds
from stages.train.summary import data_facts, flat_metrics, history_table, start_table
from stages.train.targets import recipe_target, target_config
from stages.train.targets.base import Target
from stages.train.training import checkpoint_name

VALIDATION = Path("data/prepare/val")


def main(params: TrainParams, shared: SharedParams, tracker: Tracker, recipe: str) -> None:
    """Read, train, write."""
    made, accepted = Path("data/generate", recipe), Path("data/validate", recipe, "accepted.parquet")
    target, device = recipe_target(recipe, read_spec(), params), pick_device(shared.device)
    if not len(read_index(require(made, f"generate@{recipe}"))):
        print(f"train: {made} is empty, so there is nothing to train on", flush=True)
        write_nothing(recipe, target.metric.name)
        return
    samples, held_out = read_accepted(made, accepted), read_if_any(VALIDATION)
    data = labelled(samples, target)
    validation = labelled(held_out, target) if held_out else None
    pool = read_pool(made) if recipe == "mean_teacher" else None
    facts = {"target": target.name, "device": device, "classes": len(target.spec.classes), "steps": params.steps}
    facts |= data_facts(data, validation, params.select) | ({} if pool is None else {"unlabelled images": len(pool)})
    print(start_table(facts), flush=True)

    inputs = [made, accepted, VALIDATION, SPEC_PATH]
    work = WorkFolder(f"train-{recipe}", work_digest("train", [params, shared.seed, device.type], inputs))
    outcomes = train_seeds(target, data, validation, shared.seed, device, work, tracker, recipe, pool)

    metrics = flat_metrics(outcomes, len(data), target.metric.name)
    with publish(Path("models/train", recipe)) as models, publish(Path("reports/train", recipe)) as reports:
        for seed, outcome in outcomes.items():
            config = target_config(target) | {"seed": seed, "step": outcome.kept_step}
            save_weights(models / f"seed-{seed}.safetensors", outcome.weights, config)
            write_checkpoints(models / CHECKPOINTS, work, seed, target, outcome.step)
        (reports / "metrics.json").write_text(json.dumps(metrics, indent=1))
        history_table(outcomes, target.metric.name).to_csv(reports / "history.csv", index=False)
    tracker.metrics(metrics)
    tracker.artifact(Path("reports/train", recipe, "history.csv"))
    tracker.dataset(samples.index, recipe, made, "training")
    work.clear()


def write_checkpoints(folder: Path, work: WorkFolder, seed: int, target: Target, last: int) -> None:
    """The weights that were kept on the way, if any; of a seed that patience ended fewer and its last ones."""
    for step in sorted({*target.params.checkpoint_steps, last}):
        if kept := work.load(checkpoint_name(seed, step)):
            config = target_config(target) | {"seed": seed, "step": step}
            save_weights(folder / f"seed-{seed}-step-{step:06d}.safetensors", kept["weights"], config)


def write_nothing(recipe: str, selection: str) -> None:
    """The outputs of a recipe without samples: no models, no figures."""
    with publish(Path("models/train", recipe)), publish(Path("reports/train", recipe)) as reports:
        (reports / "metrics.json").write_text("{}")
        history_table({}, selection).to_csv(reports / "history.csv", index=False)


if __name__ == "__main__":
    run_recipe_stage("train", TrainParams, main, __doc__)
