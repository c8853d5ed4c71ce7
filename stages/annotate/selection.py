"""Which of the drawn images are worth a person's time."""

import numpy as np

from stages.annotate.params import Select


def k_centres(features: np.ndarray, count: int) -> np.ndarray:
    """(count,) rows: first the one nearest to the mean, then always the one farthest from all chosen ones.

    features: (N, D). Of equals the lower row. Greedy farthest-first traversal, whose largest distance to a chosen row
    is at most twice the least possible (Gonzalez 1985; Sener and Savarese, ICLR 2018, algorithm 1).
    """
    values = features.astype(np.float64)
    chosen = [int(np.square(values - values.mean(axis=0)).sum(axis=1).argmin())]
    nearest = np.full(len(values), np.inf)
    for _ in range(1, count):
        nearest = np.minimum(nearest, np.square(values - values[chosen[-1]]).sum(axis=1))
        nearest[chosen] = -1
        chosen.append(int(nearest.argmax()))
    return np.array(chosen)


def most_uncertain(scores: np.ndarray, count: int) -> np.ndarray:
    """(count,) rows of the highest scores (N,), highest first, of equals the lower row."""
    return np.argsort(-scores, kind="stable")[:count]


def select_rows(
    how: Select, count: int, features: np.ndarray, scores: np.ndarray, uncertain_share: float, seed: int
) -> np.ndarray:
    """(count,) rows of N images, as `AnnotateParams.select` says.

    features: (N, D), which `random` does not look at. scores: (N,) uncertainty, for `disagreement` alone.
    """
    if how == "random":
        return np.random.default_rng([seed, 33]).permutation(len(features))[:count]
    if how == "coverage":
        return k_centres(features, count)
    pool = most_uncertain(scores, max(count, round(uncertain_share * len(scores))))
    return pool[k_centres(features[pool], count)]
