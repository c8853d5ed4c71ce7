"""Test every recipe's models on the real test set: comparison, report, cards; the best model becomes the champion."""

import time
from pathlib import Path

from stages.common.cli import run_stage
from stages.common.device import pick_device
from stages.common.params import SharedParams, load_params, params_file, read_yaml
from stages.common.paths import require
from stages.common.progress import tracked
from stages.common.samples import read_set
from stages.common.spec import read_spec
from stages.common.tracking import Tracker
from stages.evaluate.champion import put_forward
from stages.evaluate.evidence import accepted_samples, read_evidence, validation_scores
from stages.evaluate.findings import Findings
from stages.evaluate.folds import find_checkpoints, score_folds
from stages.evaluate.outputs import write_reports
from stages.evaluate.params import EvaluateParams
from stages.evaluate.predict import Trial, evaluate_recipe, metric_of, trained_models
from stages.evaluate.provenance import describe, reported_seconds
from stages.evaluate.runs import log_recipes
from stages.evaluate.scores import choose_seed, flat
from stages.evaluate.verdict import judge
from stages.pretrain.params import PretrainParams

MODELS, TEST, REPORTS = Path("models/train"), Path("data/prepare/test"), Path("reports/evaluate")


def main(params: EvaluateParams, shared: SharedParams, track: Tracker) -> None:
    """Read, score, compare, register, write."""
    started, root, spec = time.monotonic(), Path("."), read_spec()
    device, test = pick_device(shared.device), read_set(require(TEST, "prepare"))
    models = trained_models(MODELS, params.recipes)
    for recipe in models if params.folds else ():
        find_checkpoints(MODELS, recipe)  # said before anything is scored
    evidence = read_evidence(root, list(models))
    print(f"evaluate: {len(test)} test images, {', '.join(models)}, on {device}", flush=True)
    trial = Trial(test, spec, metric_of(next(iter(models.values()))), device, params.batch)
    evaluated = []
    for recipe, paths in tracked(models.items(), "evaluate", len(models), "recipe"):
        validation = validation_scores(evidence.made[recipe].train, trial.metric.name)
        seed = choose_seed(list(paths), validation, trial.metric)
        evaluated.append(evaluate_recipe(recipe, accepted_samples(root, recipe), paths, seed, trial))
    scores = [each.scores for each in evaluated]
    folds = score_folds(MODELS, scores, trial, params.folds) if params.folds else []
    verdict = judge(scores, params.baseline, len(test))
    best = next(each for each in evaluated if each.scores.recipe == verdict.winner)
    track.metrics(flat(best.scores))
    track.call(lambda mlflow: log_recipes(mlflow, scores))
    seconds = reported_seconds(evidence) | {"evaluate": time.monotonic() - started}
    provenance = describe(read_yaml(params_file()), str(device), seconds, root, list(models))
    name = params.registry.model or f"handful-{spec.name}"
    champion = put_forward(track, best, name, provenance.test_digest, test)
    features = load_params("pretrain", PretrainParams)[0].measure.features
    missing = [recipe for recipe in params.recipes if recipe not in models]
    chosen = {each.scores.recipe: each.seed for each in evaluated}
    findings = Findings(
        spec, scores, missing, params.baseline, verdict, chosen, len(test), evidence, provenance, champion, features,
        params.license, best.target.task, folds,
        [recipe for recipe in missing if accepted_samples(root, recipe) == 0], params.folds,
    )  # fmt: skip
    write_reports(REPORTS, findings, evaluated, test, params.pictures)
    track.artifact(REPORTS / "report.html")
    print(f"{verdict.headline}\n{champion['reason']}\nsee {REPORTS / 'report.html'}", flush=True)


if __name__ == "__main__":
    run_stage("evaluate", EvaluateParams, main, __doc__)
