"""Sets with boxes or classes of images: good ones pass, and each seeded bad one is caught by its expectation."""

import numpy as np
import pandas as pd
import pytest

from stages.common.spec import DatasetSpec
from stages.validate.examination import Outcome, TrainingImages, examine
from stages.validate.params import ValidateParams
from stages.validate.quarantine import failure
from stages.validate.reading import JudgedSet

BOXES = DatasetSpec(name="toy", size=(32, 32), channels=1, classes=("nothing", "a", "b"), labels="boxes")
IMAGES = BOXES.model_copy(update={"labels": "image"})
COUNT = 40


def scenes(seed: int, count: int = COUNT) -> tuple[np.ndarray, tuple[np.ndarray, ...], np.ndarray]:
    """Images with a box of class 1 and, in every other one, a box of class 2; and classes 1 and 2 in turn."""
    random = np.random.default_rng(seed)
    images = random.integers(90, 160, (count, 32, 32, 1)).astype(np.uint8)
    boxes = []
    for number, picture in enumerate(images):
        left, top = random.integers(0, 20, 2).tolist()
        picture[top : top + 10, left : left + 10] = 220
        rows = [[left, top, left + 10, top + 10, 1], [20, 2, 30, 9, 2]][: 1 + number % 2]
        boxes.append(np.array(rows, np.float32))
    return images, tuple(boxes), np.arange(count) % 2 + 1.0


def as_set(spec: DatasetSpec, seed: int, recipe: str) -> JudgedSet:
    images, boxes, classes = scenes(seed)
    keys = np.array([f"{recipe}-{i}" for i in range(len(images))], object)
    columns = {"key": keys, "shard": "shard-000000.tar", "recipe": recipe, "source_id": keys, "uncertainty": 0.0}
    no, masks = np.zeros(len(images), bool), np.zeros(images.shape[:3], np.uint8)
    kinds = {"boxes": {"boxes": boxes}, "image": {"class_ids": classes}}[spec.labels]
    return JudgedSet(images, masks, no, ~no, pd.DataFrame(columns), **kinds)


def examined(spec: DatasetSpec, samples: JudgedSet) -> Outcome:
    reference = as_set(spec, 0, "real")
    training = TrainingImages(reference.images, reference.index["key"].to_numpy(object))
    return examine(samples, reference, training, spec, ValidateParams())


def reasons(outcome: Outcome) -> dict[str, str]:
    return dict(zip(outcome.quarantine["key"], outcome.quarantine["reasons"], strict=True))


@pytest.mark.parametrize("spec", [BOXES, IMAGES], ids=["boxes", "image"])
@pytest.mark.parametrize(("seed", "recipe"), [(0, "real"), (1, "composite")])
def test_good_sets_pass_whole(spec, seed, recipe):
    outcome = examined(spec, as_set(spec, seed, recipe))
    assert failure(outcome.results) is None
    assert reasons(outcome) == {}
    assert all(result.success for result in outcome.results)


@pytest.mark.parametrize("recipe", ["real", "composite"])
@pytest.mark.parametrize(
    ("row", "expectation"),
    [
        ([25, 4, 35, 14, 1], "boxes_inside"),
        ([-3, 4, 7, 14, 1], "boxes_inside"),
        ([4, 4, 4, 14, 1], "boxes_with_area"),
        ([14, 14, 4, 4, 1], "boxes_with_area"),
        ([4, 4, 14, 14, 7], "known_classes"),
        ([4, 4, 14, 14, 0], "known_classes"),
    ],
)
def test_a_bad_box_is_caught_by_its_expectation(recipe, row, expectation):
    samples = as_set(BOXES, 1 if recipe == "composite" else 0, recipe)
    samples.boxes[6][0] = row
    outcome = examined(BOXES, samples)
    assert list(reasons(outcome)) == [f"{recipe}-6"]
    assert expectation in reasons(outcome)[f"{recipe}-6"].split("; ")
    assert f"{expectation}: 1 samples" in str(failure(outcome.results))


@pytest.mark.parametrize(("class_id", "expectation"), [(np.nan, "image_has_class"), (7, "known_classes")])
def test_a_bad_class_is_caught_by_its_expectation(class_id, expectation):
    samples = as_set(IMAGES, 1, "composite")
    samples.class_ids[3] = class_id
    outcome = examined(IMAGES, samples)
    assert reasons(outcome) == {"composite-3": expectation}
    assert f"{expectation}: 1 samples" in str(failure(outcome.results))


def test_an_image_without_a_box_is_caught_where_all_real_ones_have_one():
    samples = as_set(BOXES, 1, "composite")
    boxes = list(samples.boxes)
    boxes[5] = np.zeros((0, 5), np.float32)
    outcome = examined(BOXES, JudgedSet(**{**vars(samples), "boxes": tuple(boxes)}))
    assert list(reasons(outcome)) == ["composite-5"]
    assert "label_not_empty" in reasons(outcome)["composite-5"]


@pytest.mark.parametrize("spec", [BOXES, IMAGES], ids=["boxes", "image"])
def test_a_class_that_is_missing_altogether_is_told(spec):
    samples = as_set(spec, 1, "composite")
    for rows in samples.boxes:
        rows[:, 4] = 1
    samples.class_ids[:] = 1
    failed = [(result.name, result.detail) for result in examined(spec, samples).results if not result.success]
    assert ("usual_class_share", "b") in failed


def test_expectations_of_other_labels_are_not_asked():
    boxes, images = ({r.name for r in examined(s, as_set(s, 1, "composite")).results} for s in (BOXES, IMAGES))
    assert boxes - images >= {"boxes_inside", "boxes_with_area", "label_not_empty", "usual_region_count"}
    assert images - boxes == {"image_has_class"}
    assert not (boxes | images) & {"label_aligned", "label_in_place", "no_one_pixel_regions", "label_kept"}
