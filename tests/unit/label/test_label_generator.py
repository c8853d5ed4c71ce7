"""The fast label generator against the plain one, and its parts against slow oracles."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stages.label.ensemble import Ensemble
from stages.label.factored import factored_bands, fold, resize_matrix
from stages.label.features import label_features
from stages.label.heads import SegmentationHead
from stages.label.labelling import select_members
from stages.label.pixels import choose_pixels, gather
from stages.label.plain import hypercolumn, plain_logits
from stages.label.votes import image_score, jensen_shannon, majority_vote
from stages.pretrain.build import build_generator
from stages.pretrain.params import NetworkParams


@pytest.fixture
def ensemble():
    torch.manual_seed(0)
    made = Ensemble(3, 14, (8, 6), 4)
    made.fit_standardisation(torch.randn(100, 14) * 2 + 1)
    for norm in (made.first_norm, made.second_norm):
        norm.mean.normal_()
        norm.var.uniform_(0.5, 2)
        with torch.no_grad():
            norm.weight.uniform_(-1, 2)
            norm.bias.normal_()
    return made.eval()


def some_maps(sizes=((4, 4), (4, 4), (8, 8), (8, 8), (16, 16)), channels=(4, 4, 2, 2, 2)):
    torch.manual_seed(1)
    return [torch.randn(2, c, *s) for c, s in zip(channels, sizes, strict=True)]


@torch.no_grad()
def factored_logits(ensemble, maps, size):
    """Logits (members, N, H, W, outputs) of a batch, put together of their bands, as `plain_logits` gives them."""
    folded, images = fold(ensemble), range(len(maps[0]))
    per_image = [torch.cat([part for _, part in factored_bands(folded, [m[i] for m in maps], size)], 1) for i in images]
    return torch.stack(per_image, dim=1)


@pytest.mark.parametrize("size", [(16, 16), (20, 20)])
def test_factored_logits_equal_the_plain_ones(ensemble, size):
    maps = some_maps()
    torch.testing.assert_close(
        factored_logits(ensemble, maps, size), plain_logits(ensemble, maps, size), atol=1e-5, rtol=1e-5
    )


def test_factored_works_for_maps_that_are_not_square(ensemble):
    maps = some_maps(((3, 5), (3, 5), (6, 10), (6, 10), (12, 20)))
    torch.testing.assert_close(
        factored_logits(ensemble, maps, (12, 20)), plain_logits(ensemble, maps, (12, 20)), atol=1e-5, rtol=1e-5
    )


def test_factored_works_when_every_map_has_the_full_size(ensemble):
    maps = some_maps([(8, 8)] * 5)
    torch.testing.assert_close(
        factored_logits(ensemble, maps, (8, 8)), plain_logits(ensemble, maps, (8, 8)), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("rows", [1, 3, 16])
def test_bands_cover_every_row_once_whatever_their_height(ensemble, rows):
    maps = [m[0] for m in some_maps()]
    bands = list(factored_bands(fold(ensemble), maps, (16, 16), rows))
    assert [i for part, _ in bands for i in range(part.start, part.stop)] == list(range(16))
    whole = factored_logits(ensemble, some_maps(), (16, 16))[:, 0]
    torch.testing.assert_close(torch.cat([b for _, b in bands], dim=1), whole, atol=1e-5, rtol=1e-5)


def test_all_members_at_once_equal_each_member_alone(ensemble):
    x = torch.randn(3, 5, 14)
    together = ensemble(x)
    for i in range(3):
        torch.testing.assert_close(together[i], ensemble.member(i, x[i]), atol=1e-5, rtol=1e-5)


def test_selected_members_are_the_same_members(ensemble):
    maps = [m[0] for m in some_maps()]
    part = torch.cat([b for _, b in factored_bands(select_members(ensemble, slice(1, 3)), maps, (16, 16))], dim=1)
    whole = torch.cat([b for _, b in factored_bands(fold(ensemble), maps, (16, 16))], dim=1)
    torch.testing.assert_close(part, whole[1:3])


@pytest.mark.parametrize(("source", "target"), [(4, 16), (8, 8), (5, 12), (16, 8)])
def test_resize_matrix_is_bilinear_interpolation(source, target):
    x = torch.randn(1, 1, source, source)
    matrix = resize_matrix(target, source, x)
    expected = F.interpolate(x, size=(target, target), mode="bilinear", align_corners=False)[0, 0]
    torch.testing.assert_close(matrix @ x[0, 0] @ matrix.t(), expected)


def test_gathered_pixels_are_those_of_the_hypercolumn():
    maps = [m[0] for m in some_maps()]
    columns = hypercolumn([m[None] for m in maps], (16, 16))[0].flatten(1).t()
    pixels = torch.tensor([0, 5, 100, 255])
    torch.testing.assert_close(gather(maps, pixels, (16, 16)), columns[pixels], atol=1e-5, rtol=1e-5)


def test_context_adds_the_mean_of_every_map_to_every_pixel():
    generator = build_generator(NetworkParams(z_dim=8, w_dim=8, channel_base=64, channel_limit=8), (16, 16), 1)
    ws = generator.broadcast(torch.randn(2, 8))
    _, plain = label_features(generator, ws, context=False)
    _, rich = label_features(generator, ws, context=True)
    assert len(rich) == 2 * len(plain) - 1
    columns = hypercolumn([m[:1] for m in rich], (16, 16))[0]
    means = torch.cat([m[0].mean(dim=(1, 2)) for m in plain[1:]])
    torch.testing.assert_close(columns[-len(means) :, 3, 7], means, atol=1e-5, rtol=1e-4)


def test_the_generated_image_is_the_last_map():
    generator = build_generator(NetworkParams(z_dim=8, w_dim=8, channel_base=64, channel_limit=8), (16, 16), 1)
    images, maps = label_features(generator, generator.broadcast(torch.randn(2, 8)), context=False)
    assert torch.equal(maps[-1], images.clamp(-1, 1))
    assert [m.shape[1] for m in maps[:-1]] == generator.synthesis.feature_channels


def test_every_region_gets_a_pixel_and_ignored_ones_none():
    mask = np.zeros((16, 16), np.uint8)
    mask[2, 2], mask[12, 12], mask[5:9, 5:9], mask[:, 15] = 1, 1, 2, 255
    for seed in range(20):
        chosen = choose_pixels(mask, 12, 0.5, np.random.default_rng(seed))
        assert len(chosen) == 12
        labels = mask.ravel()[chosen]
        assert 255 not in labels
        assert {2 * 16 + 2, 12 * 16 + 12} <= set(chosen.tolist())
        assert 2 in labels


def test_balanced_share_one_draws_classes_evenly():
    mask = np.zeros((20, 20), np.uint8)
    mask[0, :10] = 1
    chosen = choose_pixels(mask, 102, 1.0, np.random.default_rng(0))
    assert np.bincount(mask.ravel()[chosen]).tolist() == [51, 51]


def test_majority_vote_gives_ties_to_the_lowest_class():
    votes = torch.tensor([[2, 1, 0], [1, 1, 3], [2, 0, 3], [1, 0, 0]])
    assert majority_vote(votes, 4).tolist() == [1, 0, 0]


def test_divergence_is_zero_for_equal_members_and_log_n_for_members_sure_of_different_classes():
    same = torch.randn(1, 5, 4).expand(3, -1, -1)
    assert jensen_shannon(same).abs().max() < 1e-6
    sure = torch.full((3, 1, 3), -50.0)
    for i in range(3):
        sure[i, 0, i] = 50.0
    assert jensen_shannon(sure).item() == pytest.approx(math.log(3), abs=1e-5)


def test_divergence_equals_the_direct_formula():
    torch.manual_seed(0)
    p = torch.randn(4, 7, 5).softmax(-1)

    def entropy(q):
        return -(q * q.log()).sum(-1)

    torch.testing.assert_close(jensen_shannon(p.log()), entropy(p.mean(0)) - entropy(p).mean(0), atol=1e-6, rtol=1e-4)


def test_image_score_is_the_mean_of_the_top_tenth():
    uncertainty = torch.arange(100.0).view(1, 10, 10)
    assert image_score(uncertainty).item() == pytest.approx(94.5)


def test_head_loss_is_cross_entropy_of_each_member():
    head = SegmentationHead(3)
    logits, targets = torch.randn(2, 4, 3), torch.tensor([[0, 1, 2, 0], [2, 2, 1, 0]])
    expected = torch.stack([F.cross_entropy(logits[i], targets[i]) for i in range(2)])
    torch.testing.assert_close(head.loss(logits, targets), expected)
