"""Losses and penalties against hand-worked numbers."""

import math

import pytest
import torch

from stages.pretrain.losses import discriminator_loss, generator_loss, gradient_penalties
from stages.pretrain.params import AugmentParams, PretrainParams


def test_equal_logits_cost_log_two_each():
    zeros = torch.zeros(4)
    assert generator_loss("relativistic", zeros, zeros).item() == pytest.approx(math.log(2))
    assert discriminator_loss("relativistic", zeros, zeros).item() == pytest.approx(math.log(2))
    assert discriminator_loss("nonsaturating", zeros, zeros).item() == pytest.approx(2 * math.log(2))


def test_relativistic_losses_depend_on_the_difference_alone_and_are_mirror_images():
    fake, real = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])
    shifted = discriminator_loss("relativistic", fake + 7, real + 7)
    torch.testing.assert_close(discriminator_loss("relativistic", fake, real), shifted)
    torch.testing.assert_close(
        generator_loss("relativistic", fake, real), discriminator_loss("relativistic", real, fake)
    )


def test_adaptive_augmentation_with_the_relativistic_loss_is_refused():
    with pytest.raises(ValueError, match="loss: relativistic leaves arbitrary"):
        PretrainParams(loss="relativistic", augment=AugmentParams(policy="ada"))
    assert PretrainParams(loss="nonsaturating", augment=AugmentParams(policy="ada")).augment.policy == "ada"


def test_penalty_of_a_linear_critic_is_the_squared_norm_of_its_weights():
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 1, 2, 2)
    penalty = gradient_penalties(lambda x: (x * weight).sum(dim=(1, 2, 3)), torch.randn(5, 1, 2, 2))
    assert penalty.tolist() == pytest.approx([30.0] * 5)


def test_penalty_reaches_the_critic_parameters():
    weight = torch.full((1, 1, 2, 2), 2.0, requires_grad=True)
    gradient_penalties(lambda x: (x * weight).sum(dim=(1, 2, 3)), torch.zeros(3, 1, 2, 2)).mean().backward()
    assert torch.allclose(weight.grad, torch.full((1, 1, 2, 2), 4.0))
