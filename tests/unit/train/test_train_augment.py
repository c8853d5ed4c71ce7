import torch

from stages.common.device import seeded
from stages.common.warp import random_affine, warp_images, warp_masks
from stages.train.augment import jitter_colours
from stages.train.params import AugmentParams


def test_image_and_mask_of_a_square_stay_aligned() -> None:
    images, masks = torch.full((64, 1, 40, 60), -1.0), torch.zeros(64, 40, 60, dtype=torch.uint8)
    images[:, :, 12:28, 20:40], masks[:, 12:28, 20:40] = 1.0, 2
    params = AugmentParams(rotate=30, scale=0.2, shear=10, shift=0.1, flip=True)
    maps = random_affine(64, (40, 60), params, seeded(0))
    bright, labelled = warp_images(images, maps)[:, 0] > 0, warp_masks(masks, maps) == 2
    # Bilinear at half height and nearest draw the same edge, but for roundings at the corners.
    assert (bright != labelled).sum() < 0.01 * labelled.sum()
    assert (warp_masks(masks, maps) != masks).float().mean() > 0.01


def test_a_quarter_turn_keeps_the_shape_in_pixels() -> None:
    masks = torch.zeros(1, 20, 40, dtype=torch.uint8)
    masks[:, 8:12, 14:26] = 1  # 4 high, 12 wide, in the middle
    quarter = torch.tensor([[[0.0, -0.5, 0.0], [2.0, 0.0, 0.0]]])
    turned = warp_masks(masks, quarter)[0]
    rows, columns = turned.any(dim=1), turned.any(dim=0)
    assert (int(rows.sum()), int(columns.sum())) == (12, 4)


def test_a_shift_moves_by_its_share_of_the_side() -> None:
    params = AugmentParams(rotate=0, scale=0, shear=0, shift=0.25)
    maps = random_affine(500, (32, 32), params, seeded(1))
    pixels = maps[:, :, 2] * 16
    assert 7.8 < pixels.abs().max() <= 8
    assert torch.allclose(maps[:, :, :2], torch.eye(2).expand(500, 2, 2))


def test_flip_mirrors_about_half_of_the_images() -> None:
    params = AugmentParams(rotate=0, scale=0, shear=0, shift=0, flip=True)
    maps = random_affine(1000, (32, 32), params, seeded(2))
    assert 400 < int((maps[:, 0, 0] == -1).sum()) < 600
    assert (random_affine(1000, (32, 32), params.model_copy(update={"flip": False}), seeded(2))[:, 0, 0] == 1).all()


def test_ignored_pixels_stay_ignored_and_no_new_id_appears() -> None:
    masks = torch.zeros(16, 16, 16, dtype=torch.uint8)
    masks[:, 4:12, 4:12], masks[:, 6:9, 6:9] = 3, 255
    warped = warp_masks(masks, random_affine(16, (16, 16), AugmentParams(), seeded(3)))
    assert set(warped.unique().tolist()) == {0, 3, 255}


def test_colours_off_change_nothing_and_on_stay_in_range() -> None:
    images = torch.rand(8, 3, 6, 6) * 2 - 1
    off = AugmentParams(brightness=0, contrast=0, saturation=0)
    assert torch.allclose(jitter_colours(images, off, seeded(0)), images, atol=1e-6)
    jittered = jitter_colours(images, AugmentParams(brightness=0.5, contrast=0.5, saturation=1), seeded(0))
    assert jittered.abs().max() <= 1
    assert not torch.allclose(jittered, images, atol=0.1)


def test_contrast_keeps_the_mean_and_brightness_moves_it() -> None:
    images = torch.rand(4, 1, 8, 8) * 0.4 - 0.2
    contrast = jitter_colours(images, AugmentParams(brightness=0, contrast=0.5, saturation=0), seeded(0))
    assert torch.allclose(contrast.mean(dim=(1, 2, 3)), images.mean(dim=(1, 2, 3)), atol=1e-5)
    brightness = jitter_colours(images, AugmentParams(brightness=0.3, contrast=0, saturation=0), seeded(0))
    moved = (brightness - images).flatten(1)
    assert torch.allclose(moved, moved[:, :1].expand_as(moved), atol=1e-5)
    assert 0 < moved.abs().max() <= 0.6
