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
    flipped,
    image_maps,
    interpolated,
    shares,
    voc07_ap,
    voc_excused,
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


def test_what_finds_an_ignored_box_is_neither_right_nor_wrong_in_voc() -> None:
    truths, passed = [rows([0, 0, 10, 10, 1], [20, 0, 30, 10, 1])], [rows([40, 0, 50, 10, 1], [60, 0, 70, 10, 2])]
    found = [
        rows(
            [40, 0, 50, 10, 1, 0.95],  # an ignored box, and the same once more: not counted
            [40, 0, 50, 9, 1, 0.9],
            [0, 0, 10, 10, 1, 0.8],  # right
            [60, 0, 70, 10, 1, 0.7],  # an ignored box of another class: wrong
            [40, 0, 50, 4.9, 1, 0.6],  # overlaps an ignored box by less than half: wrong
            [20, 0, 30, 10, 1, 0.5],  # right
        )
    ]
    # Right, wrong, wrong, right of two: precision 1 up to recall 1/2, which is 6 of the 11 levels, then 1/2.
    assert voc07_ap(found, truths, passed) == pytest.approx((6 * 1 + 5 * 1 / 2) / 11)
    # Without the mark: wrong, wrong, right, wrong, wrong, right: precision 1/3 throughout.
    assert voc07_ap(found, truths) == pytest.approx(1 / 3)


def test_a_detection_falls_to_the_box_that_it_overlaps_most_also_among_ignored_ones() -> None:
    overlap = np.array([[0.6, 0.7], [0.7, 0.6], [0.1, 0.4]])
    assert voc_excused(overlap, 1).tolist() == [True, False, False]
    assert voc_excused(overlap, 2).tolist() == [False] * 3
    assert voc_excused(np.zeros((2, 0)), 0).tolist() == [False, False]


def test_a_crowd_excuses_by_the_share_of_the_detection_that_lies_in_it() -> None:
    small, half = rows([10, 10, 20, 20, 1, 0.9]), rows([-5, 0, 5, 10, 1, 0.9])
    crowd = rows([0, 0, 100, 100, 1])
    assert shares(torch.cat([small, half]), crowd).tolist() == [[1.0], [0.5]]
    # Right, and before it one in the crowd by 0.72 of its area: excused at IoU 0.5 to 0.7, wrong at 0.75 to 0.95.
    truth, inside = rows([200, 0, 210, 10, 1]), rows([-2.8, 0, 7.2, 10, 1, 0.9])
    found = torch.cat([inside, rows([200, 0, 210, 10, 1, 0.8])])
    expected = (5 * 1 + 5 * 1 / 2) / 10
    assert coco_scores([found], [truth], CLASSES, [crowd])["map"] == pytest.approx(expected)
    labels = torch.cat([truth, flipped(crowd)])[None]
    assert image_maps(found[None], labels) == pytest.approx([expected])
    assert coco_scores([found], [truth], CLASSES)["map"] == pytest.approx(0.5)


def test_ignored_boxes_in_scores_agree_with_coco_on_random_images() -> None:
    random = seeded(3)
    for _ in range(5):
        corners = torch.rand(9, 2, generator=random) * 60
        boxes = torch.cat([corners, corners + 5 + torch.rand(9, 2, generator=random) * 30], dim=1)
        truth, crowd = (torch.cat([part, torch.ones(len(part), 1)], dim=1) for part in (boxes[:3], boxes[3:5]))
        moved = torch.cat([boxes, boxes]) + torch.randn(18, 1, generator=random)
        found = torch.cat([moved, torch.ones(18, 1), torch.rand(18, 1, generator=random)], dim=1)
        labels = torch.cat([truth, flipped(crowd)])[None]
        pooled = detection_scores(found[None], labels, CLASSES)
        assert image_maps(found[None], labels) == pytest.approx([pooled["map"]], abs=1e-6)
        assert pooled["map"] > coco_scores([found], [truth], CLASSES)["map"]


def test_an_image_with_ignored_boxes_alone_has_no_score_and_a_class_with_them_alone_none_either() -> None:
    crowd = flipped(rows([0, 0, 50, 50, 2]))
    labels = torch.stack([torch.cat([rows([0, 0, 9, 9, 1]), crowd]), torch.cat([crowd, crowd])])
    found = torch.stack([rows([0, 0, 9, 9, 1, 0.9]), rows([20, 20, 30, 30, 2, 0.9])])
    scores = detection_scores(found, labels, CLASSES)
    assert scores == pytest.approx({"map": 1, "map_50": 1, "map/a": 1, "voc07_ap": 1})
    assert image_maps(found, labels) == pytest.approx([1, np.nan], nan_ok=True)
    with pytest.raises(UserError, match="no image has a box to score against"):
        detection_scores(found[1:], labels[1:], CLASSES)
