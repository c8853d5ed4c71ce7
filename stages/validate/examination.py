"""The whole judgement of a set in memory: facts, bounds, results, quarantine."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from stages.common.spec import DatasetSpec
from stages.validate.annotations import misplaced
from stages.validate.bounds import Bounds, derive_bounds
from stages.validate.facts import duplicate_facts, genuine_reals, pixel_facts, training_facts
from stages.validate.judging import Result, judge
from stages.validate.neighbours import nearest, reduce, usual_distance
from stages.validate.params import ValidateParams
from stages.validate.quarantine import judged_facts, quarantined, verdict_table
from stages.validate.reading import JudgedSet
from stages.validate.suite import sample_suite, verdict_suite

ASKED_REALS = 2000  # real images whose nearest other real image tells the usual distance; more change it by little


@dataclass(frozen=True)
class TrainingImages:
    """What the generator learned from: images (M, H, W, C) uint8, keys (M,)."""

    images: np.ndarray
    keys: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """Facts (a row a sample), the results of all expectations, the quarantine (key, reasons), and the verdict table
    (key, accepted, quarantined).
    """

    facts: pd.DataFrame
    results: list[Result]
    quarantine: pd.DataFrame
    verdict: pd.DataFrame


def examine(
    samples: JudgedSet, reference: JudgedSet, training: TrainingImages, spec: DatasetSpec, params: ValidateParams
) -> Outcome:
    """Judge a set by the labelled real reference and by the images its generator was trained on."""
    facts, usual = all_facts(samples, reference, training, spec, params)
    generated = facts.loc[~samples.real & samples.well_formed]
    uncertainty = generated.get("uncertainty", pd.Series(dtype=np.float64)).to_numpy(np.float64)
    known = pixel_facts(reference, spec)
    if len(reference.keypoints):
        known["misplaced"] = misplaced(reference.keypoints, reference.keypoints)
    bounds = derive_bounds(known, uncertainty, usual, spec, params)
    return decide(facts, samples.real, bounds, spec, params)


def all_facts(
    samples: JudgedSet, reference: JudgedSet, training: TrainingImages, spec: DatasetSpec, params: ValidateParams
) -> tuple[pd.DataFrame, float]:
    """The facts of every sample, and the distance at which distinct real images come closest, in grey levels."""
    facts = pixel_facts(samples, spec)
    if "uncertainty" in facts:
        facts["valid_uncertainty"] = (np.isfinite(facts["uncertainty"]) & (facts["uncertainty"] >= 0)).astype(
            np.float64
        )
    facts["genuine_real"] = genuine_reals(samples, reference)
    if spec.keypoints:
        known = len(reference.keypoints) > 0
        facts["misplaced"] = misplaced(samples.keypoints, reference.keypoints) if known else np.nan
    generated, usual = ~samples.real, 0.0
    reals = reduce(training.images if generated.any() else training.images[:0])
    if generated.any():
        usual = usual_distance(reals, params.copy_reach, params.copy_quantile, ASKED_REALS)
    found = nearest(reduce(samples.images[generated]), reals, params.copy_reach)
    near = training_facts(generated, found, training.keys) | duplicate_facts(samples, facts["image_digest"])
    return facts.assign(**near), usual


def decide(facts: pd.DataFrame, real: np.ndarray, bounds: Bounds, spec: DatasetSpec, params: ValidateParams) -> Outcome:
    """Run the expectations over the facts. real: (N,) bool, the rows that are a user's own samples."""
    results = judge(judged_facts(facts, real), sample_suite(bounds, spec, params))
    quarantine = quarantined(results)
    verdict = verdict_table(facts["key"], quarantine)
    return Outcome(facts, results + judge(verdict, verdict_suite(params)), quarantine, verdict)
