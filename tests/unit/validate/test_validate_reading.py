"""Malformed samples are marked; a set that contradicts itself is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.common.errors import UserError
from stages.common.samples import Sample, write_set
from stages.common.spec import DatasetSpec
from stages.validate.__main__ import read_reference, read_training
from stages.validate.neighbours import reduce, usual_distance
from stages.validate.reading import is_well_formed, read_judged

SPEC = DatasetSpec(name="toy", size=(4, 6), channels=1, classes=("background", "a"))


def image(height: int = 4, width: int = 6) -> np.ndarray:
    return np.full((height, width, 1), 9, np.uint8)


def mask() -> np.ndarray:
    return np.ones((4, 6), np.uint8)


@pytest.mark.parametrize(
    ("sample", "good"),
    [
        (Sample("a", image(), mask()), True),
        (Sample("a", image(), None), False),
        (Sample("a", image(6, 4), mask()), False),
        (Sample("a", image().repeat(3, axis=2), mask()), False),
        (Sample("a", image(), mask()[:3]), False),
        (Sample("a", image().astype(np.uint16), mask()), False),
    ],
)
def test_well_formed(sample, good):
    assert is_well_formed(sample, SPEC) is good


def test_malformed_samples_become_zeros(tmp_path):
    write_set(
        tmp_path,
        [Sample("a", image(), mask(), {"recipe": "gan"}), Sample("b", image(5, 5), mask(), {"recipe": "real"})],
    )
    found = read_judged(tmp_path, SPEC)
    assert found.well_formed.tolist() == [True, False]
    assert found.real.tolist() == [False, True]
    assert found.images[0].min() == 9
    assert found.images[1].max() == 0


def test_an_index_that_lists_other_samples_is_refused(tmp_path):
    write_set(tmp_path, [Sample("a", image(), mask()), Sample("b", image(), mask())])
    pd.read_parquet(tmp_path / "index.parquet").iloc[::-1].to_parquet(tmp_path / "index.parquet", index=False)
    with pytest.raises(UserError, match="does not list the samples"):
        read_judged(tmp_path, SPEC)


def test_an_index_without_keys_is_refused(tmp_path):
    write_set(tmp_path, [Sample("a", image(), mask())])
    pd.read_parquet(tmp_path / "index.parquet").drop(columns="key").to_parquet(tmp_path / "index.parquet", index=False)
    with pytest.raises(UserError, match="has no column `key`"):
        read_judged(tmp_path, SPEC)


def test_an_image_that_is_labelled_and_unlabelled_is_a_training_image_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 1), np.uint8)
    write_set(Path("data/prepare/unlabeled"), [Sample(f"u{i}", images[i], None) for i in range(4)])
    write_set(Path("data/prepare/labeled"), [Sample(f"l{i}", images[i], mask()) for i in (1, 4)])
    reference = read_reference(SPEC)
    found = read_training(reference, alone=False)
    assert found.keys.tolist() == ["u0", "u1", "u2", "u3", "l4"]
    assert np.array_equal(found.images, images)
    assert usual_distance(reduce(found.images), 0, 0.0, 10) > 0
    assert read_training(reference, alone=True).keys.tolist() == ["l1", "l4"]
