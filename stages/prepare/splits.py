"""Which image goes into which set: stratified, by group, without copies across, a smaller choice inside a larger."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stages.common.errors import UserError
from stages.prepare.orders import cover, even_order, proportional_order, strata_of
from stages.prepare.params import PrepareParams
from stages.prepare.records import SPLITS

Order = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Pile:
    """What splitting knows of N images.

    pools: (N,) the set that the source puts each in. groups: (N,) names. shows: (N, K) bool, the classes in each label,
    background first. copies: (P, 2) row numbers of duplicates. classes: K names. learnt: whether the classes are; if
    not, the sets are spread over them, but need not show each.
    """

    pools: np.ndarray
    groups: np.ndarray
    shows: np.ndarray
    copies: np.ndarray
    classes: tuple[str, ...]
    learnt: bool = True

    @cached_property
    def strata(self) -> np.ndarray:
        """(N,) class ids: the rarest foreground class in each image, counted over the labelled pool; 0 for none."""
        return strata_of(self.shows, self.shows[self.pools == "labeled"].sum(0))

    def reach(self, rows: np.ndarray) -> np.ndarray:
        """(N,) bool: these rows and all of their copies, with all of their groups: who is in a copy is in the row."""
        chosen = np.zeros(len(self.pools), bool)
        chosen[rows] = True
        alike = chosen.copy()
        for one, other in ((0, 1), (1, 0)):
            alike[self.copies[chosen[self.copies[:, one]], other]] = True
        return np.isin(self.groups, self.groups[alike])


def require_images_for_classes(labeled: int | None, classes: int) -> None:
    """Raises UserError when fewer labelled images are asked for than there are foreground classes."""
    if labeled is not None and labeled < classes:
        raise UserError(
            f"prepare.labeled: {labeled} labelled images for {classes} classes; ask for at least {classes}, one a class"
        )


def choose_splits(pile: Pile, params: PrepareParams, seed: int) -> dict[str, np.ndarray]:
    """Row numbers of each set, in the order of choice.

    A test or val that the source brings itself is taken whole, but for what is barred, else split off the labelled set.
    What is in a higher set (test, then val, then labeled, then oracle and full) keeps its group, its copies and their
    groups out of the lower ones; unlabelled images may be among those of labeled, oracle and full, for the generator
    sees no label, an image of the oracle may be in full, and full shares groups with labeled. Each order is drawn
    without regard to the counts, so that the choice of 10 images is the head of the choice of 20. Raises UserError when
    the images or their classes do not suffice.
    """
    wanted = {"test": params.test, "val": params.val}
    own = [name for name in wanted if name in pile.pools]
    chosen = {name: np.zeros(0, int) for name in SPLITS}
    barred = np.zeros(len(pile.pools), bool)
    for name in own:
        rows = np.flatnonzero((pile.pools == name) & ~barred)
        chosen[name] = _ordered(pile, rows, proportional_order, _random(seed, name))
        barred |= pile.reach(chosen[name])
    reserved = _reserve(pile, params, barred, seed)
    for name in [name for name in wanted if name not in own and wanted[name]]:
        rows = np.flatnonzero((pile.pools == "labeled") & ~barred & ~pile.reach(reserved))
        order = _ordered(pile, rows, proportional_order, _random(seed, name))
        chosen[name] = _exactly(_group_by_group(order, pile.groups), wanted[name], name)
        barred |= pile.reach(chosen[name])
    rows = np.flatnonzero((pile.pools == "labeled") & ~barred)
    chosen["labeled"] = _few_shot(pile, rows, params.labeled, params.at_most, seed)
    chosen["oracle"] = _oracle(pile, barred, chosen["labeled"], params.oracle_images, seed)
    chosen["full"] = _further(pile, barred, chosen["labeled"], params.full, seed)
    chosen["unlabeled"] = _unlabeled(pile, barred, chosen["labeled"], params.unlabeled, seed)
    return chosen


def _random(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, *name.encode()])


def _ordered(pile: Pile, rows: np.ndarray, order: Order, random: np.random.Generator) -> np.ndarray:
    return rows[order(pile.shows[rows], pile.strata[rows], random)]


def _reserve(pile: Pile, params: PrepareParams, barred: np.ndarray, seed: int) -> np.ndarray:
    """Rows kept for `labeled`, one that shows each class, so that test and val cannot take the last one of a class.

    Also where the classes are not learnt, but then no more than `labeled` takes: another kind of labels must not draw
    other sets, or the GAN had to be trained again for it.
    """
    rows = np.flatnonzero((pile.pools == "labeled") & ~barred)
    kept = rows[cover(pile.shows[rows], _random(seed, "reserve").permutation(len(rows)))]
    return kept if pile.learnt else kept[: params.labeled]


def _group_by_group(rows: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The rows with each group in one run, at the place of its first member: a cut then breaks one group at most."""
    _, first, member = np.unique(groups[rows], return_index=True, return_inverse=True)
    return rows[np.argsort(first[member], kind="stable")]


