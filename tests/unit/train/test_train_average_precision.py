import numpy as np
import pytest
import torch
from torch import Tensor

from stages.common.device import seeded
from stages.common.errors import UserError
from stages.train.average_precision import (
    VOC_LEVELS,
    coco_hits,
    coco_scores,
    detection_scores,
    image_maps,
    interpolated,
    voc07_ap,
    voc_hits,
)

CLASSES = ("nothing", "a", "b")


def rows(*some: list[float]) -> Tensor:
    return torch.tensor(some)


def test_eleven_points_worked_by_hand() -> None:
    # Right, wrong, right, wrong of three true boxes: precision 1 up to recall 1/3, 2/3 up to recall 2/3, then 0.
    hits = np.array([True, False, True, False])
    assert interpolated(hits, 3, VOC_LEVELS) == pytest.approx((4 * 1 + 3 * 2 / 3 + 4 * 0) / 11)


def test_a_level_of_recall_that_is_reached_exactly_counts() -> None:
    hits = np.array([True] * 3)
    assert interpolated(hits, 10, VOC_LEVELS) == pytest.approx(4 / 11)  # recall 0, 0.1, 0.2 and 0.3
    assert interpolated(np.zeros(0, bool), 4, VOC_LEVELS) == 0


def test_voc_average_precision_worked_by_hand() -> None:
    truths = [rows([0, 0, 10, 10, 1], [20, 0, 30, 10, 1]), rows([0, 0, 10, 10, 1], [0, 0, 4, 4, 2])]
    found = [
        rows([0, 0, 10, 10, 1, 0.9], [0, 0, 10, 9, 1, 0.7]),  # right, and the same box once more: wrong
        rows([0, 0, 10, 5, 1, 0.8], [0, 0, 10, 4.9, 2, 0.95]),  # just half: right; of class b, too little overlap
    ]
    # Class a: right, right, wrong of three: precision 1 up to recall 2/3, which is 7 of the 11 levels. Class b: 0.
    assert voc07_ap(found, truths) == pytest.approx((7 / 11 + 0) / 2)


def test_voc_gives_each_detection_the_box_that_it_overlaps_most() -> None:
    overlap = np.array([[0.9, 0.6], [0.8, 0.7], [0.1, 0.6]])
    assert voc_hits(overlap).tolist() == [True, False, True]  # the second falls to the first box, which is found
    assert coco_hits(overlap, np.array([0.5, 0.65, 0.75])).tolist() == [
        [True, True, False],  # in COCO it takes the box that is still free
        [True, True, False],
        [True, False, False],
    ]


def test_a_set_without_a_true_box_is_refused() -> None:
    with pytest.raises(UserError, match="no image has a box to score against"):
        detection_scores(torch.zeros(1, 2, 6), torch.full((1, 2, 5), -1.0), CLASSES)


def test_rows_of_class_minus_one_do_not_count() -> None:
    labels = torch.tensor([[[0.0, 0, 10, 10, 1], [0, 0, 0, 0, -1]]])
    found = torch.tensor([[[0.0, 0, 10, 10, 1, 0.9], [0, 0, 10, 10, -1, 0.95]]])
    assert detection_scores(found, labels, CLASSES) == pytest.approx(
        {"map": 1.0, "map_50": 1.0, "map/a": 1.0, "voc07_ap": 1.0}
    )


def test_map_of_one_box_of_seventy_per_cent_overlap() -> None:
    found, truth = [rows([0, 0, 10, 7.01, 1, 0.9])], [rows([0, 0, 10, 10, 1])]
    scores = coco_scores(found, truth, CLASSES)
    assert scores == pytest.approx({"map": 0.5, "map_50": 1.0, "map/a": 0.5})  # 0.5 to 0.7 of ten thresholds
    assert image_maps(found[0][None], truth[0][None])[0] == pytest.approx(0.5)


def random_scene(seed: int) -> tuple[Tensor, Tensor]:
    """Six true boxes of two classes; detections near them, far from them, and twice."""
    generator = seeded(seed)
    corner = torch.rand(6, 2, generator=generator) * 50
    truth = torch.cat([corner, corner + 8 + torch.rand(6, 2, generator=generator) * 12], dim=1)
    ids = torch.randint(1, 3, (6, 1), generator=generator).float()
    near = torch.cat([truth, truth[:3]]) + torch.randn(9, 4, generator=generator)
    far = torch.cat([corner[:2] + 5, corner[:2] + 20], dim=1)
    boxes = torch.cat([near, far])
    classes = torch.cat([ids, ids[:3], ids[:2]])
    scores = torch.rand(11, 1, generator=generator)
    return torch.cat([boxes, classes, scores], dim=1), torch.cat([truth, ids], dim=1)


@pytest.mark.parametrize("seed", range(8))
def test_the_map_of_one_image_is_that_of_coco(seed: int) -> None:
    found, truth = random_scene(seed)
    expected = coco_scores([found], [truth], CLASSES)["map"]
    assert 0 < expected < 1
    assert image_maps(found[None], truth[None])[0] == pytest.approx(expected, abs=0.005)


def test_an_image_without_a_box_has_no_score() -> None:
    labels = torch.full((1, 2, 5), -1.0)
    assert np.isnan(image_maps(torch.zeros(1, 0, 6), labels)[0])
