from dataclasses import replace

import numpy as np
import pytest
import torch
from compose_builders import make_composer, shapes, small_params

from stages.compose.blending import blend, bordered, bordered_each, poisson
from stages.compose.composer import as_samples
from stages.compose.pasting import Canvas, paste
from stages.compose.placement import boxes_of
from stages.compose.placers import place_randomly

MIDDLE, FIRST = torch.zeros(1, 6), torch.zeros(1, dtype=torch.long)


def canvas_with(*classes: int, min_visible: float = 0.5) -> Canvas:
    canvas, objects = Canvas.empty(torch.full((1, 1, 24, 32), -1.0)), shapes()
    for index in classes:
        one = objects.take(torch.tensor([index - 1]))
        canvas = paste(canvas, one, MIDDLE, FIRST, small_params(min_visible=min_visible))
    return canvas


def test_the_mask_is_where_the_object_is_and_the_box_is_that_of_the_mask():
    canvas = canvas_with(1)
    mask = canvas.masks()[0]
    assert mask.dtype == torch.uint8
    assert int((mask == 1).sum()) == 48
    assert ((canvas.images[0, 0] > 0) == (mask == 1)).all()
    assert canvas.boxes()[0].tolist() == [[10, 10, 22, 14, 1]]


def test_the_box_is_the_box_of_the_warped_mask_wherever_it_is():
    canvas = make_composer(small_params()).compose(place_randomly, 64, torch.Generator().manual_seed(0))
    for mask, boxes in zip(canvas.masks(), canvas.boxes(), strict=True):
        assert len(boxes) == 1
        assert boxes[0, :4].tolist() == boxes_of((mask > 0).float()[None])[0].tolist()


def test_a_later_object_covers_an_earlier_one_and_both_keep_their_labels():
    canvas = canvas_with(2, 1, min_visible=0.4)
    mask = canvas.masks()[0]
    assert int((mask == 1).sum()) == 48
    assert int((mask == 2).sum()) == 64 - 8 * 4
    assert canvas.boxes()[0].tolist() == [[12, 8, 20, 16, 2], [10, 10, 22, 14, 1]]


def test_an_object_that_would_hide_too_much_is_left_out():
    canvas = canvas_with(2, 1, min_visible=0.6)
    assert canvas.class_ids.tolist() == [[2, 0]]
    assert int((canvas.masks() == 1).sum()) == 0
    assert torch.equal(canvas.images, canvas_with(2).images)
    assert canvas.boxes()[0].tolist() == [[12, 8, 20, 16, 2]]


def test_a_composite_is_a_function_of_its_generator():
    params = small_params(objects=[1, 3], blends=["alpha", "hard", "feather"], artefacts=0.5)
    composer = make_composer(params)
    one, same, other = (composer.compose(place_randomly, 8, torch.Generator().manual_seed(s)) for s in (3, 3, 4))
    assert torch.equal(one.images, same.images)
    assert not torch.equal(one.images, other.images)
    assert {int((row > 0).sum()) for row in one.class_ids} <= {1, 2, 3}
    assert len({int((row > 0).sum()) for row in one.class_ids}) > 1


def test_composites_become_a_labelled_set():
    made = as_samples(make_composer(small_params()).compose(place_randomly, 8, torch.Generator().manual_seed(0)))
    classes = made.require_class_ids()
    assert set(classes) == {1, 2}
    assert [int(mask.max()) for mask in made.require_masks()] == classes.tolist()
    assert [int(boxes[0, 4]) for boxes in made.require_boxes()] == classes.tolist()


def test_full_opacity_shows_the_object_and_none_the_image():
    images, objects = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    alpha = torch.tensor([[[0.0, 0.25], [0.5, 1.0]]])
    assert blend(images, objects, alpha)[0, 0].tolist() == [[0, 0.25], [0.5, 1.0]]


def test_borders_are_as_they_are_called():
    alpha = torch.zeros(1, 15, 15)
    alpha[:, 4:11, 4:11] = 1
    alpha[:, 4, 4:11] = 0.4
    hard, feather, gaussian = (bordered(alpha, kind, 1.0)[0] for kind in ("hard", "feather", "gaussian"))
    assert hard[4, 7] < 0.15
    assert hard[5, 7] > 0.99
    assert feather[7, 3] == pytest.approx(1 / 3)
    assert feather[7, 2] == 0
    assert 0 < gaussian[7, 2] < gaussian[7, 3] < gaussian[7, 4] < 1
    assert gaussian.sum() == pytest.approx(float(alpha.sum()), rel=1e-4)
    both = bordered_each(alpha.repeat(2, 1, 1), ("hard", "feather"), torch.tensor([1, 0]), 1.0)
    assert torch.allclose(both[0], feather)
    assert torch.allclose(both[1], hard)


