"""Clusters of images: kinds are told apart, mirror images get their own, the seed decides all."""

import pytest
import torch

from stages.common.tensors import ImageBank, to_arrays
from stages.pretrain.clusters import cluster_images, cluster_shares


@pytest.fixture
def images():
    """Ten noisy images each of a bright left half, a bright top half, and a bright centre, 32x32."""
    base = torch.full((3, 1, 32, 32), -1.0)
    base[0, :, :, :16] = base[1, :, :16] = base[2, :, 8:24, 8:24] = 1.0
    noise = torch.randn(30, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    pixels = base.repeat_interleave(10, dim=0) + 0.3 * noise
    return ImageBank(to_arrays(pixels), torch.device("cpu"))


def test_images_of_a_kind_share_a_cluster(images):
    (labels,) = cluster_images(images, 3, mirror=False, seed=0).view(1, 3, 10)
    assert all(len(kind.unique()) == 1 for kind in labels)
    assert len(labels.unique()) == 3


def test_a_mirror_image_has_a_cluster_of_its_own(images):
    plain, mirrored = cluster_images(images, 4, mirror=True, seed=0)
    assert (plain[:10] != mirrored[:10]).all()
    assert (plain[10:] == mirrored[10:]).all()


def test_the_seed_decides_all(images):
    assert torch.equal(*(cluster_images(images, 5, mirror=True, seed=7) for _ in range(2)))


def test_shares_sum_to_one_and_count_empty_clusters():
    assert cluster_shares(torch.tensor([[0, 0, 2, 0]]), 4).tolist() == [0.75, 0.0, 0.25, 0.0]
