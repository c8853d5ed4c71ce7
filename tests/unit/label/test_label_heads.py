"""Heads for keypoints, depth and classes of images: what pixels learn, what members say together."""

import numpy as np
import pytest
import torch

from stages.common.heatmaps import encode
from stages.common.spec import DatasetSpec
from stages.label.heads import ClassHead, DepthHead, KeypointHead, SegmentationHead, head_for, head_from
from stages.label.params import LabelParams
from stages.label.votes import Labels

SIZE = (16, 12)


def test_heat_maps_of_all_pixels_lead_back_to_the_keypoints() -> None:
    head = KeypointHead(2, SIZE, 1.5)
    label = np.array([[4.3, 9.6, 2], [8.0, 3.2, 1]], np.float32)
    maps = head.targets(label, np.arange(16 * 12)).reshape(1, *SIZE, 2)
    found = head.finish(torch.from_numpy(maps))[0]
    assert found[:, :2].numpy() == pytest.approx(label[:, :2], abs=1e-3)


def test_a_keypoint_that_no_pixel_stands_out_for_is_unknown() -> None:
    head = KeypointHead(2, SIZE, 1.5, least_peak=0.1)
    maps = encode(torch.tensor([[[4.0, 9.0], [8.0, 3.0]]]), SIZE, 1.5) * torch.tensor([0.11, 0.09])[:, None, None]
    assert head.finish(maps.movedim(1, 3))[0].tolist() == [pytest.approx([4, 9, 2]), pytest.approx([8, 3, 0])]


def test_an_unknown_keypoint_costs_nothing_and_has_no_gradient() -> None:
    head = KeypointHead(2, SIZE, 1.5)
    label = np.array([[4, 9, 2], [8, 3, 0]], np.float32)
    targets = torch.from_numpy(head.targets(label, np.arange(20)))
    outputs = torch.randn(3, 20, 2, generator=torch.Generator().manual_seed(0), requires_grad=True)
    losses = head.loss(outputs, targets.expand(3, -1, -1))
    expected = (outputs[..., 0] - targets[:, 0]).square().mean(dim=1)
    assert torch.allclose(losses, expected)
    losses.sum().backward()
    assert outputs.grad is not None
    assert not outputs.grad[..., 1].any()


def test_pixels_near_a_keypoint_are_a_stratum_of_their_own() -> None:
    head = KeypointHead(2, SIZE, 1.0)
    strata = head.strata(np.array([[2, 2, 2], [9, 12, 0]], np.float32))
    assert strata[2, 2] == 1
    assert strata[2, 4] == 1  # two deviations away
    assert strata[2, 5] == 0
    assert strata[12, 9] == 0


def test_members_that_differ_are_uncertain_and_their_maps_are_averaged() -> None:
    head = KeypointHead(1, (1, 2), 1.0)
    said = head.combine(torch.tensor([[[[0.0], [1.0]]], [[[1.0], [1.0]]]]))
    assert said.values[0, :, 0].tolist() == [0.5, 1.0]
    assert said.uncertainty.tolist() == [[0.25, 0.0]]


def keypoint_score(*members: torch.Tensor) -> float:
    head = KeypointHead(1, (24, 24), 1.5)
    said = head.combine(torch.stack(members)[:, 0, :, :, None])
    return float(head.score(Labels(said.values[None], said.uncertainty[None]), 0.1))


def test_keypoints_are_the_less_certain_the_less_members_see_them_in_one_place() -> None:
    def at(x: float, height: float = 1.0) -> torch.Tensor:
        return height * encode(torch.tensor([[[x, 12.0]]]), (24, 24), 1.5)[0]

    agreed = keypoint_score(at(12), at(12), at(12), at(12))
    near = keypoint_score(at(11), at(13), at(11), at(13))
    apart = keypoint_score(at(4), at(20), at(4), at(20))
    flat = keypoint_score(*[at(x, 0.02) for x in (11, 13, 4, 20)])
    assert agreed == pytest.approx(0, abs=1e-6)
    assert near == pytest.approx(1 - np.exp(-1 / (2 * 1.5**2)), abs=1e-6)
    assert apart == pytest.approx(0.5, abs=1e-3)
    assert agreed < near < apart < flat


def test_pixels_are_scored_by_the_most_uncertain_share() -> None:
    said = Labels(torch.zeros(1, 10, 10), torch.arange(100.0).view(1, 10, 10))
    for head in (SegmentationHead(3), DepthHead()):
        assert head.score(said, 0.1).tolist() == pytest.approx([94.5])


def test_depth_is_learnt_where_it_is_known_alone() -> None:
    head = DepthHead()
    outputs = torch.tensor([[[0.0, 20.0], [5.0, -20.0]]])
    assert float(head.loss(outputs, torch.tensor([[1.0, 0.0]]))) == pytest.approx(0.0, abs=1e-6)
    assert float(head.loss(outputs, torch.tensor([[np.e, 0.0]], dtype=torch.float32))) == pytest.approx(1.0, abs=1e-5)


def test_depth_is_unknown_where_most_members_say_so() -> None:
    said = DepthHead().combine(torch.tensor([[[0.0, 9.0], [1.0, -9.0]], [[2.0, 9.0], [1.0, -9.0]]]))
    assert said.values.tolist() == pytest.approx([np.e, 0.0])
    assert said.uncertainty[0] == pytest.approx(1.0)
    assert said.uncertainty[1] == pytest.approx(0.0)


def test_a_head_comes_back_from_what_is_stored() -> None:
    for head in (SegmentationHead(4), KeypointHead(3, SIZE, 2.0, 0.2), DepthHead(), ClassHead(3)):
        assert head_from(head.kind, head.config()) == head


def test_the_labels_of_the_dataset_choose_the_head() -> None:
    spec = DatasetSpec(name="x", size=SIZE, channels=1, classes=("background", "a"))
    points = spec.model_copy(update={"classes": (), "keypoints": 3})
    assert head_for(spec, 1.0) == SegmentationHead(2)
    assert head_for(points, 1.0, 0.3) == KeypointHead(3, SIZE, 1.0, 0.3)
    assert head_for(points.model_copy(update={"keypoints": 0, "depth": True}), 1.0) == DepthHead()
    assert head_for(spec.model_copy(update={"labels": "image"}), 1.0) == ClassHead(1)


def test_the_class_of_an_image_is_one_pixel_whose_ids_begin_at_one() -> None:
    head = ClassHead(3)
    assert head.strata(np.int64(2)).shape == (1, 1)
    assert head.targets(np.int64(2), np.array([0])).tolist() == [1]
    votes = torch.tensor([[[[9.0, 0.0, 0.0]]], [[[0.0, 0.0, 9.0]]], [[[0.0, 0.0, 9.0]]]])
    said = head.combine(votes)
    assert head.finish(said.values[None]).tolist() == [3]
    assert float(head.combine(votes[1:]).uncertainty) == pytest.approx(0.0, abs=1e-6)
    assert 0.3 < float(said.uncertainty) < np.log(3)


@pytest.mark.parametrize("hidden", [[256], [0, 1], [1, 2, 3], "auto2", True, [True, 2]])
def test_layers_that_are_not_two_widths_are_refused_with_an_example(hidden: object) -> None:
    with pytest.raises(ValueError, match=r"must be auto, or the units of the two hidden layers, such as \[256, 32\]"):
        LabelParams.model_validate({"hidden": hidden})
    assert LabelParams.model_validate({"hidden": [256, 32]}).hidden == (256, 32)
