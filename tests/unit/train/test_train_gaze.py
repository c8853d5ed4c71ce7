import math

import numpy as np
import pandas as pd
import pytest
import torch

from stages.common.errors import UserError
from stages.common.gaze import vectors_of
from stages.common.samples import SampleSet
from stages.common.spec import DatasetSpec
from stages.common.warp import warp_images
from stages.train.params import TrainParams
from stages.train.targets import make_target
from stages.train.targets.gaze import GazeTarget, angles_between


def gaze_target(size: tuple[int, int] = (36, 60)) -> GazeTarget:
    return GazeTarget(DatasetSpec(name="eyes", size=size, channels=1, gaze=True), TrainParams())


def directions(*angles: tuple[float, float]) -> torch.Tensor:
    return torch.from_numpy(vectors_of(np.radians(np.array(angles)))).float()


def pixel_map(linear: list[list[float]], size: tuple[int, int]) -> torch.Tensor:
    """A map from output to input, in pixels about the middle, as `affine_grid` takes it."""
    side = torch.tensor([size[1], size[0]], dtype=torch.float32)
    scaled = torch.tensor(linear) * side / side[:, None]
    return torch.cat([scaled, torch.zeros(2, 1)], dim=1)[None]


def test_the_published_network_flattens_9600_features_of_a_35_by_55_eye() -> None:
    network = gaze_target((35, 55)).build()
    assert [m.in_features for m in network.modules() if isinstance(m, torch.nn.Linear)] == [9600, 1000]
    assert network(torch.zeros(2, 1, 35, 55)).shape == (2, 3)


def test_data_with_gaze_gets_the_gaze_network() -> None:
    assert make_target(DatasetSpec(name="eyes", size=(36, 60), channels=1, gaze=True), TrainParams()).name == "gaze_cnn"


def test_angles_are_exact_where_the_arc_cosine_is_not() -> None:
    tiny = directions((0, 0), (0, 10), (0, 1e-4))
    assert angles_between(tiny[[0, 0, 0]], tiny).tolist() == pytest.approx([0, 10, 1e-4], rel=1e-2)


def test_scores_are_the_mean_angle_and_the_share_within_seven_degrees() -> None:
    truth, found = directions((0, 0), (0, 0), (10, 0), (0, 0)), directions((0, 2), (6.9, 0), (10, 0), (0, -15.1))
    scores = gaze_target().scores(found, truth)
    assert scores["gaze_deg"] == pytest.approx((2 + 6.9 + 0 + 15.1) / 4, abs=1e-3)
    assert scores["within_7deg"] == 0.75


def test_half_the_squared_distance_is_the_loss() -> None:
    terms = gaze_target().loss_terms(torch.tensor([[1.0, 0, 0]]), torch.tensor([[0.0, 0, -1]]), None)
    assert terms["euclidean"].item() == pytest.approx(1.0)


@pytest.mark.parametrize("degrees", [20.0, -35.0])
def test_a_direction_turns_with_its_image(degrees: float) -> None:
    size, angle = (36, 60), math.radians(degrees)
    turn = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    maps = pixel_map(turn, size)
    place = np.array([10.0, -6.0])  # of a bright dot from the middle of the image, in pixels
    rows, columns = np.mgrid[: size[0], : size[1]] - np.array([17.5, 29.5])[:, None, None]
    image = np.exp(-((columns - place[0]) ** 2 + (rows - place[1]) ** 2) / 4)
    warped = warp_images(torch.from_numpy(image)[None, None].float(), maps)[0, 0].numpy()
    found = np.array([(warped * columns).sum(), (warped * rows).sum()]) / warped.sum()
    label = torch.tensor([[*(place / 40), -1.0]]).float()
    moved = gaze_target().warp(label, maps)[0]
    assert moved[:2].numpy() * 40 == pytest.approx(found, abs=0.2)
    assert moved[2] == -1


def test_mirroring_negates_the_yaw_alone_and_zoom_changes_nothing() -> None:
    label = directions((5, 12))
    mirrored = gaze_target().warp(label, pixel_map([[-1.3, 0], [0, 1.3]], (36, 60)))
    assert mirrored == pytest.approx(directions((5, -12)), abs=1e-6)


def test_gradients_reach_every_weight_and_the_loss_of_a_batch_falls() -> None:
    torch.manual_seed(0)
    target, network = gaze_target(), gaze_target().build()
    images, labels = torch.randn(4, 1, 36, 60), directions((0, 10), (5, -3), (-8, 0), (2, 2))
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    losses = []
    for _ in range(30):
        loss = target.loss_terms(network(images), labels, None)["euclidean"]
        optimiser.zero_grad()
        loss.backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.02 * losses[0]


def test_the_arrow_points_where_the_eye_looks() -> None:
    images = np.zeros((1, 36, 60, 1), np.uint8)
    picture = gaze_target().draw(images, directions((0, 30)))[0]
    drawn = np.argwhere(picture[..., 0] > 0)
    assert picture.shape == (108, 180, 3)
    assert drawn[:, 1].min() < 60
    assert drawn[:, 1].max() <= 92


def test_a_set_without_gaze_is_refused_in_a_sentence() -> None:
    bare = SampleSet(np.zeros((1, 36, 60, 1), np.uint8), None, pd.DataFrame({"key": ["a"]}))
    with pytest.raises(UserError, match=r"this set has no gaze; put labels\.csv"):
        gaze_target().labels(bare)
