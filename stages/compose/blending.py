"""How a cut-out's border meets the background. Several kinds, so that a border alone teaches nothing (Dwibedi et al.,
ICCV 2017)."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stages.compose.params import Blend

STEEPNESS = 20.0


def blend(images: Tensor, objects: Tensor, alpha: Tensor) -> Tensor:
    """objects over images, both (N, C, H, W), by alpha (N, H, W) in [0, 1]."""
    return images + alpha[:, None] * (objects - images)


def bordered(alpha: Tensor, kind: Blend, softness: float) -> Tensor:
    """The opacity (N, H, W) with another border; differentiable. poisson keeps it, for it works on the pixels."""
    borders: dict[str, Callable[[Tensor], Tensor]] = {
        "hard": lambda a: torch.sigmoid(STEEPNESS * (a - 0.5)),
        "feather": lambda a: _filtered(a, _box(softness)),
        "gaussian": lambda a: _filtered(a, _gaussian(softness)),
    }
    return borders.get(kind, lambda a: a)(alpha)


def bordered_each(alpha: Tensor, kinds: Sequence[Blend], choices: Tensor, softness: float) -> Tensor:
    """The opacity (N, H, W), each with the border kinds[choices[i]]; choices (N,)."""
    result = alpha
    for index, kind in enumerate(kinds):
        chosen = (choices == index).to(alpha.device)[:, None, None]
        result = torch.where(chosen, bordered(alpha, kind, softness), result)
    return result


def _filtered(alpha: Tensor, taps: Tensor) -> Tensor:
    taps = taps.to(alpha)
    half = len(taps) // 2
    rows = F.conv2d(alpha[:, None], taps[None, None, None, :], padding=(0, half))
    return F.conv2d(rows, taps[None, None, :, None], padding=(half, 0))[:, 0]


def _gaussian(deviation: float) -> Tensor:
    half = int(np.ceil(3 * deviation))
    taps = torch.exp(-0.5 * (torch.arange(-half, half + 1) / deviation) ** 2)
    return taps / taps.sum()


def _box(half_width: float) -> Tensor:
    half = int(np.ceil(half_width))
    return torch.full((2 * half + 1,), 1 / (2 * half + 1))


def poisson(image: np.ndarray, cutout: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The image whose gradients inside are the cut-out's and which meets the image at the border (Perez et al., 2003).

    image, cutout: (H, W, C) uint8. inside: (H, W) bool. Beyond the frame both go on with their border pixels.
    """
    rim = ((1, 1), (1, 1))
    outer, inner = (np.pad(values, (*rim, (0, 0)), "edge") for values in (image, cutout))
    return _solved(outer, inner, np.pad(inside, rim))[1:-1, 1:-1]


def _solved(image: np.ndarray, cutout: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The same, where nothing of the outermost pixels is inside."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import splu

    count = int(inside.sum())
    if not count:
        return image.copy()
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(count)
    rows, columns = np.nonzero(inside)
    outer, inner = image.astype(np.float64), cutout.astype(np.float64)
    right = np.zeros((count, image.shape[2]))
    entries = [(np.arange(count), np.arange(count), np.full(count, 4.0))]
    for down, across in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        beside = number[rows + down, columns + across]
        right += inner[rows, columns] - inner[rows + down, columns + across]
        outside = beside < 0
        right[outside] += outer[rows[outside] + down, columns[outside] + across]
        entries.append((np.flatnonzero(~outside), beside[~outside], np.full(int((~outside).sum()), -1.0)))
    at, to, values = (np.concatenate(part) for part in zip(*entries, strict=True))
    solved = splu(csr_matrix((values, (at, to)), shape=(count, count)).tocsc()).solve(right)
    result = outer.copy()
    result[inside] = solved
    return result.clip(0, 255).round().astype(np.uint8)
