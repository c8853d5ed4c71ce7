"""Sets with keypoints or depth: good ones pass, and each seeded bad one is caught by its expectation."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from stages.common.samples import Sample
from stages.common.spec import DatasetSpec
from stages.validate.examination import Outcome, TrainingImages, examine
from stages.validate.params import ValidateParams
from stages.validate.quarantine import failure
from stages.validate.reading import JudgedSet, is_well_formed

POINTS = DatasetSpec(name="toy", size=(32, 32), channels=1, keypoints=4)
DEPTH = DatasetSpec(name="toy", size=(32, 32), channels=1, depth=True)
COUNT = 60
CORNERS = np.array([[0, 0], [10, 0], [0, 10], [10, 10]])


def as_set(spec: DatasetSpec, seed: int, recipe: str) -> JudgedSet:
    """Images of a bright square of ten pixels on noise, with its corners or its depth, 3 to 5."""
    random = np.random.default_rng(seed)
    images = random.integers(90, 160, (COUNT, 32, 32, 1)).astype(np.uint8)
    keypoints, depth = np.zeros((COUNT, 4, 3), np.float32), np.zeros((COUNT, 32, 32), np.float32)
    for number, (left, top) in enumerate(random.integers(0, 21, (COUNT, 2)).tolist()):
        images[number, top : top + 10, left : left + 10] = 220
        keypoints[number, :, :2] = CORNERS + np.array([left, top]) + random.normal(0, 0.3, (4, 2))
        keypoints[number, :, :2] = keypoints[number, :, :2].clip(0, 31)
        keypoints[number, :, 2] = 2
        depth[number, top : top + 10, left : left + 10] = random.uniform(3, 5)
    keys = np.array([f"{recipe}-{i}" for i in range(COUNT)], object)
    columns = {"key": keys, "shard": "shard-000000.tar", "recipe": recipe, "source_id": keys, "uncertainty": 0.0}
    no, masks = np.zeros(COUNT, bool), np.zeros(images.shape[:3], np.uint8)
    labels = {"keypoints": keypoints} if spec.keypoints else {"depth": depth}
    return JudgedSet(images, masks, no, ~no, pd.DataFrame(columns), **labels)


def examined(spec: DatasetSpec, samples: JudgedSet, reference: JudgedSet | None = None) -> Outcome:
    reference = as_set(spec, 0, "real") if reference is None else reference
    training = TrainingImages(reference.images, reference.index["key"].to_numpy(object))
    return examine(samples, reference, training, spec, ValidateParams())


def reasons(outcome: Outcome) -> dict[str, str]:
    return dict(zip(outcome.quarantine["key"], outcome.quarantine["reasons"], strict=True))


@pytest.mark.parametrize("spec", [POINTS, DEPTH], ids=["keypoints", "depth"])
@pytest.mark.parametrize(("seed", "recipe"), [(0, "real"), (1, "gan")])
def test_good_sets_pass_whole(spec: DatasetSpec, seed: int, recipe: str) -> None:
    outcome = examined(spec, as_set(spec, seed, recipe))
    assert failure(outcome.results) is None
    assert reasons(outcome) == {}


def test_a_simulated_set_passes_where_no_real_image_is_labelled() -> None:
    real = as_set(POINTS, 0, "real")
    unlabelled = replace(real, keypoints=real.keypoints[:0])
    outcome = examined(POINTS, as_set(POINTS, 1, "simulated"), unlabelled)
    assert failure(outcome.results) is None
    assert reasons(outcome) == {}


def outside(keypoints: np.ndarray) -> None:
    keypoints[0, :2] = [40.0, 5.0]


def no_number(keypoints: np.ndarray) -> None:
    keypoints[0, :2] = np.nan


def swapped(keypoints: np.ndarray) -> None:
    keypoints[:] = keypoints[[3, 1, 2, 0]]


def in_one_place(keypoints: np.ndarray) -> None:
    keypoints[:, :2] = 12 + 0.1 * keypoints[:, :2]


def unknown(keypoints: np.ndarray) -> None:
    keypoints[:, 2] = 0


@pytest.mark.parametrize(
    ("spoil", "expectation"),
    [
        (outside, "keypoints_inside"),
        (no_number, "keypoints_inside"),
        (swapped, "usual_arrangement"),
        (in_one_place, "usual_region_size"),
        (unknown, "label_not_empty"),
    ],
)
def test_each_bad_keypoint_label_is_caught_by_its_expectation(spoil, expectation: str) -> None:
    samples = as_set(POINTS, 1, "gan")
    spoil(samples.keypoints[7])
    found = reasons(examined(POINTS, samples))
    assert list(found) == ["gan-7"]
    assert expectation in found["gan-7"].split("; ")


@pytest.mark.parametrize(
    ("value", "expectation"),
    [(-1.0, "valid_depth"), (np.nan, "valid_depth"), (400.0, "usual_depth"), (0.0, "label_not_empty")],
)
def test_each_bad_depth_is_caught_by_its_expectation(value: float, expectation: str) -> None:
    samples = as_set(DEPTH, 1, "gan")
    samples.depth[7] = np.where(samples.depth[7] > 0, value, 0)
    found = reasons(examined(DEPTH, samples))
    assert list(found) == ["gan-7"]
    assert expectation in found["gan-7"].split("; ")


def test_depth_that_covers_the_whole_image_is_unusual() -> None:
    samples = as_set(DEPTH, 1, "gan")
    samples.depth[7] = 4
    assert "usual_foreground" in reasons(examined(DEPTH, samples))["gan-7"]


def test_a_real_row_with_another_label_is_no_genuine_real() -> None:
    samples = as_set(POINTS, 0, "real")
    samples.keypoints[7, 0, 0] += 1
    assert reasons(examined(POINTS, samples))["real-7"] == "genuine_reals"


def test_a_sample_without_its_keypoints_is_malformed() -> None:
    image = np.zeros((32, 32, 1), np.uint8)
    assert not is_well_formed(Sample("a", image), POINTS)
    assert not is_well_formed(Sample("a", image, keypoints=np.zeros((3, 3), np.float32)), POINTS)
    assert is_well_formed(Sample("a", image, keypoints=np.zeros((4, 3), np.float32)), POINTS)
    assert not is_well_formed(Sample("a", image, depth=np.zeros((8, 8), np.float32)), DEPTH)
