import numpy as np

from stages.prepare.orders import cover, even_order, proportional_order, strata_of


def shows_of(*images: str, classes: int = 4) -> np.ndarray:
    """`"13"` is an image that shows background and the classes 1 and 3."""
    shows = np.zeros((len(images), classes), bool)
    for row, digits in enumerate(images):
        shows[row, [0, *map(int, digits)]] = True
    return shows


def test_stratum_is_the_rarest_foreground_class():
    shows = shows_of("1", "1", "12", "23", "")
    counts = np.array([9, 3, 2, 1])
    assert strata_of(shows, counts).tolist() == [1, 1, 2, 3, 0]


def test_a_tie_goes_to_the_lower_id_and_the_background_never_counts():
    assert strata_of(shows_of("23", "13"), np.array([0, 5, 5, 5])).tolist() == [2, 1]


def test_cover_takes_an_image_of_a_rare_class_first_and_skips_what_it_shows():
    # Class 3 is rarest (row 3), and that image shows 1 too, so only class 2 needs another.
    shows = shows_of("1", "12", "2", "13", "1")
    assert cover(shows, np.arange(5)).tolist() == [3, 1]
    assert cover(shows, np.array([4, 2, 3, 1, 0])).tolist() == [3, 2]


def test_cover_leaves_out_classes_that_nothing_shows():
    assert cover(shows_of("1", "1"), np.array([1, 0])).tolist() == [1]
    assert cover(shows_of(), np.arange(0)).tolist() == []


def test_even_order_gives_each_stratum_its_turn_until_it_runs_out():
    strata = np.array([1] * 6 + [2] * 2 + [3] * 3)
    shows = shows_of(*map(str, strata))
    order = strata[even_order(shows, strata, np.random.default_rng(0))]
    assert sorted(order[:3]) == [1, 2, 3]
    assert sorted(order[3:6]) == [1, 2, 3]
    assert sorted(order[6:8]) == [1, 3]
    assert order[8:].tolist() == [1, 1, 1]


def test_every_head_of_the_proportional_order_has_the_shares_of_the_whole():
    strata = np.array([1] * 60 + [2] * 30 + [3] * 10)
    order = proportional_order(shows_of(*map(str, strata)), strata, np.random.default_rng(0))
    assert sorted(order) == list(range(100))
    for head in (10, 50, 80):
        counts = np.bincount(strata[order[:head]], minlength=4)[1:]
        assert np.abs(counts - head * np.array([0.6, 0.3, 0.1])).max() <= 1.5


def test_orders_of_nothing_are_empty():
    for order in (even_order, proportional_order):
        assert len(order(shows_of(), np.zeros(0, int), np.random.default_rng(0))) == 0
