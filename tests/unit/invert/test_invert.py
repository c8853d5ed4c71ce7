"""Inversion: terms by hand, the best iterate kept, known latents found again, views aligned."""

import math

import numpy as np
import pytest
import torch

from stages.common.affine import AffineParams
from stages.common.errors import UserError
from stages.common.tensors import ImageBank
from stages.invert.encoder import build_encoder, finetune, regress
from stages.invert.inversion import invert
from stages.invert.losses import Weights, reconstruction_terms, weighted
from stages.invert.optimise import Best, optimise_latents, rate_factor
from stages.invert.params import EncoderParams, OptimiseParams
from stages.invert.perceptual import DiscriminatorDistance, build_perceptual, map_distance
from stages.invert.views import make_views
from stages.pretrain.build import build_discriminator, build_generator
from stages.pretrain.params import NetworkParams

NETWORK = NetworkParams(z_dim=8, w_dim=8, channel_base=64, channel_limit=16)
ENCODER = EncoderParams(channel_base=64, channel_limit=16, batch=8, regress_steps=40, finetune_steps=4)
WEIGHTS = Weights(1.0, 1.0, 0.0)


def pixel_distance(a, b):
    return (a - b).abs().mean(dim=(1, 2, 3))


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return build_generator(NETWORK, (16, 16), 1).requires_grad_(False)


def test_terms_by_hand():
    terms = reconstruction_terms(torch.ones(2, 1, 2, 2), -torch.ones(2, 1, 2, 2), pixel_distance)
    assert terms["pixel"].tolist() == [1.0, 1.0]
    assert weighted(terms, Weights(10, 2, 5)).tolist() == [22.0, 22.0]


def test_best_iterate_is_kept_image_by_image():
    best = Best(torch.zeros(2, 1, 1), torch.tensor([1.0, 1.0]))
    best.offer(torch.full((2, 1, 1), 5.0), torch.tensor([0.5, 2.0]))
    best.offer(torch.full((2, 1, 1), 9.0), torch.tensor([0.7, 0.9]))
    assert best.ws.flatten().tolist() == [5.0, 9.0]
    assert best.error.tolist() == [0.5, pytest.approx(0.9)]


def test_rate_ramps_up_and_comes_down_to_zero():
    factors = [rate_factor(step, 100) for step in range(101)]
    assert factors[0] < 0.3
    assert factors[50] == 1.0
    assert factors[100] == pytest.approx(0.0, abs=1e-9)


def test_latents_of_a_generated_image_are_improved_and_never_worse_than_the_start(generator):
    torch.manual_seed(1)
    target = generator.broadcast(torch.randn(3, 8))
    images = generator.synthesis(target)
    start = target + 0.5 * torch.randn_like(target)
    first = None
    for best, _ in optimise_latents(generator, images, start, pixel_distance, WEIGHTS, 60, 0.05, torch.ones(8)):
        first = best.error.clone() if first is None else first
    assert (best.error <= first).all()
    assert best.error.mean() < 0.5 * first.mean()
    remade = reconstruction_terms(generator.synthesis(best.ws), images, pixel_distance)
    torch.testing.assert_close(weighted(remade, WEIGHTS), best.error, atol=1e-5, rtol=1e-3)


def test_images_of_a_batch_do_not_influence_one_another(generator):
    torch.manual_seed(2)
    images, start = torch.rand(2, 1, 16, 16), generator.broadcast(torch.randn(2, 8)).clone()

    def run(rows):
        iterates = optimise_latents(
            generator, images[rows], start[rows], pixel_distance, WEIGHTS, 10, 0.05, torch.ones(8)
        )
        return list(iterates)[-1][0].ws

    torch.testing.assert_close(run(slice(0, 2))[:1], run(slice(0, 1)), atol=1e-4, rtol=1e-3)


def test_encoder_learns_the_latents_of_generated_images(generator):
    encoder = build_encoder(generator, ENCODER, 1)
    losses = [float(terms["latent"]) for terms in regress(encoder, generator, ENCODER, seed=0)]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_second_phase_moves_every_part_of_the_encoder(generator):
    encoder = build_encoder(generator, ENCODER, 1)
    before = {name: p.clone() for name, p in encoder.named_parameters()}
    reals = ImageBank(np.full((10, 16, 16, 1), 200, np.uint8), torch.device("cpu"))
    terms = list(finetune(encoder, generator, reals, pixel_distance, Weights(1, 1, 1), ENCODER, 0))
    assert len(terms) == ENCODER.finetune_steps
    assert {"perceptual", "pixel", "start"} == set(terms[0])
    assert not [name for name, p in encoder.named_parameters() if torch.equal(p, before[name])]


def test_inversion_reports_errors_of_what_it_returns_and_flags_outliers(generator):
    torch.manual_seed(3)
    encoder = build_encoder(generator, ENCODER, 1).requires_grad_(False)
    images = generator(torch.randn(5, 8))
    images[4] = (torch.rand(1, 16, 16) > 0.5) * 20.0
    result = invert(
        generator, encoder, images, pixel_distance, WEIGHTS, OptimiseParams(steps=5, batch=2), lambda *_: None
    )
    assert (result.error <= result.start_error + 1e-5).all()
    assert result.flagged(2.5).tolist() == [False] * 4 + [True]


def test_views_move_image_and_mask_together():
    images = torch.full((1, 1, 32, 32), -1.0)
    images[0, 0, 10:20, 8:14] = 1.0
    masks = (images[:, 0] > 0).to(torch.uint8) * 3
    views, labels, source = make_views(images, {"mask": masks}, 6, AffineParams(rotate=30, shift=0.1), seed=0)
    moved = labels["mask"]
    assert views.shape[0] == 7
    assert source.tolist() == [0] * 7
    assert torch.equal(views[0], images[0])
    for view, mask in zip(views, moved, strict=True):
        agree = ((view[0] > 0) == (mask == 3)).float().mean()
        assert agree > 0.97
    assert not torch.equal(moved[1], moved[2])


def test_without_a_discriminator_another_distance_is_asked_for():
    with pytest.raises(UserError, match=r"invert\.perceptual: discriminator, but .* has none; choose efficientnet, or"):
        build_perceptual("discriminator", None, None)


def test_perceptual_distance_is_zero_at_home_symmetric_and_has_gradients():
    torch.manual_seed(0)
    distance = DiscriminatorDistance(build_discriminator(NETWORK, (16, 16), 1)).requires_grad_(False)
    a, b = torch.rand(2, 1, 16, 16, requires_grad=True), torch.rand(2, 1, 16, 16)
    assert distance(a, a).abs().max() < 1e-6
    torch.testing.assert_close(distance(a, b), distance(b, a))
    distance(a, b).sum().backward()
    assert a.grad.abs().sum() > 0


def test_map_distance_by_hand():
    a, b = torch.tensor([[[[3.0]], [[4.0]]]]), torch.tensor([[[[4.0]], [[3.0]]]])
    assert map_distance([a], [b]).item() == pytest.approx(2 * 0.2**2)
    assert math.isclose(map_distance([a, a], [b, a]).item(), 0.2**2, rel_tol=1e-4)
