import math

import pytest
import torch
from torch import Tensor

from stages.common.device import seeded
from stages.train.params import DetectorParams
from stages.train.targets.default_boxes import decode, default_boxes, encode, match
from stages.train.targets.ssd import SmallSSD


def random_boxes(count: int, side: float, seed: int) -> Tensor:
    draws = torch.rand(count, 4, generator=seeded(seed))
    corner = draws[:, :2] * side * 0.7
    return torch.cat([corner, corner + 1 + draws[:, 2:] * side * 0.3], dim=1)


def test_default_boxes_worked_by_hand() -> None:
    boxes = default_boxes((8, 8), (0.5,), (1.0, 4.0))
    between = math.sqrt(4 * 8) / 2
    assert boxes.shape == (4 * 3, 4)
    assert boxes[0].tolist() == [0, 0, 4, 4]  # around the middle 2, 2 of the first place
    assert boxes[1].tolist() == [-2, 1, 6, 3]  # as large, four times as wide as high
    assert boxes[2].tolist() == pytest.approx([2 - between, 2 - between, 2 + between, 2 + between])
    assert boxes[3].tolist() == [4, 0, 8, 4]
    assert boxes[6].tolist() == [0, 4, 4, 8]


@pytest.mark.parametrize("size", [(64, 64), (37, 50), (16, 90)])
def test_there_is_an_output_for_each_default_box(size: tuple[int, int]) -> None:
    params = DetectorParams(width=8)
    network = SmallSSD(1, 3, params).eval()
    with torch.no_grad():
        outputs = network(torch.zeros(2, 1, *size))
    assert outputs.shape == (2, len(default_boxes(size, params.scales, params.aspects)), 3 + 4)


def test_outputs_and_default_boxes_are_in_the_same_order() -> None:
    params = DetectorParams(width=8, scales=(0.2,))
    torch.manual_seed(0)
    network = SmallSSD(1, 3, params).eval()
    black, dot = torch.zeros(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
    dot[0, 0, 20, 44] = 1
    with torch.no_grad():
        change = (network(dot) - network(black)).abs().sum(dim=2)[0]
    boxes = default_boxes((64, 64), params.scales, params.aspects)
    x, y = ((boxes[:, i] + boxes[:, i + 2]) / 2 for i in (0, 1))
    assert abs(float((x * change).sum() / change.sum()) - 44) < 4
    assert abs(float((y * change).sum() / change.sum()) - 20) < 4


def test_offsets_worked_by_hand() -> None:
    default = torch.tensor([0.0, 0.0, 10.0, 20.0])
    moved = torch.tensor([1.0, 4.0, 11.0, 24.0])
    assert encode(moved, default).tolist() == pytest.approx([1.0, 2.0, 0.0, 0.0])  # 0.1 and 0.2 of the sides, by 0.1
    wider = torch.tensor([-5.0, 0.0, 15.0, 20.0])
    assert encode(wider, default).tolist() == pytest.approx([0.0, 0.0, math.log(2) / 0.2, 0.0])


def test_decoding_undoes_encoding() -> None:
    boxes, defaults = random_boxes(50, 64, 1), random_boxes(50, 64, 2)
    torch.testing.assert_close(decode(encode(boxes, defaults), defaults), boxes, atol=1e-4, rtol=1e-4)


DEFAULTS = torch.tensor([[0.0, 0, 10, 10], [10, 0, 20, 10], [0, 0, 10, 12], [30, 30, 40, 40]])


def test_matching_worked_by_hand() -> None:
    boxes = torch.tensor([[[0.0, 0, 10, 10], [8, 0, 18, 10], [12, 0, 14, 4]]])
    there = torch.tensor([[True, True, True]])
    # The first takes default 0 (IoU 1) and, by threshold, 2 (100 / 120); the second takes 1 (80 / 120). The third
    # overlaps 1 alone, which is taken by a better one.
    assert match(boxes, there, DEFAULTS).tolist() == [[0, 1, 0, -1]]


def test_a_small_box_gets_its_best_default_box_however_small_the_overlap() -> None:
    boxes = torch.tensor([[[12.0, 0, 14, 4], [0, 0, 0, 0]]])
    assert match(boxes, torch.tensor([[True, False]]), DEFAULTS).tolist() == [[-1, 0, -1, -1]]


def test_an_image_without_boxes_is_background_everywhere() -> None:
    assert (match(torch.zeros(1, 2, 4), torch.zeros(1, 2, dtype=torch.bool), DEFAULTS) == -1).all()


def iou(one: list[float], two: list[float]) -> float:
    width = min(one[2], two[2]) - max(one[0], two[0])
    height = min(one[3], two[3]) - max(one[1], two[1])
    common = max(width, 0) * max(height, 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, two)]
    return common / (sum(areas) - common)


def slow_match(boxes: list[list[float]], defaults: list[list[float]]) -> list[int]:
    """One image, pair by pair."""
    table = {(b, d): iou(box, default) for b, box in enumerate(boxes) for d, default in enumerate(defaults)}
    owner = [-1] * len(defaults)
    for d in range(len(defaults)):
        best = max(range(len(boxes)), key=lambda b: table[b, d])
        owner[d] = best if table[best, d] >= 0.5 else -1
    left = dict(table)
    while left and max(left.values()) > 0:
        b, d = max(left, key=lambda pair: left[pair])
        owner[d] = b
        left = {pair: value for pair, value in left.items() if pair[0] != b and pair[1] != d}
    return owner


@pytest.mark.parametrize("seed", range(5))
def test_matching_a_batch_is_as_slow_matching_of_each_image(seed: int) -> None:
    defaults = random_boxes(80, 32, seed + 100)  # of sizes of their own: of equal overlaps either could be taken
    boxes = random_boxes(8, 32, seed).reshape(2, 4, 4)
    there = torch.tensor([[True, True, True, True], [True, True, False, False]])
    found = match(boxes, there, defaults)
    for image in range(2):
        real = boxes[image][there[image]].tolist()
        assert found[image].tolist() == slow_match(real, defaults.tolist())
