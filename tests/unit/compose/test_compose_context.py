import numpy as np
import pandas as pd
import pytest
import torch
from compose_builders import CPU, shapes, small_params

from stages.common.errors import UserError
from stages.common.samples import SampleSet
from stages.compose.context import ContextPlacer, box_maps, clear_of, examples_of, overlap, train_context
from stages.compose.placement import placed_boxes
from stages.compose.placers import place_randomly


def ground_and_sky() -> SampleSet:
    """Bars that always stand on the dark lower half of an image, never in the bright upper one."""
    random = np.random.default_rng(0)
    images, masks = np.full((40, 24, 32, 1), 220, np.uint8), np.zeros((40, 24, 32), np.uint8)
    images[:, 12:] = 40
    for image, mask in zip(images, masks, strict=True):
        top, left = int(random.integers(13, 20)), int(random.integers(0, 20))
        image[top : top + 4, left : left + 12], mask[top : top + 4, left : left + 12] = 255, 1
    return SampleSet(images, masks, pd.DataFrame({"recipe": ["real"] * 40}))


def test_objects_are_put_where_the_labelled_images_have_them():
    samples, params = ground_and_sky(), small_params(context={"steps": 150, "width": 8}, placement={"rotate": 0})
    model = train_context(samples, 3, params.context, 0, CPU)
    background = torch.full((200, 1, 24, 32), 0.7)
    background[:, :, 12:] = -0.7
    bars = shapes().take(torch.zeros(200, dtype=torch.long))
    low = {}
    for name, place in (("context", ContextPlacer(model, params)), ("random", place_randomly)):
        placements = place(background, bars, torch.Generator().manual_seed(0))
        boxes = placed_boxes(placements, bars.boxes, (24, 32), params.placement)
        low[name] = float(((boxes[:, 1] + boxes[:, 3]) / 2 > 12).float().mean())
    assert 0.4 < low["random"] < 0.6
    assert low["context"] > 0.8


def test_the_model_does_not_see_what_the_box_holds():
    from stages.compose.context import ContextModel

    torch.manual_seed(0)
    model, box = ContextModel(1, 3, 4), torch.tensor([[4.0, 4, 12, 10]])
    far = torch.tensor([[20.0, 12, 28, 18]])
    image = torch.rand(1, 1, 24, 32)
    other = image.clone()
    other[:, :, 4:10, 4:12] = 0.5
    assert torch.equal(model(image, box, far), model(other, box, far))
    other[:, :, 20, 20] = -1
    assert not torch.equal(model(image, box, far), model(other, box, far))


def test_box_maps_and_overlap_by_hand():
    inside = box_maps(torch.tensor([[1.0, 0, 3, 2]]), (4, 5))
    assert inside[0].sum() == 4
    assert inside[0, :2, 1:3].sum() == 4
    first, second = torch.tensor([[0.0, 0, 4, 4]]), torch.tensor([[2.0, 2, 6, 6]])
    assert overlap(first, second).item() == pytest.approx(4 / 28)


def test_labelled_images_without_objects_are_refused():
    blank = SampleSet(np.zeros((2, 8, 8, 1), np.uint8), np.zeros((2, 8, 8), np.uint8), pd.DataFrame({"a": [1, 2]}))
    with pytest.raises(UserError, match=r"context learns from the boxes or masks"):
        examples_of(blank)


def test_places_where_another_object_stands_are_not_called_empty():
    masks = np.zeros((2, 24, 32), np.uint8)
    masks[0, 0:8, 0:8], masks[0, 12:20, 20:28] = 1, 1
    masks[1, 0:8, 0:8] = 1
    found = examples_of(SampleSet(np.zeros((2, 24, 32, 1), np.uint8), masks, pd.DataFrame({"a": [1, 2]})))
    assert found.boxes.tolist() == [[0, 0, 8, 8], [20, 12, 28, 20], [0, 0, 8, 8]]
    box = torch.tensor([[21.0, 12, 29, 20]]).repeat(2, 1)
    assert clear_of(box, found, torch.tensor([0, 1])).tolist() == [False, True]
