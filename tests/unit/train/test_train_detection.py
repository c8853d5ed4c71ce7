import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from box_builders import boxed_set, boxes_spec, params_of
from torch import Tensor

from stages.common.affine import AffineParams
from stages.common.device import seeded
from stages.common.errors import UserError
from stages.common.pictures import palette
from stages.common.samples import SampleSet
from stages.common.warp import random_affine, warp_masks
from stages.train.targets.detection import DetectionTarget
from stages.train.targets.ssd import SmallSSDTarget

SAME = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]


def target(height: int = 32, width: int = 32) -> DetectionTarget:
    return SmallSSDTarget(boxes_spec(height, width), params_of())


def warped(rows: list[list[float]], linear: list[list[float]], height: int = 32, width: int = 32) -> list[list[float]]:
    return target(height, width).warp(torch.tensor([rows]), torch.tensor([linear]))[0].tolist()


def with_boxes(*boxes: list[list[float]]) -> SampleSet:
    index = pd.DataFrame({"key": [f"k{i}" for i in range(len(boxes))]})
    arrays = tuple(np.array(rows, np.float32).reshape(-1, 5) for rows in boxes)
    return SampleSet(np.zeros((len(boxes), 32, 32, 1), np.uint8), None, index, boxes=arrays)


def test_labels_are_filled_up_with_class_minus_one() -> None:
    labels = target().labels(with_boxes([[1, 2, 3, 4, 1], [5, 6, 7, 8, 2]], [], [[0, 0, 32, 32, 2]]))
    assert labels.shape == (3, 2, 5)
    assert labels[:, :, 4].tolist() == [[1, 2], [-1, -1], [2, -1]]
    assert labels[0, 1].tolist() == [5, 6, 7, 8, 2]


def with_ignored(samples: SampleSet, *ignored: list[list[float]]) -> SampleSet:
    return replace(samples, ignored=tuple(np.array(rows, np.float32).reshape(-1, 5) for rows in ignored))


def test_ignored_boxes_are_labels_that_scores_alone_see() -> None:
    plain = with_boxes([[1, 2, 13, 14, 1]], [])
    labels = target().labels(with_ignored(plain, [[5, 6, 7, 8, 2]], [[0, 0, 9, 9, 1]]))
    assert labels[:, :, 4].tolist() == [[1, -3], [-2, -1]]
    assert target().warp(labels, torch.tensor([SAME, SAME]))[:, :, 4].tolist() == [[1, -1], [-1, -1]]
    detector = SmallSSDTarget(boxes_spec(), params_of())
    outputs = torch.randn(2, len(detector.defaults), 7, generator=seeded(0))
    first, second = (detector.loss_terms(outputs, rows, None) for rows in (labels, target().labels(plain)))
    assert {name: term.item() for name, term in first.items()} == {name: term.item() for name, term in second.items()}
    found = torch.tensor(
        [[[1.0, 2, 13, 14, 1, 0.8], [5, 6, 7, 8, 2, 0.9]], [[0, 0, 9, 9, 1, 0.9], [0, 0, 0, 0, -1, 0]]]
    )
    assert target().scores(found, labels) == pytest.approx({"map": 1, "map_50": 1, "map/bright": 1, "voc07_ap": 1})
    assert target().scores(found, target().labels(plain))["map"] == pytest.approx(0.5)
    with pytest.raises(UserError, match="sample k0: a box has class id 3"):
        target().labels(with_ignored(plain, [[5, 6, 7, 8, 3]], []))


