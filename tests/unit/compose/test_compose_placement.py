import math

import pytest
import torch
from compose_builders import shapes, small_params

from stages.compose.params import PlacementParams
from stages.compose.pasting import warped
from stages.compose.placement import (
    affine_maps,
    bounded,
    boxes_of,
    linear_maps,
    placed_boxes,
    random_placements,
)

WIDE = PlacementParams(rotate=180, shear=1, scale_x=(0.3, 2.5), scale_y=(0.3, 2.5))


def test_no_parameter_leaves_its_range_whatever_the_network_says():
    raw = torch.tensor([[1e6, -1e6, 3.0, -3.0, 0.0, 50.0]])
    assert (bounded(raw).abs() <= 1).all()
    params = PlacementParams(rotate=30, shear=0, scale_x=(0.5, 2.0), scale_y=(0.5, 2.0))
    ends = linear_maps(torch.tensor([[1.0, 0, 1, -1, 0, 0], [-1.0, 0, -1, 1, 0, 0]]), params)
    angles = torch.atan2(ends[:, 1, 0], ends[:, 0, 0]) * 180 / math.pi
    assert angles.tolist() == pytest.approx([30, -30])
    assert ends[:, :, 0].norm(dim=1).tolist() == pytest.approx([2.0, 0.5])
    assert ends[:, :, 1].norm(dim=1).tolist() == pytest.approx([0.5, 2.0])


def test_a_shear_moves_the_upper_edge_against_the_lower():
    shear = linear_maps(torch.tensor([[0.0, 1, 0, 0, 0, 0]]), PlacementParams(rotate=0, shear=0.25))
    assert torch.allclose(shear[0], torch.tensor([[1.0, 0.25], [0.0, 1.0]]))


def test_the_middle_of_all_ranges_puts_the_object_in_the_middle_as_it_is():
    objects = shapes()
    images, alpha = warped(objects, torch.zeros(2, 6), small_params())
    assert alpha.sum(dim=(1, 2)).tolist() == pytest.approx([48, 64])
    assert boxes_of(alpha).tolist() == [[10, 10, 22, 14], [12, 8, 20, 16]]
    assert (images[0, 0, 10:14, 10:22] == 1).all()


def test_the_ends_of_the_shift_touch_the_frame():
    params = small_params(placement={"rotate": 0, "shear": 0, "scale_x": [1, 1], "scale_y": [1, 1]})
    corners = torch.tensor([[0.0, 0, 0, 0, -1, -1], [0, 0, 0, 0, 1, 1]])
    _, alpha = warped(shapes(), corners, params)
    assert boxes_of(alpha).tolist() == [[0, 0, 12, 4], [24, 16, 32, 24]]


def test_an_object_stays_in_view_wherever_it_is_put():
    objects = shapes().take(torch.arange(2).repeat(200))
    placements = random_placements(400, torch.Generator().manual_seed(0))
    boxes = placed_boxes(placements, objects.boxes, (24, 32), WIDE)
    fits = (boxes[:, 2] - boxes[:, 0] <= 32) & (boxes[:, 3] - boxes[:, 1] <= 24)
    assert int(fits.sum()) > 300
    assert (boxes[fits] >= -1e-4).all()
    assert (boxes[fits] <= torch.tensor([32, 24, 32, 24]) + 1e-4).all()


def test_a_placed_box_is_the_box_of_the_warped_object():
    objects = shapes().take(torch.arange(2).repeat(50))
    params = small_params(placement={"rotate": 0, "shear": 0, "scale_x": [0.6, 1.5], "scale_y": [0.6, 1.5]})
    placements = random_placements(100, torch.Generator().manual_seed(1))
    _, alpha = warped(objects, placements, params)
    expected = placed_boxes(placements, objects.boxes, (24, 32), params.placement)
    assert (boxes_of(alpha) - expected).abs().max() <= 1


def test_the_map_leads_from_the_composite_to_the_cut_out():
    placements = torch.tensor([[0.3, -0.4, 0.9, -0.2, 0.5, -0.7]])
    box = torch.tensor([[6.0, 4, 18, 8]])
    maps = affine_maps(placements, box, (24, 32), WIDE)
    linear = linear_maps(placements, WIDE)[0].double()
    sides = torch.tensor([32.0, 24.0], dtype=torch.double)
    point = torch.tensor([7.0, 5.0], dtype=torch.double)
    placed = placed_boxes(placements, box, (24, 32), WIDE)[0].double()
    there = linear @ (point - torch.tensor([12.0, 6.0])) + (placed[:2] + placed[2:]) / 2
    back = maps[0].double() @ torch.cat([2 * there / sides - 1, torch.ones(1)])
    assert ((back + 1) * sides / 2).tolist() == pytest.approx(point.tolist(), abs=1e-3)


def test_gradients_reach_every_parameter_of_a_placement():
    placements = torch.full((2, 6), 0.1, requires_grad=True)
    images, alpha = warped(shapes(), placements, small_params())
    weights = torch.arange(24 * 32.0).view(24, 32).sin()
    ((images[:, 0] * alpha) * weights).sum().backward()
    assert placements.grad is not None
    assert (placements.grad.abs() > 1e-3).all()
