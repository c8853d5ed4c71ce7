"""How far generated images are from real ones in a feature space."""

import warnings

import torch
from torch import Tensor, nn


@torch.no_grad()
def extract(network: nn.Module, images: Tensor, batch: int = 250) -> Tensor:
    """Features (N, D) of images (N, C, H, W)."""
    return torch.cat([network(part) for part in images.split(batch)])


def precision_recall(real: Tensor, fake: Tensor, k: int) -> tuple[float, float]:
    """Improved precision and recall (Kynkaanniemi et al. 2019, eq. 1-2) of features (N, D), (M, D).

    Precision: the share of fakes within the k-nearest-neighbour radius of some real; recall: the reverse.
    """

    def covered(points: Tensor, manifold: Tensor) -> float:
        radii = torch.cdist(manifold, manifold).kthvalue(k + 1, dim=1).values
        return float((torch.cdist(points, manifold) <= radii[None]).any(dim=1).float().mean())

    return covered(fake, real), covered(real, fake)


class _Precomputed(nn.Module):
    """Hands features through where torchmetrics expects a network."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def distances(real: Tensor, fake: Tensor, neighbours: int) -> dict[str, float]:
    """Frechet distance, kernel distance (mean over subsets of 1,000 or fewer), precision and recall.

    real, fake: features (N, D), (M, D), N and M at least 50.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    identity, subset = _Precomputed(real.shape[1]), min(1000, len(real), len(fake))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*will save all extracted features", category=UserWarning)
        frechet = FrechetInceptionDistance(feature=identity, normalize=True, sync_on_compute=False)
        kernel = KernelInceptionDistance(
            feature=identity, normalize=True, sync_on_compute=False, subsets=20, subset_size=subset
        )
    for metric in (frechet, kernel):
        metric.used_custom_model = True
        metric.update(real.cpu(), real=True)
        metric.update(fake.cpu(), real=False)
    precision, recall = precision_recall(real, fake, neighbours)
    return {
        "gan/fd": float(frechet.compute()),
        "gan/kd": float(kernel.compute()[0]),
        "gan/precision": precision,
        "gan/recall": recall,
    }
