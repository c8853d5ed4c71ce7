"""How well the borders of a label sit on the edges of its image.

The borders of the mask are correlated with the gradient of the image over all displacements within a window. A label
in its place correlates best at displacement zero; the best displacement of a shifted one tells how far it was moved.
"""

import numpy as np
from scipy import fft

REACH = 6  # pixels searched in each direction; a label that moved further has lost most of its correlation anyway


def borders(masks: np.ndarray, ignore: int) -> np.ndarray:
    """(N, H, W) ids -> (N, H, W) bool: pixels beside a pixel of another class; borders of ignore do not count."""
    found = np.zeros(masks.shape, bool)
    for first, second in (
        (np.s_[:, 1:], np.s_[:, :-1]),
        (np.s_[:, :, 1:], np.s_[:, :, :-1]),
    ):
        differ = (masks[first] != masks[second]) & (masks[first] != ignore) & (masks[second] != ignore)
        found[first] |= differ
        found[second] |= differ
    return found


def gradients(grey: np.ndarray) -> np.ndarray:
    """(N, H, W) float32 -> the same shape: size of the gradient by central differences."""
    grey = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
    return np.hypot(grey[:, 2:, 1:-1] - grey[:, :-2, 1:-1], grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2])


def alignment(grey: np.ndarray, masks: np.ndarray, ignore: int) -> tuple[np.ndarray, np.ndarray]:
    """Alignment and apparent shift of labels.

    grey: (N, H, W) float32 brightness, masks: (N, H, W). Returns `aligned` (N,) in [0, 1], the correlation in place
    over the best one within REACH pixels (1 = nowhere better), and `shift` (N,), the length of the best displacement
    in pixels. Both are nan where the mask has no border or the image no edge.
    """
    scores = correlations(gradients(grey), borders(masks, ignore).astype(np.float32)).reshape(len(grey), -1)
    best, middle = scores.max(axis=1), scores[:, scores.shape[1] // 2]
    # Displacement zero wins ties: rounding errors of the transform must not move a label.
    winner = np.where(middle >= best * (1 - 1e-4), scores.shape[1] // 2, scores.argmax(axis=1))
    down, right = np.divmod(winner, 2 * REACH + 1)
    shift = np.hypot(down - REACH, right - REACH)
    judged = best > 1e-2
    aligned = np.clip(middle / np.where(judged, best, 1), 0, 1)
    return np.where(judged, aligned, np.nan), np.where(judged, shift, np.nan)


def correlations(edges: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """(N, H, W) twice -> (N, 2 REACH + 1, 2 REACH + 1): entry (REACH + dy, REACH + dx) sums edges * moved lines."""
    size = [fft.next_fast_len(side + REACH, real=True) for side in edges.shape[1:]]
    product = fft.rfft2(edges, s=size) * np.conj(fft.rfft2(lines, s=size))
    around = np.arange(-REACH, REACH + 1)
    return fft.irfft2(product, s=size)[:, around][:, :, around]
