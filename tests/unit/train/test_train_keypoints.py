import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from stages.common.affine import AffineParams
from stages.common.device import seeded
from stages.common.errors import UserError
from stages.common.heatmaps import decode, encode
from stages.common.samples import SampleSet
from stages.common.spec import DatasetSpec
from stages.common.warp import random_affine, warp_images, warp_points
from stages.train.params import TrainParams
from stages.train.targets import make_target
from stages.train.targets.base import Target


def target(
    height: int = 40, width: int = 60, keypoints: int = 2, flip: tuple[int, ...] = (), **params: dict[str, Any]
) -> Target:
    spec = DatasetSpec(name="points", size=(height, width), channels=1, keypoints=keypoints, flip=flip)
    return make_target(spec, TrainParams.model_validate({"target": "hourglass"} | params))


def sample_set(keypoints: np.ndarray | None) -> SampleSet:
    count = 1 if keypoints is None else len(keypoints)
    index = pd.DataFrame({"key": [str(i) for i in range(count)]})
    return SampleSet(np.zeros((count, 40, 60, 1), np.uint8), None, index, keypoints=keypoints)


def blob(places: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, 1, H, W): a smooth bright dot at each place (N, 2)."""
    return encode(places[:, None], size, sigma=1.5)


def brightest(images: Tensor) -> Tensor:
    """(N, 2) x, y of the centre of brightness."""
    rows, columns = (torch.arange(side, dtype=torch.float32) for side in images.shape[2:])
    total = images.sum(dim=(1, 2, 3))
    x, y = (images[:, 0] * columns).sum(dim=(1, 2)), (images[:, 0] * rows[:, None]).sum(dim=(1, 2))
    return torch.stack([x, y], dim=1) / total[:, None]


@pytest.mark.parametrize("size", [(40, 60), (60, 40), (48, 48)])
@pytest.mark.parametrize(
    "ranges",
    [{"rotate": 40}, {"scale": 0.3}, {"shear": 20}, {"shift": 0.1}, {"flip": True}, {"rotate": 20, "shear": 10}],
    ids=lambda ranges: "+".join(ranges),
)
def test_a_bright_dot_stays_under_its_keypoint(size: tuple[int, int], ranges: dict[str, float]) -> None:
    still = {"rotate": 0, "scale": 0, "shear": 0, "shift": 0}
    maps = random_affine(50, size, AffineParams.model_validate(still | ranges), seeded(0))
    middle = torch.tensor([size[1], size[0]]) / 2 - 0.5
    places = middle + (torch.rand((50, 2), generator=seeded(1)) * 2 - 1) * torch.tensor([size[1], size[0]]) * 0.2
    moved = warp_points(places[:, None], maps, size)[:, 0]
    seen = brightest(warp_images(blob(places, size), maps))
    assert (moved - places).norm(dim=1).mean() > 0.5
    assert (moved - seen).norm(dim=1).max() < 0.5


def test_a_quarter_turn_of_a_point_worked_by_hand() -> None:
    quarter = torch.tensor([[[0.0, -0.5, 0.0], [2.0, 0.0, 0.0]]])
    # From the middle of 20 x 40 pixels: 5 right is x = 0.25 = -y'/2, so y' = -0.5; 2 up is y = -0.2 = 2 x', x' = -0.1.
    moved = warp_points(torch.tensor([[[24.5, 7.5]]]), quarter, (20, 40))[0, 0]
    assert moved.tolist() == pytest.approx([19.5 - 2, 9.5 - 5], abs=1e-4)


def test_keypoints_that_leave_the_image_become_unknown() -> None:
    labels = torch.tensor([[[10.0, 20.0, 2.0], [50.0, 20.0, 1.0], [5.0, 5.0, 0.0]]])
    right = torch.eye(2, 3)[None].clone()
    right[0, 0, 2] = -2 * 15 / 60  # 15 pixels to the right
    warped = target(keypoints=3).warp(labels, right)
    assert warped[0, :, 2].tolist() == [2.0, 0.0, 0.0]
    assert warped[0, 0, :2].tolist() == pytest.approx([25.0, 20.0], abs=1e-4)


def test_in_a_mirrored_image_keypoints_trade_places() -> None:
    labels = torch.tensor([[[10.0, 20.0, 2.0], [40.0, 5.0, 1.0]]])
    mirror = torch.tensor([[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    pair = target(flip=(1, 0), augment={"flip": True})
    assert torch.allclose(pair.warp(labels, mirror)[0], torch.tensor([[19.0, 5.0, 1.0], [49.0, 20.0, 2.0]]))
    assert torch.allclose(pair.warp(labels, torch.eye(2, 3)[None]), labels, atol=1e-5)
    with pytest.raises(UserError, match="which keypoints trade places"):
        target(augment={"flip": True}).labels(sample_set(labels.numpy()))


@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.0])
def test_decoding_finds_what_was_encoded_between_the_pixels(sigma: float) -> None:
    places = torch.rand((50, 4, 2), generator=seeded(0)) * torch.tensor([27.0, 19.0]) + 2
    found = decode(encode(places, (24, 32), sigma))
    assert (found - places).norm(dim=2).max() < 0.1


def test_decoding_survives_empty_and_negative_maps_and_peaks_at_the_edge() -> None:
    assert torch.equal(decode(torch.full((1, 1, 4, 5), -1.0)), torch.zeros(1, 1, 2))
    corner = torch.zeros(1, 1, 4, 5)
    corner[0, 0, 3, 4] = 1
    assert decode(corner).tolist() == [[[4.0, 3.0]]]


def test_a_perfect_network_is_right_to_a_fraction_of_a_pixel() -> None:
    chosen = target(height=36, width=60)
    places = torch.rand((20, 2, 2), generator=seeded(0)) * torch.tensor([48.0, 24.0]) + 6
    labels = torch.cat([places, torch.ones(20, 2, 1)], dim=2)
    maps = encode((places + 0.5) * torch.tensor([16 / 60, 10 / 36]) - 0.5, (10, 16), 1.0)
    outputs = torch.stack([torch.zeros_like(maps), maps], dim=1)
    assert (chosen.predict(outputs)[:, :, :2] - places).abs().max() < 0.05
    assert chosen.loss_terms(outputs, labels, None)["heat_map_2"] < 1e-10
    assert chosen.loss_terms(outputs, labels, None)["heat_map_1"] > 1e-3


def test_the_loss_worked_by_hand() -> None:
    labels = torch.tensor([[[1.0, 0.0, 2.0], [0.0, 0.0, 0.0]]])
    outputs = torch.zeros(1, 1, 2, 2, 2)
    near = math.exp(-1 / 2)
    expected = (1 + near**2 + near**2 + near**4) / 4
    assert target(2, 2).loss_terms(outputs, labels, None)["heat_map_1"].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("place", [35.0, math.nan])
def test_unknown_keypoints_change_nothing(place: float) -> None:
    chosen = target(keypoints=3)
    labels = torch.rand((4, 3, 3), generator=seeded(0)) * 20
    labels[:, 1, 2] = 0
    outputs = torch.rand((4, 2, 3, 8, 12), generator=seeded(1), requires_grad=True)
    elsewhere = labels.clone()
    elsewhere[:, 1, :2] = place
    losses = [chosen.loss_terms(outputs, some, None) for some in (labels, elsewhere)]
    assert [term.item() for term in losses[0].values()] == [term.item() for term in losses[1].values()]
    torch.stack(list(losses[0].values())).sum().backward()
    assert outputs.grad is not None
    assert (outputs.grad[:, :, 1] == 0).all()
    assert (outputs.grad[:, :, 0] != 0).any()
    predictions = chosen.predict(outputs.detach())
    assert chosen.scores(predictions, labels) == chosen.scores(predictions, elsewhere)
    assert "pck/1" not in chosen.scores(predictions, labels)


def test_no_known_keypoint_in_a_batch_costs_nothing() -> None:
    assert target().loss_terms(torch.ones(2, 1, 2, 8, 8), torch.zeros(2, 2, 3), None)["heat_map_1"] == 0


def test_pck_worked_by_hand() -> None:
    labels = torch.tensor([[[10.0, 10.0, 2.0], [20.0, 20.0, 1.0]], [[10.0, 10.0, 2.0], [0.0, 0.0, 0.0]]])
    predictions = labels + torch.tensor([[[3.0, 4.0, 0.0], [0.0, 2.0, 0.0]], [[6.0, 8.0, 0.0], [9.0, 0.0, 2.0]]])
    # Distances 5 and 2, then 10 and one that does not count.
    spec = DatasetSpec(name="points", size=(40, 60), channels=1, keypoints=2)
    chosen = make_target(spec, TrainParams.model_validate({"target": "hourglass", "keypoints": {"within_px": 5}}))
    assert chosen.scores(predictions, labels) == pytest.approx(
        {
            "pck": 2 / 3,
            "pck/0": 0.5,
            "pck/1": 1.0,
            "pck_2px": 1 / 3,
            "pck_5px": 2 / 3,
            "pck_10px": 1.0,
            "distance_px": 17 / 3,
            "nme": 3.5 / (10 * 2**0.5),  # of the first image; the second has no box around one keypoint
        }
    )
    assert chosen.image_scores(predictions, labels).tolist() == [1.0, 0.0]
    assert np.isnan(chosen.image_scores(predictions[1:, 1:], labels[1:, 1:])[0])


def test_the_deciding_distance_and_the_curve_are_params() -> None:
    labels = torch.tensor([[[10.0, 10.0, 2.0], [20.0, 20.0, 2.0]]])
    predictions = labels + torch.tensor([[[3.0, 0.0, 0.0], [0.0, 7.0, 0.0]]])
    chosen = make_target(
        DatasetSpec(name="points", size=(40, 60), channels=1, keypoints=2),
        TrainParams.model_validate({"keypoints": {"within_px": 7.5, "thresholds_px": [1, 2.5, 3, 7]}}),
    )
    scores = chosen.scores(predictions, labels)
    curve = {name: value for name, value in scores.items() if name.startswith("pck_")}
    assert curve == {"pck_1px": 0.0, "pck_2.5px": 0.0, "pck_3px": 0.5, "pck_7px": 1.0}
    assert scores["pck"] == 1.0
    assert chosen.metric.title == "share of keypoints within 7.5 px"
    assert scores[chosen.metric.name] == scores["pck"]


def test_scoring_without_a_known_keypoint_is_refused() -> None:
    with pytest.raises(UserError, match="all unknown"):
        target().scores(torch.ones(2, 2, 3), torch.zeros(2, 2, 3))


def test_labels_keep_known_keypoints_and_clear_unknown_ones() -> None:
    given = np.array([[[1, 2, 2], [np.nan, np.nan, 0]]], np.float32)
    labels = target().labels(sample_set(given))
    assert labels.dtype == torch.float32
    assert labels.tolist() == [[[1.0, 2.0, 2.0], [0.0, 0.0, 0.0]]]


def test_keypoints_outside_of_the_image_are_unknown() -> None:
    width = target().spec.size[1]
    given = np.array([[[width - 0.6, 2, 1], [width - 0.4, 2, 1]]], np.float32)
    assert target().labels(sample_set(given))[0, :, 2].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("keypoints", "sentence"),
    [
        (None, "this set lacks keypoints; put them in"),
        (np.zeros((1, 5, 3), np.float32), "a sample has 5 keypoints, but the dataset 2;"),
        (np.full((1, 2, 3), [1, np.nan, 2], np.float32), "a place that is no number"),
    ],
)
def test_wrong_labels_are_refused_in_one_sentence(keypoints: np.ndarray | None, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        target().labels(sample_set(keypoints))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("size", "scale"), [((36, 60), 3), ((127, 20), 2), ((128, 128), 1), ((224, 90), 1)])
def test_dots_are_drawn_at_their_places_and_small_images_enlarged(size: tuple[int, int], scale: int) -> None:
    images = np.full((1, *size, 1), 70, np.uint8)
    labels = torch.tensor([[[10.0, 5.0, 2.0], [4.0, 25.0, 1.0], [15.0, 15.0, 0.0]]])
    picture = target(*size, keypoints=3).draw(images, labels)[0]
    assert (picture.dtype, picture.shape) == (np.uint8, (size[0] * scale, size[1] * scale, 3))
    rows, columns = np.nonzero((picture != 70).any(axis=2))
    first = rows < 15 * scale
    assert columns[first].mean() == pytest.approx((10 + 0.5) * scale - 0.5, abs=0.6)
    assert rows[first].mean() == pytest.approx((5 + 0.5) * scale - 0.5, abs=0.6)
    # A disc has no hole, a ring has one, and an unknown keypoint leaves no mark.
    assert (picture[5 * scale + scale // 2, 10 * scale + scale // 2] != 70).any()
    assert (picture[25 * scale + scale // 2, 4 * scale + scale // 2] == 70).all()
    assert 0 < (~first).sum() < first.sum()
    assert columns.max() < 15 * scale - 2 * scale


@pytest.mark.parametrize(("side", "within"), [(32, 2.0), (64, 4.0), (224, 5.0)])
def test_the_distance_that_decides_follows_the_image_up_to_five_pixels(side: int, within: float) -> None:
    assert target(side, side).metric.title == f"share of keypoints within {within:g} px"
