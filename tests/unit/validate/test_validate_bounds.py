"""Bounds from a small reference, worked by hand."""

import numpy as np
import pandas as pd
import pytest

from stages.common.spec import DatasetSpec
from stages.validate.bounds import class_range, derive_bounds, noise_bound, outlier_bound, quantile
from stages.validate.facts import WHITE_NOISE
from stages.validate.params import ValidateParams

SPEC = DatasetSpec(name="toy", size=(10, 10), channels=1, classes=("background", "a"))
PARAMS = ValidateParams(quantile=0.25, size_factor=2, extra_regions=1, extra_specks=0, copy_floor=1, copy_factor=0.5)


def reference(**changed: object) -> pd.DataFrame:
    facts = {
        "labelled_pixels": [20, 20, 30, 40, 40],
        "foreground_share": [0.2, 0.2, 0.3, 0.4, 0.4],
        "largest_region": [20.0, 20, 30, 40, 40],
        "regions": [1, 1, 1, 2, 1],
        "specks": [0, 0, 1, 0, 0],
        "contrast": [40.0, 40, 50, 60, 60],
        "noise": [0.1, 0.1, 0.1, 0.12, 0.12],
        "aligned": [1.0, 1, 1, 1, 1],
        "shift_px": [0.0, 0, 0, 0, 0],
        "has_class_1": [1.0, 1, 1, 1, 1],
    }
    return pd.DataFrame(facts | changed)


def test_bounds_widen_the_quantiles_by_the_tolerances():
    bounds = derive_bounds(reference(), np.array([]), 8.0, SPEC, PARAMS)
    assert bounds.largest_region == (10, 80)
    assert bounds.foreground_share == pytest.approx((0.1, 0.8))
    assert bounds.contrast == (20, 120)
    assert (bounds.regions, bounds.specks, bounds.labelled_pixels) == (3, 1, 1)
    assert (bounds.aligned, bounds.shift_px) == (pytest.approx(0.7), 2.5)
    assert bounds.copy_distance == 4
    assert bounds.uncertainty is None


def test_real_labels_that_are_empty_allow_empty_ones():
    assert (
        derive_bounds(reference(labelled_pixels=[0, 20, 30, 40, 40]), np.array([]), 8, SPEC, PARAMS).labelled_pixels
        == 0
    )


def test_images_that_nearly_repeat_leave_the_floor_of_the_copy_distance():
    assert derive_bounds(reference(), np.array([]), 0.0, SPEC, PARAMS).copy_distance == 1


def test_the_noise_bound_stays_away_from_white_noise():
    assert noise_bound(0.1, 3) == pytest.approx(0.3)
    assert noise_bound(0.3, 3) == pytest.approx((0.3 + WHITE_NOISE) / 2)


def test_uncertainty_outliers():
    values = np.array([0.1, 0.2, 0.3, 0.4, 0.5, np.nan])
    assert outlier_bound(values, 2.0) == pytest.approx(0.4 + 2 * 0.2)
    assert outlier_bound(np.full(5, 0.3), 2.0) is None
    assert outlier_bound(np.array([np.nan]), 2.0) is None
    params = PARAMS.model_copy(update={"max_uncertainty": 0.0})
    assert derive_bounds(reference(), values, 0.0, SPEC, params).uncertainty == 0.0


def test_class_shares_leave_room_for_a_small_reference():
    low, high = class_range(pd.Series([1.0, 0, 0, 0]), ValidateParams(class_factor=2))
    assert low == 0.125
    assert high == pytest.approx(0.5 + 2 * (0.25 * 0.75 / 4) ** 0.5)
    assert class_range(pd.Series([0.0, 0.0]), ValidateParams()) == (0, 1)


def test_a_fact_that_no_real_sample_has_gives_no_bound():
    assert quantile(pd.Series([np.nan, np.nan]), 0.1, 7.0) == 7.0
