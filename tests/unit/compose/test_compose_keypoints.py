"""Where keypoints of cut-outs lie in composites, against dots that are painted on the cut-outs and found again."""

import numpy as np
import pytest
import torch
from compose_builders import CPU, SPEC, as_bank, small_params

from stages.common.tensors import ImageBank
from stages.compose.composer import Composer, as_samples
from stages.compose.params import ComposeParams
from stages.compose.pasting import Canvas, Objects, paste
from stages.compose.placement import random_placements
from stages.compose.placers import place_randomly
from stages.generate.composite import composites
from stages.generate.params import GenerateParams

SIZE = (96, 80)
DOTS = torch.tensor([[38.3, 36.8], [33.0, 47.5], [44.6, 52.1]])  # x, y
STILL = {"rotate": 0, "shear": 0, "scale_x": [1, 1], "scale_y": [1, 1], "shift": 0}


def dotted(copies: int) -> Objects:
    """One cut-out a dot: a black rectangle off the middle of its canvas with a soft white dot, and its keypoint."""
    rows, columns = torch.arange(SIZE[0]), torch.arange(SIZE[1])
    x, y = DOTS[:, 0, None, None], DOTS[:, 1, None, None]
    light = torch.exp(-((columns[None, None] - x) ** 2 + (rows[None, :, None] - y) ** 2) / (2 * 1.5**2))
    alpha = torch.zeros(len(DOTS), *SIZE)
    alpha[:, 26:66, 22:58] = 1
    keypoints = torch.cat([DOTS, torch.full((len(DOTS), 1), 2.0)], dim=1)[:, None]
    found = Objects.of(light[:, None] * 2 - 1, alpha, torch.ones(len(DOTS), dtype=torch.long), keypoints)
    return found.take(torch.arange(len(DOTS)).repeat_interleave(copies))


def centroids(images: torch.Tensor) -> torch.Tensor:
    """(N, 2) x, y of the light in images (N, 1, H, W)."""
    light = (images[:, 0] + 1).double()
    total = light.sum(dim=(1, 2))
    y = (light.sum(dim=2) * torch.arange(SIZE[0])).sum(dim=1) / total
    x = (light.sum(dim=1) * torch.arange(SIZE[1])).sum(dim=1) / total
    return torch.stack([x, y], dim=1)


def params(**placement: object) -> ComposeParams:
    return small_params(placement=STILL | placement)


def black(count: int) -> Canvas:
    return Canvas.empty(torch.full((count, 1, *SIZE), -1.0))


@pytest.mark.parametrize(
    "ranges",
    [
        {},
        {"rotate": 180},
        {"shear": 0.6},
        {"scale_x": [0.6, 1.3]},
        {"scale_y": [0.6, 1.3]},
        {"shift": 1},
        {"rotate": 180, "shear": 0.4, "scale_x": [0.7, 1.2], "scale_y": [0.7, 1.2], "shift": 1},
    ],
    ids=lambda ranges: "+".join(ranges) or "none",
)
def test_a_keypoint_lies_where_the_dot_that_it_marks_is_seen(ranges):
    how, objects = params(**ranges), dotted(copies=20)
    placements = random_placements(len(objects), torch.Generator().manual_seed(0))
    canvas = paste(black(len(objects)), objects, placements, torch.zeros(len(objects), dtype=torch.long), how)
    assert canvas.keypoints is not None
    assert canvas.keypoints.shape == (60, 1, 1, 3)
    found, seen = canvas.keypoints[:, 0, 0, :2].double(), centroids(canvas.images)
    assert (found - seen).norm(dim=1).max() < 0.3
    assert (canvas.keypoints[..., 2] == 2).all()
    if ranges:
        # Where nothing moves, this would say nothing.
        assert (seen - centroids(objects.images)).norm(dim=1).max() > 2


