import itertools

import numpy as np
import pandas as pd
import pytest

from stages.common.errors import UserError
from stages.prepare import duplicates
from stages.prepare.duplicates import Copies, exact_pairs, find_copies, near_pairs
from stages.prepare.records import SPLITS, Record
from stages.prepare.report import duplicates_table
from stages.prepare.scan import Scan, thumbnail


def plain_pairs(thumbnails: np.ndarray, threshold: float) -> list[tuple[int, int]]:
    """The definition: every pair in turn."""
    values = thumbnails / 255
    return [
        (i, j)
        for i in range(len(values))
        for j in range(i + 1, len(values))
        if np.sqrt(((values[i] - values[j]) ** 2).mean()) <= threshold
    ]


def crowd(count: int, channels: int, seed: int) -> np.ndarray:
    """Smooth pictures and shaken copies of them, some closer than 0.05 and some not."""
    random = np.random.default_rng(seed)
    base = np.repeat(random.integers(0, 256, (count // 3, 8 * 8 * channels)), 4, axis=1).astype(float)
    copies = [base + random.normal(0, shake, base.shape) for shake in (0, 9, 14)]
    return np.clip(np.concatenate(copies), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("threshold", [0.02, 0.05, 0.25])
def test_near_pairs_are_those_of_the_plain_loop(channels, threshold, monkeypatch):
    monkeypatch.setattr(duplicates, "BLOCK", 16)  # several blocks, the last one not full
    monkeypatch.setattr(duplicates, "VERIFY", 7)
    thumbnails = crowd(75, channels, seed=channels)
    pairs, rms = near_pairs(thumbnails, threshold)
    assert [tuple(pair) for pair in pairs] == plain_pairs(thumbnails, threshold)
    values = thumbnails / 255
    np.testing.assert_allclose(rms, [np.sqrt(((values[i] - values[j]) ** 2).mean()) for i, j in pairs], rtol=1e-4)
    assert threshold == 0.02 or len(pairs) >= 10


def test_exact_pairs_of_three_equal_images():
    assert exact_pairs(["a", "b", "a", "c", "a"]).tolist() == [[0, 2], [0, 4], [2, 4]]
    assert exact_pairs(["a", "b"]).shape == (0, 2)


def test_an_exact_pair_is_not_counted_as_near_too():
    thumbnails = np.full((3, 256), 100, np.uint8)
    thumbnails[2] += 1
    copies = find_copies(["a", "a", "b"], thumbnails, threshold=0.02)
    assert copies.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert copies.exact.tolist() == [True, False, False]
    np.testing.assert_allclose(copies.rms, [0, 1 / 255, 1 / 255], rtol=1e-4)


def test_threshold_zero_looks_for_exact_copies_alone():
    copies = find_copies(["a", "b"], np.zeros((2, 256), np.uint8), threshold=0)
    assert len(copies.pairs) == 0
    assert len(find_copies([], np.zeros((0, 1), np.uint8), threshold=0.1).pairs) == 0


def test_too_many_pairs_name_the_key(monkeypatch):
    monkeypatch.setattr(duplicates, "MAX_PAIRS", 5)
    with pytest.raises(UserError, match=r"^prepare\.near_duplicate_rms: more than 5 pairs"):
        near_pairs(np.zeros((4, 256), np.uint8), 0.1)
    with pytest.raises(UserError, match="more than 5 pairs"):
        exact_pairs(["a"] * 4)


def test_thumbnail_is_the_mean_of_blocks():
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    means = image.reshape(16, 2, 16, 3, 3).mean((1, 3)).reshape(-1)
    assert np.abs(thumbnail(image) - means).max() <= 1
    grey = image[:, :, :1]
    assert np.abs(thumbnail(grey) - grey.reshape(16, 2, 16, 3).mean((1, 3)).reshape(-1)).max() <= 1


def test_the_table_leaves_out_pairs_of_two_sets_to_learn_from():
    pool = ["test", "labeled", "oracle", "full", "unlabeled", "left out"]
    records = [Record(f"{name}-{copy}", name, name, f"{name}-{copy}", pytest.fail) for name in pool for copy in (0, 1)]
    scan = Scan(records, pd.DataFrame(), [], np.empty((0, 1)), np.empty((0, 1)), [])
    splits = {name: np.arange(0, 2) + 2 * number for number, name in enumerate(pool[:-1])}
    splits = {name: splits.get(name, np.arange(0)) for name in SPLITS}
    pairs = np.array([*itertools.combinations(range(0, 12, 2), 2), (4, 5)])
    table = duplicates_table(scan, Copies(pairs, np.zeros(len(pairs)), np.ones(len(pairs), bool)), splits)
    told = {(row.first_set, row.second_set): row.action for row in table.itertuples()}
    assert told == {
        **{("test", name): "kept" for name in pool[1:-1]},
        **{(name, "left out"): "kept" for name in pool[1:-1]},
        ("test", "left out"): "removed",
        ("oracle", "oracle"): "kept",
    }
