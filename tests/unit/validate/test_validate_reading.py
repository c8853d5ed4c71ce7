"""Malformed samples are marked; a set that contradicts itself is refused."""

import numpy as np
import pandas as pd
import pytest

from stages.common.errors import UserError
from stages.common.samples import Sample, write_set
from stages.common.spec import DatasetSpec
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