def one(x: float, y: float, visibility: float = 2, side: int = 16) -> Objects:
    """A white square in the middle of the canvas with one keypoint anywhere."""
    alpha = torch.zeros(1, *SIZE)
    middle = (SIZE[0] // 2, SIZE[1] // 2)
    alpha[:, middle[0] - side // 2 : middle[0] + side // 2, middle[1] - side // 2 : middle[1] + side // 2] = 1
    keypoints = torch.tensor([[[x, y, visibility]]])
    return Objects.of(torch.ones(1, 1, *SIZE), alpha, torch.tensor([1]), keypoints)


def visibilities(*pasted: Objects, **placement: object) -> list[float]:
    canvas, how = black(1), params(**placement).model_copy(update={"min_visible": 0.5})
    for objects in pasted:
        canvas = paste(canvas, objects, torch.ones(1, 6), torch.zeros(1, dtype=torch.long), how)
    assert canvas.keypoints is not None
    return canvas.keypoints[0, :, 0, 2].tolist()


def test_a_keypoint_outside_of_the_frame_is_unknown():
    assert visibilities(one(44, 48)) == [2]
    assert visibilities(one(79.4, 95.4)) == [2]
    # Pushed to the corner by 32 and 40 pixels.
    assert visibilities(one(47, 55), shift=1) == [2]
    assert visibilities(one(48, 55), shift=1) == [0]
    assert visibilities(one(47, 56), shift=1) == [0]


def test_a_keypoint_under_a_later_object_is_hidden_and_its_place_known():
    small = one(40, 48, side=8)
    assert visibilities(one(40, 48), small) == [1, 2]
    assert visibilities(one(33, 41), small) == [2, 2]
    assert visibilities(one(40, 48, visibility=0), small) == [0, 2]
    assert visibilities(one(40, 48, visibility=1), small) == [1, 2]


def test_an_object_that_is_left_out_has_no_keypoints_and_hides_none():
    assert visibilities(one(40, 48), one(40, 48)) == [2, 0]


def test_a_place_that_is_no_number_stays_unknown():
    assert visibilities(one(float("nan"), float("nan"), visibility=0), one(40, 48, side=8)) == [0, 2]


def test_keypoints_are_differentiable_in_the_placement():
    placement = torch.zeros(1, 6, requires_grad=True)
    canvas = paste(black(1), one(40, 48), placement, torch.zeros(1, dtype=torch.long), params(shift=0.5))
    assert canvas.keypoints is not None
    (slope,) = torch.autograd.grad(canvas.keypoints[0, 0, 0, 0], placement)
    # Half of the free range: a square of 16 pixels in a frame 80 wide moves by 32 at most.
    assert slope[0].tolist() == pytest.approx([0, 0, 0, 0, 16, 0], abs=1e-4)


def composer(**placement: object) -> Composer:
    return Composer(as_bank(dotted(1)), ImageBank(np.zeros((2, *SIZE, 1), np.uint8), CPU), params(**placement))


def test_composites_of_cut_outs_with_keypoints_are_samples_with_keypoints():
    made = as_samples(composer(rotate=90, shift=1).compose(place_randomly, 8, torch.Generator().manual_seed(0)))
    keypoints = made.require_keypoints()
    assert keypoints.shape == (8, 1, 3)
    assert keypoints.dtype == np.float32
    spec = SPEC.model_copy(update={"size": SIZE, "keypoints": 1, "classes": ("background", "card")})
    samples = list(composites(composer(rotate=90, shift=1), place_randomly, GenerateParams(samples=6), 0, spec, ""))
    for sample in samples:
        assert sample.mask is not None
        assert sample.keypoints is not None
        light = centroids(torch.from_numpy(sample.image.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None])
        assert np.abs(light[0].numpy() - sample.keypoints[0, :2]).max() < 0.3


def test_a_data_set_without_keypoints_gets_none():
    spec = SPEC.model_copy(update={"size": SIZE, "classes": ("background", "card")})
    (sample,) = composites(composer(), place_randomly, GenerateParams(samples=1), 0, spec, "")
    assert sample.keypoints is None
