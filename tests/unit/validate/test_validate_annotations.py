"""Facts of boxes and of classes of images, counted by hand."""

import numpy as np
import pandas as pd
import pytest

from stages.common.pictures import palette
from stages.common.samples import Sample, write_set
from stages.common.spec import DatasetSpec
from stages.validate.annotations import box_facts, class_facts
from stages.validate.facts import genuine_reals, pixel_facts
from stages.validate.pictures import quarantine_picture
from stages.validate.reading import is_well_formed, read_judged

BOXES = DatasetSpec(name="toy", size=(8, 10), channels=1, classes=("nothing", "a", "b"), labels="boxes")
IMAGES = BOXES.model_copy(update={"labels": "image"})


def image(value: int = 9) -> np.ndarray:
    return np.full((8, 10, 1), value, np.uint8)


def array(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 5)


def test_box_facts_counted_by_hand():
    good = array([0, 0, 4, 3, 1], [2, 1, 6, 3, 1])
    bad = array([-1, 0, 4, 3, 1], [5, 5, 5, 7, 2], [6, 2, 10.5, 4, 3])
    facts = box_facts((good, array(), bad), BOXES)
    assert facts["boxes_outside"].tolist() == [0, 0, 2]
    assert facts["boxes_without_area"].tolist() == [0, 0, 1]
    assert facts["unknown_boxes"].tolist() == [0, 0, 1]
    assert facts["regions"].tolist() == [2, 0, 3]
    assert facts["labelled_pixels"].tolist() == [12 + 8 - 4, 0, 12 + 8]
    assert facts["foreground_share"][0] == 16 / 80
    assert np.isnan(facts["foreground_share"][1])
    assert (facts["largest_region"][0], facts["smallest_region"][0]) == (12, 8)
    assert facts["has_class_1"].tolist() == [1, 0, 1]
    assert facts["has_class_2"].tolist() == [0, 0, 1]


def test_the_border_itself_is_inside():
    assert box_facts((array([0, 0, 10, 8, 1], [0, 0, 10.005, 8, 1]),), BOXES)["boxes_outside"].tolist() == [0]


def test_class_facts_counted_by_hand():
    facts = class_facts(np.array([1, np.nan, 3, 0, 2]), IMAGES)
    assert facts["missing_class"].tolist() == [0, 1, 0, 0, 0]
    assert facts["unknown_class"].tolist() == pytest.approx([0, np.nan, 1, 1, 0], nan_ok=True)
    assert facts["has_class_1"].tolist() == [1, 0, 0, 0, 0]
    assert facts["has_class_2"].tolist() == [0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("sample", "good"),
    [
        (Sample("a", image(), boxes=array([0, 0, 4, 3, 1])), True),
        (Sample("a", image(), boxes=array()), True),
        (Sample("a", image()), False),
        (Sample("a", image(), boxes=np.zeros((2, 4), np.float32)), False),
        (Sample("a", image(), boxes=array([0, 0, np.nan, 3, 1])), False),
    ],
)
def test_boxes_must_be_there_and_be_numbers(sample, good):
    assert is_well_formed(sample, BOXES) is good


def test_a_set_with_boxes_is_read_and_has_no_facts_of_masks(tmp_path):
    facts = {"recipe": "gan", "source_id": "x"}
    write_set(tmp_path, [Sample("a", image(), None, facts, boxes=array([0, 0, 4, 3, 1])), Sample("b", image(), None)])
    judged = read_judged(tmp_path, BOXES)
    assert judged.well_formed.tolist() == [True, False]
    assert [len(rows) for rows in judged.boxes] == [1, 0]
    found = pixel_facts(judged, BOXES)
    assert found[["aligned", "shift_px", "specks", "unknown_pixels"]].isna().all().all()
    assert found["labelled_pixels"].tolist() == [12, 0]


def test_a_set_with_classes_is_read(tmp_path):
    write_set(tmp_path, [Sample("a", image(), class_id=2), Sample("b", image())])
    judged = read_judged(tmp_path, IMAGES)
    assert judged.well_formed.all()
    assert judged.class_ids.tolist() == pytest.approx([2, np.nan], nan_ok=True)


def test_a_real_image_with_another_label_is_not_genuine(tmp_path):
    real = {"recipe": "real"}
    write_set(tmp_path / "one", [Sample("a", image(), None, real, boxes=array([0, 0, 4, 3, 1]))])
    write_set(tmp_path / "two", [Sample("a", image(), None, real, boxes=array([0, 0, 4, 3, 2]))])
    one, two = (read_judged(tmp_path / name, BOXES) for name in ("one", "two"))
    assert genuine_reals(one, one).tolist() == [1]
    assert genuine_reals(two, one).tolist() == [0]


@pytest.mark.parametrize("spec", [BOXES, IMAGES], ids=["boxes", "image"])
def test_rejected_samples_are_shown_with_their_labels(spec):
    images, masks, keys = np.full((2, 8, 10, 1), 90, np.uint8), np.zeros((2, 8, 10), np.uint8), pd.Series(["a", "b"])
    rejected = pd.DataFrame({"key": ["b"], "reasons": ["no_noise"]})
    boxes, ids = (array([0, 0, 4, 3, 1]), array([1, 1, 8, 6, 2])), np.array([1, 2])
    labels = {"boxes": boxes} if spec.labels == "boxes" else {"class_ids": ids}
    picture = quarantine_picture(images, masks, keys, rejected, 3, 8, **labels)
    assert (picture == palette(3)[2]).all(axis=2).any()
    assert not (picture == palette(3)[1]).all(axis=2).any()
