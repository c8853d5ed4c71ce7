import math

import pytest
import torch

from stages.refine.losses import (
    channel_mean,
    discriminator_terms,
    feature_map,
    gradients,
    patch_cross_entropy,
    refiner_loss,
    refiner_terms,
)


def scores(real: float, refined: float, count: int = 2, patches: tuple[int, int] = (2, 3)) -> torch.Tensor:
    return torch.tensor([real, refined]).view(1, 2, 1, 1).expand(count, 2, *patches)


def test_the_cross_entropy_is_the_sum_over_patches():
    # Scores 0 and log 3: probabilities 1/4 and 3/4.
    found = patch_cross_entropy(scores(0.0, math.log(3)), label=1)
    assert found.tolist() == pytest.approx([6 * math.log(4 / 3)] * 2)
    assert patch_cross_entropy(scores(0.0, math.log(3)), label=0).tolist() == pytest.approx([6 * math.log(4)] * 2)


def test_the_refiner_is_rewarded_for_passing_as_real_and_the_discriminator_for_the_opposite():
    image = torch.zeros(2, 1, 4, 4)
    fooled, caught = (
        refiner_terms(image, image, s, feature_map("identity"))["real"] for s in (scores(9, 0), scores(0, 9))
    )
    assert (fooled < caught).all()
    right, wrong = discriminator_terms(scores(9, 0), scores(0, 9)), discriminator_terms(scores(0, 9), scores(9, 0))
    for name in ("real", "refined"):
        assert (right[name] < 0.01).all()
        assert (wrong[name] > 50).all()


def test_the_self_regularisation_is_the_summed_distance():
    simulated, refined = torch.zeros(2, 1, 4, 4), torch.full((2, 1, 4, 4), 0.5)
    terms = refiner_terms(refined, simulated, scores(0, 0), feature_map("identity"))
    assert terms["self_reg"].tolist() == [8.0, 8.0]


def test_every_term_reaches_the_refiner():
    simulated = torch.rand(2, 1, 8, 8)
    refined = (simulated + 0.1).requires_grad_()
    critic = torch.nn.Conv2d(1, 2, 3, 2)
    for name, value in refiner_terms(refined, simulated, critic(refined), feature_map("identity")).items():
        (gradient,) = torch.autograd.grad(value.sum(), refined, retain_graph=True)
        assert gradient.abs().sum() > 0, name


def test_the_weight_means_the_same_at_every_size_and_batch():
    def ratio(side: int, count: int) -> float:
        patches = side // 4
        simulated, refined = torch.zeros(count, 1, side, side), torch.full((count, 1, side, side), 0.5)
        terms = refiner_terms(refined, simulated, scores(0, 0, count, (patches, patches)), feature_map("identity"))
        whole = refiner_loss(terms, 8.0, patches**2, side**2)
        return float(whole / refiner_loss(terms, 0.0, patches**2, side**2))

    assert ratio(8, 2) == pytest.approx(1 + 8 * 0.5 / math.log(2))
    assert ratio(32, 5) == pytest.approx(ratio(8, 2))


def test_the_gradients_forget_brightness_and_the_channel_mean_forgets_colour():
    images = torch.rand(2, 3, 5, 6)
    assert torch.allclose(gradients(images), gradients(images + 0.3), atol=1e-6)
    assert gradients(images).shape == (2, 6, 5, 6)
    step = torch.zeros(1, 1, 2, 3)
    step[..., 2] = 1.0
    assert gradients(step)[0, 0].tolist() == [[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
    assert channel_mean(images).shape == (2, 1, 5, 6)
    assert torch.allclose(channel_mean(images), channel_mean(images.flip(1)))
