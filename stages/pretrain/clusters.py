"""Clusters of the training images, found by k-means: what a self-conditioned GAN is conditioned on."""

import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits
from torch import Tensor

from stages.common.tensors import ImageBank

SIDE, COMPONENTS, RESTARTS, CHUNK = 16, 50, 3, 1000


def cluster_images(images: ImageBank, clusters: int, mirror: bool, seed: int) -> Tensor:
    """The cluster of each image, and of its mirror image when those are trained on as well.

    N images -> (1, N) or (2, N) int64 on the CPU. K-means on the principal components of the
    images, averaged down to about 16 pixels a side: crude, needing no network, and enough to part digits by shape.
    """
    pooled = torch.cat([_shrink(images[start : start + CHUNK]).cpu() for start in range(0, len(images), CHUNK)])
    variants = [pooled, pooled.flip(3)] if mirror else [pooled]
    points = torch.cat(variants).flatten(1).numpy()
    with threadpool_limits(1):  # the order of sums over threads would make the result a matter of chance
        reduced = PCA(min(COMPONENTS, *points.shape), random_state=seed).fit_transform(points)
        labels = KMeans(clusters, n_init=RESTARTS, random_state=seed).fit_predict(reduced)
    return torch.from_numpy(labels).long().view(len(variants), len(images))


def cluster_shares(labels: Tensor, clusters: int) -> Tensor:
    """Labels of any shape -> (clusters,): how large a share of the images each cluster has."""
    return labels.flatten().bincount(minlength=clusters).float() / labels.numel()


def _shrink(images: Tensor) -> Tensor:
    factor = max(1, min(images.shape[2:]) // SIDE)
    return F.avg_pool2d(images, factor)