def _exactly(rows: np.ndarray, count: int, name: str) -> np.ndarray:
    if len(rows) < count:
        raise UserError(f"prepare.{name}: {count} images asked for, but only {len(rows)} are left for it; lower it")
    return rows[:count]


def _few_shot(pile: Pile, rows: np.ndarray, count: int | None, at_most: Mapping[str, int], seed: int) -> np.ndarray:
    """The labelled images to learn from: first one for each class, then every stratum in turn."""
    if pile.learnt:
        _require_classes(pile, rows)
    order = _limited(pile, _ordered(pile, rows, even_order, _random(seed, "labeled")), at_most)
    return order if count is None else _exactly(order, count, "labeled")


def _require_classes(pile: Pile, rows: np.ndarray) -> None:
    needed = pile.shows.shape[1] - 1
    for name, shown in zip(pile.classes[1:], pile.shows[rows].any(0)[1:], strict=True):
        if not shown:
            raise UserError(
                f"class {name}: no labelled image that is left for `labeled` shows it; label at least one (a pixel of "
                "a mask is the number of its class, 1 for the first after the background, and 255 is ignored)"
            )
    if len(rows) < needed:
        raise UserError(
            f"prepare.labeled: {len(rows)} labelled images for {needed} classes are left after test and val; "
            f"label at least {needed}, one a class"
        )


def _limited(pile: Pile, order: np.ndarray, at_most: Mapping[str, int]) -> np.ndarray:
    """The rows of an order, but of those that show a class no more than `at_most` says. Raises UserError for a name
    that no class has."""
    for name, most in at_most.items():
        if name not in pile.classes[1:]:
            raise UserError(f"prepare.at_most: {name} is no class; known here: {', '.join(pile.classes[1:]) or 'none'}")
        shows = pile.shows[order, pile.classes.index(name)]
        order = order[~shows | (np.cumsum(shows) <= most)]
    return order


def _oracle(pile: Pile, barred: np.ndarray, labeled: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Labelled images for the oracle, in the shares of the classes; they have nothing to do with those of `labeled`."""
    if not count:
        return np.zeros(0, int)
    rows = np.flatnonzero((pile.pools == "labeled") & ~barred & ~pile.reach(labeled))
    order = _ordered(pile, rows, proportional_order, _random(seed, "oracle"))
    return _exactly(_group_by_group(order, pile.groups), count, "oracle")


def _further(pile: Pile, barred: np.ndarray, labeled: np.ndarray, count: int | None, seed: int) -> np.ndarray:
    """Labelled images beside those of `labeled`: what is left of its pool, and the pool `full`."""
    rows = np.flatnonzero(np.isin(pile.pools, ("labeled", "full")) & ~barred)
    rows = rows[~np.isin(rows, labeled)]
    order = _ordered(pile, rows, proportional_order, _random(seed, "full"))
    return order if count is None else _exactly(order, count, "full")


def _unlabeled(pile: Pile, barred: np.ndarray, labeled: np.ndarray, count: int | None, seed: int) -> np.ndarray:
    """Images for the generator, shuffled; without a pool of their own the labelled ones, those of `labeled` first."""
    own = "unlabeled" in pile.pools
    rows = np.flatnonzero((pile.pools == ("unlabeled" if own else "labeled")) & ~barred)
    rows = _random(seed, "unlabeled").permutation(rows)
    if count is None:
        return rows
    first = np.isin(rows, labeled)
    return _exactly(np.concatenate([rows[first], rows[~first]]), count, "unlabeled")
