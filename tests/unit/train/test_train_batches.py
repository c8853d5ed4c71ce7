import numpy as np
import pytest

from stages.train.batches import Batches, Cycle


@pytest.mark.parametrize(("size", "share", "real"), [(32, 0.5, 16), (8, 0.25, 2), (10, 0.01, 1), (10, 0.99, 9)])
def test_every_batch_holds_the_share_of_real_rows(size: int, share: float, real: int) -> None:
    is_real = np.arange(1000) < 7
    batches = Batches(is_real, size, share, seed=0)
    for step in range(50):
        rows = batches.rows(step)
        assert len(rows) == size
        assert is_real[rows].sum() == real


@pytest.mark.parametrize("kind", [True, False])
def test_a_set_of_one_kind_fills_the_batch(kind: bool) -> None:
    rows = Batches(np.full(20, kind), 12, 0.5, seed=0).rows(3)
    assert len(rows) == 12
    assert rows.max() < 20


def test_a_round_holds_every_row_once_and_rounds_differ() -> None:
    cycle = Cycle(np.arange(100, 113), 5)
    taken = np.concatenate([cycle.take(start, 4) for start in range(0, 52, 4)])
    rounds = taken.reshape(4, 13)
    assert all(sorted(each) == list(range(100, 113)) for each in rounds.tolist())
    assert not np.array_equal(rounds[0], rounds[1])


def test_batches_depend_on_seed_and_step_alone() -> None:
    is_real = np.arange(50) < 10
    first, again, other = (Batches(is_real, 16, 0.5, seed) for seed in (0, 0, 1))
    expected = [first.rows(step) for step in range(10)]
    assert np.array_equal(again.rows(9), expected[9])
    assert not np.array_equal(other.rows(9), expected[9])


def test_the_first_steps_may_see_real_rows_alone():
    is_real = np.arange(40) < 10
    batches = Batches(is_real, 8, 0.5, seed=0, real_steps=3)
    assert [int(is_real[batches.rows(step)].sum()) for step in range(6)] == [8, 8, 8, 4, 4, 4]


def test_a_set_without_real_rows_does_without_such_steps():
    batches, plain = (Batches(np.zeros(20, dtype=bool), 8, 0.5, seed=0, real_steps=steps) for steps in (3, 0))
    assert all(np.array_equal(batches.rows(step), plain.rows(step)) for step in range(5))
