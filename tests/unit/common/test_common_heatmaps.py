"""Labels that move with their images: keypoints and depth."""

import math

import torch

from stages.common.heatmaps import decode, encode
from stages.common.warp import warp_depth, warp_keypoints


def turned(degrees: float) -> torch.Tensor:
    angle = math.radians(degrees)
    return torch.tensor([[[math.cos(angle), -math.sin(angle), 0.0], [math.sin(angle), math.cos(angle), 0.0]]])


def test_places_come_back_from_their_heat_maps() -> None:
    places = torch.rand(3, 5, 2, generator=torch.Generator().manual_seed(0)) * 20 + 6
    assert torch.allclose(decode(encode(places, (32, 32), 1.5)), places, atol=1e-3)


def test_places_at_the_border_come_back_from_their_heat_maps() -> None:
    # Width 12, height 9. The logs of a Gaussian of 1.5 at 0.3 are -0.02, -0.1089, -0.6422 at the first three pixels:
    # second difference -0.4444, slope at the first one 0.1333, so the top is 0.1333 / 0.4444 = 0.3 beyond it.
    places = torch.tensor([[[0.0, 0.3], [0.3, 0.0], [10.7, 7.7], [11.0, 8.0], [11.3, -0.3], [0.4, 4.2]]])
    assert torch.allclose(decode(encode(places, (9, 12), 1.5)), places, atol=0.02)


def test_a_border_that_tells_of_no_top_keeps_the_highest_pixel() -> None:
    valley = torch.tensor([1.0, 0.1, 0.09, 0.08])
    steep = torch.tensor([1.0, 0.9, 0.0, 0.0])  # a log of 0 would be any number
    outside = torch.tensor([1.0, 0.5, 0.24, 0.1])  # nearly exponential: its top is far outside
    maps = torch.stack([valley, steep, outside])[None, :, None, :].expand(1, 3, 1, 4)
    assert decode(maps)[0, :, 0].tolist() == [0.0, 0.0, -0.5]
    assert decode(torch.zeros(1, 1, 2, 3))[0, 0].tolist() == [0.0, 0.0]


def test_a_keypoint_turns_with_its_image_and_is_unknown_outside() -> None:
    # An output pixel takes from the input turned by 90 degrees: what was right of the middle comes to lie above it.
    points = torch.tensor([[[25.5, 15.5, 2.0], [15.5, 15.5, 1.0]]])
    moved = warp_keypoints(points, turned(90), (32, 32))
    assert torch.allclose(moved[0], torch.tensor([[15.5, 5.5, 2.0], [15.5, 15.5, 1.0]]), atol=1e-4)
    away = torch.tensor([[[1.0, 0.0, 1.2], [0.0, 1.0, 0.0]]])
    assert warp_keypoints(points, away, (32, 32))[0, :, 2].tolist() == [2.0, 0.0]


def test_mirrored_keypoints_trade_places() -> None:
    points = torch.tensor([[[4.0, 8.0, 2.0], [20.0, 8.0, 2.0]]])
    mirror = torch.tensor([[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    moved = warp_keypoints(points, mirror, (32, 32), flip=(1, 0))
    assert torch.allclose(moved[0, :, 0], torch.tensor([11.0, 27.0]))


def test_unknown_depth_is_not_mixed_into_known_depth() -> None:
    depth = torch.zeros(1, 8, 8)
    depth[:, :, 4:] = 3.0
    half = torch.tensor([[[1.0, 0.0, 0.1], [0.0, 1.0, 0.0]]])  # 0.4 pixels
    moved = warp_depth(depth, half)
    assert set(moved.unique().tolist()) <= {0.0, 3.0}
    assert (moved[0, 0] > 0).sum() == 4  # the border pixel takes 0.4 from the known side and stays unknown
    assert torch.equal(warp_depth(depth, torch.eye(2, 3)[None]), depth)
