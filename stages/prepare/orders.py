"""Orders to take images in, such that every head of the order is a fair choice of its length."""

import numpy as np


def strata_of(shows: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(N,) class ids: of the foreground classes that each image shows the one with the lowest count; 0 for none.

    shows: (N, K) bool, background first. counts: (K,) images that show each class. A tie goes to the lower id.
    """
    if shows.shape[1] < 2:
        return np.zeros(len(shows), int)
    cost = np.where(shows[:, 1:], counts[1:].astype(float), np.inf)
    return np.where(shows[:, 1:].any(1), cost.argmin(1) + 1, 0)


def cover(shows: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Rows, at most one a class, that together show every foreground class that any row shows.

    Goes from the rarest class up and takes, for a class not yet shown, the first row of `order` (N,) that shows it.
    """
    taken: list[int] = []
    shown = np.zeros(shows.shape[1], bool)
    for label in np.argsort(shows[:, 1:].sum(0), kind="stable") + 1:
        candidates = order[shows[order, label]]
        if not shown[label] and len(candidates):
            taken.append(int(candidates[0]))
            shown |= shows[candidates[0]]
    return np.array(taken, dtype=int)


def even_order(shows: np.ndarray, strata: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(N,) rows: first a cover of the classes, then the strata in turn, as long as each lasts."""
    first, order = _cover_first(shows, random)
    ranks = _ranks(strata[order])
    return np.concatenate([order[:first], order[first:][np.argsort(ranks[first:], kind="stable")]])


def proportional_order(shows: np.ndarray, strata: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(N,) rows: first a cover of the classes, then every head holds the strata in the shares of the whole."""
    first, order = _cover_first(shows, random)
    sizes = np.bincount(strata)[strata[order]] if len(order) else np.zeros(0)
    places = (_ranks(strata[order]) + random.random(len(order))) / np.maximum(sizes, 1)
    return np.concatenate([order[:first], order[first:][np.argsort(places[first:], kind="stable")]])


def _cover_first(shows: np.ndarray, random: np.random.Generator) -> tuple[int, np.ndarray]:
    order = random.permutation(len(shows))
    first = cover(shows, order)
    return len(first), np.concatenate([first, order[~np.isin(order, first)]])


def _ranks(strata: np.ndarray) -> np.ndarray:
    """(N,) how many earlier entries are of the same stratum."""
    by_stratum = np.argsort(strata, kind="stable")
    sizes = np.bincount(strata) if len(strata) else np.zeros(0, int)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if len(sizes) else sizes
    ranks = np.empty(len(strata), int)
    ranks[by_stratum] = np.arange(len(strata)) - starts[strata[by_stratum]]
    return ranks
