import numpy as np
import pytest
import torch

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.common.tensors import ImageBank
from stages.common.warp import sample_images, sample_masks
from stages.refine.networks import Refiner
from stages.refine.params import RefineParams, RefinerParams, WarpParams
from stages.refine.refining import bent_keypoints, bent_masks, refine_images
from stages.refine.state import new_state
from stages.refine.storage import load_refiner, save_refiner
from stages.refine.training import Trainer
from stages.refine.warper import Warper, field_grid, refuse_warp

CPU = torch.device("cpu")
SMALL = RefinerParams(width=4, blocks=1)


def bars(count: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Bright bars four pixels wide on black (N, 16, 24, 1), and their masks of class 1."""
    images, masks = np.zeros((count, 16, 24, 1), np.uint8), np.zeros((count, 16, 24), np.uint8)
    for number in range(count):
        images[number, :, 6 + number : 10 + number] = 255
        masks[number, :, 6 + number : 10 + number] = 1
    return images, masks


def bending(seed: int = 0) -> Refiner:
    torch.manual_seed(seed)
    refiner = Refiner(1, SMALL, WarpParams(pixels=3.0, width=8))
    assert refiner.warper is not None
    torch.nn.init.normal_(refiner.warper.network[-1].weight, std=5)
    return refiner


def test_a_field_counts_in_pixels_from_where_a_value_goes_to_where_it_comes_from():
    images, masks = (torch.from_numpy(each) for each in bars(1))
    field = torch.zeros(1, 2, 16, 24)
    field[:, 0] = 2.0
    moved = sample_images(images.permute(0, 3, 1, 2).float(), field_grid(field))[0, 0]
    assert moved[8, 4:8].tolist() == pytest.approx([255.0] * 4, abs=0.01)
    assert moved[8, [3, 8]].tolist() == pytest.approx([0, 0], abs=0.01)
    assert torch.equal(sample_masks(masks, field_grid(field))[0, 8, 4:8], torch.ones(4, dtype=torch.uint8))


def test_a_fresh_warper_bends_nothing_and_a_trained_one_no_farther_than_it_may():
    images, noise = torch.rand(4, 1, 16, 24) * 2 - 1, torch.randn(4, 1, 4, 6)
    warper = Warper(1, WarpParams(pixels=3.0))
    assert not warper(images, noise).any()
    torch.nn.init.normal_(warper.network[-1].weight, std=10)
    field = warper(images, noise)
    assert field.shape == (4, 2, 16, 24)
    assert 1 < field.abs().max() <= 3


def test_labels_are_bent_with_their_images():
    images, masks = bars()
    made = refine_images(bending(), ImageBank(images, CPU), masks, seed=0)
    assert made.masks is not None
    ink, label = made.bent.arrays[..., 0] >= 128, made.masks == 1
    assert (label != (masks == 1)).mean() > 0.01
    assert (ink & label).sum() / (ink | label).sum() > 0.95


def test_without_a_warper_labels_stay_as_they_are():
    images, masks = bars()
    made = refine_images(Refiner(1, SMALL), ImageBank(images, CPU), masks, seed=0)
    assert np.array_equal(made.bent.arrays, images)
    assert made.masks is not None
    assert np.array_equal(made.masks, masks)
    assert bent_masks(masks, None) is masks


def test_refining_is_a_function_of_the_seed():
    images, masks = bars()
    refiner = bending()
    one, same, other = (refine_images(refiner, ImageBank(images, CPU), masks, seed).images.arrays for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_bending_refiner_comes_back_from_its_file(tmp_path):
    params = RefineParams(refiner=SMALL, warp=WarpParams(pixels=3.0, width=8))
    refiner = bending()
    save_refiner(tmp_path / "refiner.safetensors", refiner, 1, params)
    images, masks = bars()
    pair = (refiner, load_refiner(tmp_path / "refiner.safetensors"))
    one, other = (refine_images(each, ImageBank(images, CPU), masks, 0).images.arrays for each in pair)
    assert np.array_equal(one, other)


def test_the_discriminator_teaches_the_warper():
    images, _ = bars()
    params = RefineParams.model_validate(
        {
            "batch": 4,
            "steps": 3,
            "refiner": SMALL.model_dump(),
            "warp": {"pixels": 2.0, "width": 8},
            "pretraining": {"refiner": 1, "discriminator": 1},
            "history": {"capacity": 4},
        }
    )
    banks = [ImageBank(images, CPU), ImageBank(np.roll(images, 2, axis=1), CPU)]
    state = new_state(params, 1, 0, CPU)
    terms = list(Trainer(*banks, params, seed=0).run(state))
    assert {"bend", "bend_px"} <= terms[-1].keys()
    assert state.refiner.warper is not None
    assert all(p.grad is not None for p in state.refiner.warper.parameters())
    assert state.refiner.warper.network[-1].weight.any()


def test_grain_gives_a_flat_image_texture_and_needs_no_bending():
    torch.manual_seed(0)
    refiner = Refiner(1, RefinerParams(width=4, blocks=1, grain=0.2))
    flat = ImageBank(np.full((2, 16, 24, 1), 100, np.uint8), CPU)
    made = refine_images(refiner, flat, None, seed=0)
    assert made.masks is None
    assert made.images.arrays[:, 4:-4, 4:-4].std() > 0
    assert not np.array_equal(made.images.arrays[0], made.images.arrays[1])
    plain = refine_images(Refiner(1, SMALL), flat, None, seed=0).images.arrays
    assert plain[:, 4:-4, 4:-4].std() == 0


def test_labels_that_no_field_can_bend_are_refused():
    params = RefineParams(warp=WarpParams(pixels=2.0))
    with pytest.raises(UserError, match=r"refine\.warp\.pixels: bends masks, but not the gaze of eyes"):
        refuse_warp(DatasetSpec(name="eyes", size=(36, 60), channels=1, gaze=True), params)
    refuse_warp(DatasetSpec(name="digits", size=(32, 32), channels=1, classes=("background", "1")), params)


def test_keypoints_and_depth_are_bent_with_their_images():
    images, _ = bars()
    middle = np.array([[[float(7.5 + number), 8.0, 2.0]] for number in range(len(images))], np.float32)
    depth = np.where(images[..., 0] > 0, 3.0, 0.0).astype(np.float32)
    made = refine_images(bending(), ImageBank(images, CPU), None, 0, keypoints=middle, depth=depth)
    assert made.keypoints is not None
    assert made.depth is not None
    ink = made.bent.arrays[..., 0].astype(float)
    assert np.abs(made.keypoints[:, 0, 0] - middle[:, 0, 0]).max() > 0.5  # the bars have moved
    for row, (x, y, _) in zip(ink, made.keypoints[:, 0], strict=True):
        line = row[round(float(y))]
        assert float(x) == pytest.approx((line * np.arange(24)).sum() / line.sum(), abs=0.75)
    known = made.depth > 0
    assert (known & (ink >= 128)).sum() / (known | (ink >= 128)).sum() > 0.95
    assert set(np.unique(made.depth[known]).round(4)) == {3.0}


def test_a_keypoint_lies_where_its_pixel_went():
    field = torch.zeros(1, 2, 16, 24)
    field[:, 0], field[:, 1] = 2.0, -1.0
    moved = bent_keypoints(np.array([[[10, 8, 2], [1, 8, 2]]], np.float32), field)
    assert moved[0].tolist() == pytest.approx(np.array([[8, 9, 2], [-1, 9, 0]]), abs=1e-4)
