"""Augmentations of the discriminator's input."""

import pytest
import torch

from stages.pretrain.augment import OPERATIONS, AdaptiveStrength, Augment, cutout, flip, translation


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_changes_images_at_p_1_passes_gradients_and_keeps_the_shape(operation):
    torch.manual_seed(0)
    images = torch.rand(16, 3, 12, 12, requires_grad=True)
    changed = Augment((operation,), 1.0)(images)
    assert changed.shape == images.shape
    assert not torch.equal(changed, images)
    (changed**2).sum().backward()
    assert images.grad.abs().sum() > 0


def test_p_0_is_the_identity():
    images = torch.rand(2, 1, 8, 8)
    assert Augment(OPERATIONS, 0.0)(images) is images


def test_flip_mirrors_about_half_of_the_images():
    torch.manual_seed(0)
    images = torch.arange(4.0).expand(1000, 1, 1, 4)
    assert (flip(images, 1.0)[:, 0, 0, 0] == 3).float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_translation_moves_by_whole_pixels_and_repeats_the_border():
    torch.manual_seed(0)
    images = torch.zeros(64, 1, 16, 16)
    images[:, :, 8, 8] = 1
    moved = translation(images, 1.0)
    assert torch.equal(moved.sum(dim=(1, 2, 3)), torch.ones(64))
    rows = moved[:, 0].amax(dim=2).argmax(dim=1)
    assert rows.min() == 6
    assert rows.max() == 10


def test_cutout_blanks_about_the_share_it_should():
    torch.manual_seed(0)
    left = cutout(torch.ones(2000, 1, 16, 16), 1.0, share=0.5).mean().item()
    assert left == pytest.approx(1 - 0.25 * (1 - 0.125) ** 2, abs=0.02)


def test_adaptive_strength_rises_when_reals_are_known_and_falls_when_not():
    control = AdaptiveStrength(target=0.6, images_to_full=1000, every=2)
    p = 0.0
    for _ in range(4):
        p = control.update(p, torch.ones(10))
    assert p == pytest.approx(0.04)
    for _ in range(2):
        p = control.update(p, -torch.ones(10))
    assert p == pytest.approx(0.02)