@pytest.mark.parametrize(
    ("row", "sentence"),
    [([0, 0, 4, 4, 3], "sample k1: a box has class id 3, but the classes are 1 to 2"),
     ([0, 0, 4, 4, 0], "sample k1: a box has class id 0"),
     ([4, 0, 4, 4, 1], "sample k1: a box has no area")],
)  # fmt: skip
def test_wrong_boxes_are_refused(row: list[float], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        target().labels(with_boxes([[0, 0, 4, 4, 1]], [row]))


def test_nothing_moves_without_a_map() -> None:
    rows = [[3.0, 4.0, 9.0, 11.0, 2.0], [0.0, 0.0, 32.0, 32.0, 1.0], [0.0, 0.0, 0.0, 0.0, -1.0]]
    assert warped(rows, SAME) == [pytest.approx(row, abs=1e-5) for row in rows]


def test_a_mirrored_box_changes_sides() -> None:
    mirror = [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    assert warped([[3.0, 4.0, 9.0, 11.0, 2.0]], mirror, 32, 48)[0] == pytest.approx([39, 4, 45, 11, 2], abs=1e-4)


def test_a_box_that_leaves_the_image_is_clipped_and_dropped_below_a_quarter_of_its_area() -> None:
    # The output looks 8 pixels further right, so that everything moves 8 to the left.
    left = [[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]
    found = warped([[4.0, 0.0, 20.0, 8.0, 1.0], [0.0, 0.0, 10.0, 8.0, 1.0], [0.0, 0.0, 12.0, 8.0, 2.0]], left)
    assert found[0] == pytest.approx([0, 0, 12, 8, 1], abs=1e-4)  # three quarters are left
    assert found[1] == [0, 0, 0, 0, -1]  # a fifth is left
    assert found[2] == pytest.approx([0, 0, 4, 8, 2], abs=1e-4)  # a third is left


def filled(box: Tensor, size: tuple[int, int]) -> Tensor:
    mask = torch.zeros(1, *size, dtype=torch.uint8)
    left, top, right, bottom = box.int().tolist()
    mask[0, top:bottom, left:right] = 1
    return mask


@pytest.mark.parametrize("seed", range(6))
def test_a_warped_box_goes_around_the_warped_mask(seed: int) -> None:
    size = (96, 128)
    affine = AffineParams(rotate=40, scale=0.2, shear=10, shift=0.05, flip=True)
    maps = random_affine(1, size, affine, seeded(seed))
    box = torch.tensor([40.0, 30.0, 80.0, 58.0])
    row, column = torch.where(warp_masks(filled(box, size), maps)[0] == 1)
    around = [int(column.min()), int(row.min()), int(column.max()) + 1, int(row.max()) + 1]
    found = target(*size).warp(torch.cat([box, torch.tensor([1.0])])[None, None], maps)[0, 0]
    assert found[:4].tolist() == pytest.approx(around, abs=2.5)  # a corner's last pixel is mostly background


def test_a_turned_square_grows_by_the_root_of_two() -> None:
    turn = math.sqrt(0.5)
    found = warped([[12.0, 12.0, 20.0, 20.0, 1.0]], [[turn, -turn, 0.0], [turn, turn, 0.0]])[0]
    reach = 4 * math.sqrt(2)
    assert found == pytest.approx([16 - reach, 16 - reach, 16 + reach, 16 + reach, 1], abs=1e-4)


def test_outlines_have_the_colours_of_the_classes_and_weak_predictions_are_left_out() -> None:
    images = np.full((1, 32, 32, 1), 100, np.uint8)
    rows = torch.tensor([[[2.0, 3, 10, 12, 1, 0.9], [20, 20, 30, 30, 2, 0.1], [0, 0, 0, 0, -1, 0]]])
    picture = target().draw(images, rows)[0]
    assert picture.shape == (128, 128, 3)
    assert (picture[3 * 4, 2 * 4] == palette(3)[1]).all()
    assert (picture[12 * 4 - 1, 10 * 4 - 1] == palette(3)[1]).all()
    assert (picture[20 * 4, 20 * 4] == 100).all()
    truth = target().draw(images, rows[:, :, :5])[0]
    assert (truth[20 * 4, 20 * 4] == palette(3)[2]).all()


def test_scores_of_perfect_and_of_no_predictions() -> None:
    labels = target().labels(boxed_set(4))
    sure = torch.cat([labels, torch.ones(*labels.shape[:2], 1)], dim=2)
    scores = target().scores(sure, labels)
    assert scores == pytest.approx(dict.fromkeys(("map", "map_50", "map/bright", "map/dark", "voc07_ap"), 1.0))
    assert target().image_scores(sure, labels).tolist() == pytest.approx([1.0] * 4)
    nothing = torch.tensor([0.0, 0, 0, 0, -1, 0]).expand(4, 3, 6)
    assert target().scores(nothing, labels)["map"] == 0


def test_sets_of_few_and_of_many_boxes_are_joined():
    few, many = (target().labels(with_boxes(rows)) for rows in ([[1, 2, 3, 4, 1]], [[0, 0, 4, 4, 2], [4, 4, 8, 8, 1]]))
    joined = target().joined(few, many)
    assert joined.shape == (2, 2, 5)
    assert joined[0].tolist() == [[1, 2, 3, 4, 1], [0, 0, 0, 0, -1]]
    assert torch.equal(joined[1], many[0])
