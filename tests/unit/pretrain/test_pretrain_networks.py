"""The networks against published shapes, slow oracles and hand-worked numbers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stages.common.errors import UserError
from stages.common.tensors import ImageBank
from stages.pretrain.__main__ import check
from stages.pretrain.build import build_discriminator, build_generator
from stages.pretrain.discriminator import Discriminator, append_batch_deviation
from stages.pretrain.generator import start_size
from stages.pretrain.layers import EqualLinear, ModulatedConv
from stages.pretrain.params import NetworkParams, PretrainParams
from stages.pretrain.resample import TAPS, downsample, upsample

SMALL = NetworkParams(z_dim=8, w_dim=8, channel_base=64, channel_limit=16)
CLUSTERED = SMALL.model_copy(update={"clusters": 3})


@pytest.mark.parametrize("up", [False, True])
def test_modulating_activations_equals_modulating_the_weights_of_each_sample(up):
    torch.manual_seed(0)
    conv = ModulatedConv(3, 5, 3, w_dim=4, up=up)
    x, w = torch.randn(2, 3, 6, 6), torch.randn(2, 4)
    for i in range(2):
        weight = conv.weight * conv.gain * conv.style(w[i : i + 1])[0][None, :, None, None]
        weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:
            taps = torch.tensor(TAPS) / 4
            kernel = torch.outer(taps, taps)[None, None].expand(5, 1, 4, 4)
            expected = F.conv2d(
                F.conv_transpose2d(x[i : i + 1], weight.transpose(0, 1), stride=2), kernel, padding=1, groups=5
            )
        else:
            expected = F.conv2d(x[i : i + 1], weight, padding=1)
        torch.testing.assert_close(conv(x, w)[i : i + 1], expected, atol=1e-5, rtol=1e-4)


def test_resampling_keeps_a_constant_inside_and_the_mean_of_an_impulse():
    flat = torch.ones(1, 2, 8, 8)
    assert torch.allclose(upsample(flat)[:, :, 2:-2, 2:-2], torch.ones(1, 2, 12, 12))
    assert torch.allclose(downsample(flat)[:, :, 1:-1, 1:-1], torch.ones(1, 2, 2, 2))
    impulse = torch.zeros(1, 1, 8, 8)
    impulse[0, 0, 4, 4] = 1
    assert upsample(impulse).sum() == pytest.approx(4.0)


@pytest.mark.parametrize("size", [(16, 16), (32, 32), (48, 64), (36, 60)])
def test_shapes_of_both_networks(size):
    generator, critic = build_generator(SMALL, size, 3), build_discriminator(SMALL, size, 3)
    images, maps = generator.synthesis.features(generator.broadcast(torch.randn(4, 8)))
    assert images.shape == (4, 3, *size)
    assert [m.shape[1] for m in maps] == generator.synthesis.feature_channels
    assert tuple(maps[-1].shape[2:]) == size
    assert critic(images).shape == (4,)


def test_config_f_has_the_published_width_and_feature_count():
    params = NetworkParams(z_dim=512, w_dim=512, mapping_layers=8, channel_base=32768, channel_limit=512)
    with torch.device("meta"):
        generator = build_generator(params, (256, 256), 3)
        large = build_generator(params, (1024, 1024), 3)
    assert sum(generator.synthesis.feature_channels) == 5888
    assert sum(large.synthesis.feature_channels) == 6080
    assert large.num_ws == 18
    assert sum(p.numel() for p in large.parameters()) / 1e6 == pytest.approx(30.37, abs=0.02)


def test_a_side_that_cannot_be_reached_by_doubling_is_refused():
    assert start_size((36, 60)) == (9, 15)
    with pytest.raises(ValueError, match="cannot be built"):
        start_size((37, 44))


def test_equalised_layer_keeps_unit_variance_whatever_its_learning_rate():
    torch.manual_seed(0)
    x = torch.randn(4000, 64)
    for rate in (1.0, 0.01):
        assert EqualLinear(64, 64, lr_multiplier=rate)(x).std().item() == pytest.approx(1, abs=0.05)


def test_batch_deviation_of_equal_images_is_zero_and_of_two_values_their_half_distance():
    same = append_batch_deviation(torch.ones(4, 2, 3, 3))
    assert same[:, 2].max() < 1e-3
    pair = torch.zeros(2, 1, 2, 2)
    pair[1] = 2.0
    assert append_batch_deviation(pair)[:, 1].mean().item() == pytest.approx(1.0)


def test_batches_one_after_the_other_are_judged_as_if_each_came_alone():
    critic = Discriminator((8, 8), 1, base=64, limit=16)
    first, second = torch.randn(6, 1, 8, 8), torch.randn(6, 1, 8, 8)
    together = critic(torch.cat([first, second]), batches=2)
    assert torch.allclose(together, torch.cat([critic(first), critic(second)]), atol=1e-6)


def test_truncation_pulls_towards_the_mean_of_the_cluster():
    generator = build_generator(CLUSTERED, (16, 16), 1)
    generator.centres.copy_(torch.arange(3.0)[:, None].expand(3, 8))
    z = torch.randn(20, 8, generator=torch.Generator().manual_seed(0))
    cluster, w = generator.mapping.cluster_of(z), generator.mapping(z)
    assert torch.equal(generator.latents(z), w)
    assert torch.allclose(generator.latents(z, 0.0), cluster[:, None].float().expand(-1, 8))
    assert torch.allclose(generator.latents(z, 0.5), (w + cluster[:, None]) / 2, atol=1e-6)
    assert torch.allclose(generator.mean_w, torch.ones(8))


def test_latents_choose_clusters_as_often_as_the_training_images_have_them():
    mapping = build_generator(CLUSTERED, (16, 16), 1).mapping
    mapping.shares.copy_(torch.tensor([0.5, 0.1, 0.4]))
    z = torch.randn(20_000, 8, generator=torch.Generator().manual_seed(0))
    counts = mapping.cluster_of(z).bincount(minlength=3) / len(z)
    assert torch.allclose(counts, mapping.shares, atol=0.02)


def test_the_cluster_changes_what_both_networks_say():
    torch.manual_seed(0)
    generator, critic = build_generator(CLUSTERED, (16, 16), 1), build_discriminator(CLUSTERED, (16, 16), 1)
    z, images = torch.randn(1, 8).repeat(2, 1), torch.randn(1, 1, 16, 16).repeat(2, 1, 1, 1)
    w = generator.mapping(z, torch.tensor([0, 2]))
    assert not torch.allclose(w[0], w[1], atol=1e-2)
    # One batch each, so that the deviation over the batch tells nothing.
    first, second = (critic(images[:1], torch.tensor([c])) for c in (0, 2))
    assert not torch.allclose(first, second, atol=1e-3)


def test_centres_follow_the_mean_of_their_own_cluster():
    generator = build_generator(CLUSTERED, (16, 16), 1)
    cluster = torch.tensor([0, 0, 2])
    w = torch.tensor([1.0, 3.0, 10.0])[:, None].expand(3, 8)
    for _ in range(200):
        generator.update_centres(w, cluster, decay=0.9)
    assert torch.allclose(generator.centres[:, 0], torch.tensor([2.0, 0.0, 10.0]), atol=1e-4)


def test_style_mixing_takes_late_layers_from_the_second_latent():
    generator = build_generator(SMALL, (16, 16), 1)
    ws = generator.mix(torch.zeros(2, 8), torch.ones(2, 8), torch.tensor([2, generator.num_ws]))
    assert ws[0, :2].sum() == 0
    assert ws[0, 2:].min() == 1
    assert ws[1].sum() == 0


@pytest.mark.parametrize(
    ("count", "size", "network", "words"),
    [
        (49, 32, {"clusters": 0}, "49 unlabelled images; a GAN needs at least 50"),
        (300, 32, {"clusters": 32}, "clusters: 32 for 300 unlabelled images; take at most 30"),
        (60, 31, {"clusters": 0}, r"prepare\.resize: "),
        (60, 64, {"clusters": 0, "channel_base": 32}, "channel_base: 32 must be at least 64"),
    ],
)
def test_a_gan_that_cannot_be_trained_is_refused_before_it_is(count, size, network, words):
    images = ImageBank(np.zeros((count, size, size, 1), np.uint8), torch.device("cpu"))
    with pytest.raises(UserError, match=words):
        check(PretrainParams(network=network), images)
