"""Judge a training set by what real labels look like; put bad samples into quarantine, stop at a critical failure."""

from pathlib import Path

import numpy as np

from stages.common.cli import run_recipe_stage
from stages.common.errors import ValidationFailedError
from stages.common.params import SharedParams
from stages.common.paths import require
from stages.common.recipes import UPPER_BOUND
from stages.common.samples import read_index, read_set
from stages.common.spec import DatasetSpec, read_spec
from stages.common.tracking import Tracker
from stages.validate.examination import TrainingImages, examine
from stages.validate.facts import pixel_digests
from stages.validate.params import ValidateParams
from stages.validate.quarantine import failure, set_metrics
from stages.validate.reading import JudgedSet, joined, read_judged, unlabelled
from stages.validate.writing import write_lists, write_nothing, write_reports

PREPARED = Path("data/prepare")
MOST_UNLABELLED = 2000


def main(params: ValidateParams, shared: SharedParams, tracker: Tracker, recipe: str) -> None:
    """Read the set, the reference and the training images; write facts, lists, reports; then pass or stop."""
    spec = read_spec()
    made = require(Path("data/generate") / recipe, f"generate@{recipe}")
    if not len(read_index(made)):
        print(f"validate: {made} is empty, so there is nothing to judge", flush=True)
        write_nothing(Path("data/validate") / recipe, Path("reports/validate") / recipe)
        return
    samples = read_judged(made, spec)
    reference = read_reference(spec, further=recipe == UPPER_BOUND)
    training = read_training(reference, alone=bool(samples.real.all()))
    outcome = examine(samples, reference, training, spec, params)
    stopped = failure(outcome.results)
    write_lists(Path("data/validate") / recipe, outcome, passed=stopped is None)
    reports = Path("reports/validate") / recipe
    write_reports(reports, outcome, samples, training, spec, params.pictures)
    tracker.metrics(set_metrics(outcome.verdict, outcome.quarantine, outcome.results))
    for file in sorted(reports.rglob("*.*")):
        tracker.artifact(file, "validate")
    if stopped:
        raise ValidationFailedError(f"data/generate/{recipe}: {stopped}; see {reports}/validation.json")


def read_reference(spec: DatasetSpec, further: bool = False) -> JudgedSet:
    """The labelled real images, with `further` those of `full` too; where there are none, unlabelled ones, which say
    what images look like."""
    sets = [require(PREPARED / name, "prepare") for name in ("labeled", *(["full"] if further else []))]
    if found := [read_judged(folder, spec) for folder in sets if len(read_index(folder))]:
        return joined(found)
    return unlabelled(read_set(require(PREPARED / "unlabeled", "prepare"), limit=MOST_UNLABELLED))


def read_training(reference: JudgedSet, alone: bool) -> TrainingImages:
    """The unlabelled images and the labelled ones, each once: a generator may have seen both. `alone`: the labelled
    ones only, because nothing was generated.
    """
    images, keys = reference.images, reference.index["key"].to_numpy(object)
    if alone:
        return TrainingImages(images, keys)
    unlabeled = read_set(require(PREPARED / "unlabeled", "prepare"))
    images = np.concatenate([unlabeled.images, images])
    keys = np.concatenate([unlabeled.index["key"].to_numpy(object), keys])
    # Labelled images may be among the unlabelled ones too, and twins say nothing of how close distinct images come.
    first = np.sort(np.unique(pixel_digests(images), return_index=True)[1])
    return TrainingImages(images[first], keys[first])


if __name__ == "__main__":
    run_recipe_stage("validate", ValidateParams, main, __doc__)