def test_poisson_keeps_the_gradients_and_meets_the_background():
    bump = 80 - (np.arange(16) - 7.5)[None, :] ** 2 - (np.arange(16) - 7.5)[:, None] ** 2
    inside = np.zeros((16, 16), bool)
    inside[4:12, 4:12] = True
    image, cutout = np.full((16, 16, 1), 100, np.uint8), (bump + 130).clip(0, 255).astype(np.uint8)[:, :, None]
    flat = poisson(image, np.full_like(image, 200), inside)
    assert (flat == 100).all()
    found = poisson(image, cutout, inside).astype(int)
    assert (found[~inside] == 100).all()
    assert (found[8, 8] - 2 * found[8, 7] + found[8, 6]).item() == pytest.approx(-2, abs=2)
    assert found[8, 8, 0] > found[8, 4, 0] + 5


def test_poisson_of_an_image_with_itself_is_the_image():
    image = np.random.default_rng(0).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    assert (poisson(image, image, np.ones((12, 12), bool)) == image).all()


def test_poisson_goes_on_to_the_frame() -> None:
    image, inside = np.full((8, 8, 1), 100, np.uint8), np.zeros((8, 8), bool)
    inside[:, :4] = True
    cutout = np.tile(np.array([0, 90, 20, 60, 0, 0, 0, 0], np.uint8)[None, :, None], (8, 1, 1))
    found = poisson(image, cutout, inside)
    assert (found[:, 4:] == 100).all()
    assert found[4, 1, 0] > found[4, 0, 0] + 50


def test_an_object_of_one_colour_is_not_lost_to_poisson_borders():
    composer = make_composer(small_params(blends=["poisson"]))
    canvas = composer.compose(place_randomly, 8, torch.Generator().manual_seed(0), offline=True)
    assert (canvas.images[canvas.masks()[:, None] > 0] > 0).all()


def test_a_faint_object_keeps_its_label():
    objects = shapes().take(torch.tensor([0]))
    faint = replace(objects, alpha=objects.alpha * 0.3)
    canvas = paste(Canvas.empty(torch.zeros(1, 1, 24, 32)), faint, MIDDLE, FIRST, small_params())
    assert canvas.class_ids.tolist() == [[1]]
    assert int((canvas.masks() == 1).sum()) == 48
    gone = replace(objects, alpha=objects.alpha * 0)
    assert paste(Canvas.empty(torch.zeros(1, 1, 24, 32)), gone, MIDDLE, FIRST, small_params()).class_ids.tolist() == [
        [0]
    ]


def test_an_object_that_nobody_sees_has_no_box():
    params = small_params(min_visible=0, placement={"rotate": 0, "shear": 0, "scale_x": [1, 3], "scale_y": [1, 3]})
    canvas, objects = Canvas.empty(torch.zeros(1, 1, 24, 32)), shapes()
    small, large = (torch.tensor([[0.0, 0, size, size, 0, 0]]) for size in (-1, 1))
    canvas = paste(canvas, objects.take(torch.tensor([0])), small, FIRST, params)
    canvas = paste(canvas, objects.take(torch.tensor([1])), large, FIRST, params)
    assert canvas.class_ids.tolist() == [[1, 2]]
    assert canvas.boxes()[0][:, 4].tolist() == [2]


def test_the_last_object_of_every_image_is_the_differentiable_one():
    composer = make_composer(small_params(objects=[1, 3], min_visible=0))
    leaves = []

    def place(backgrounds, objects, generator):
        leaves.append(place_randomly(backgrounds, objects, generator).requires_grad_())
        return leaves[-1]

    canvas = composer.compose(place, 16, torch.Generator().manual_seed(1))
    assert len(leaves) == 3
    canvas.images.square().sum().backward()
    assert [leaf.grad is None for leaf in leaves] == [True, True, False]
    assert (leaves[-1].grad.abs().sum(dim=1) > 0).all()
    assert (canvas.class_ids[:, -1] > 0).all()
