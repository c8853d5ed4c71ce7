"""Good incoming tables pass; each seeded fault fails by the expectation that is about it."""

import numpy as np
import pandas as pd
import pytest

from stages.common.errors import ValidationFailedError
from stages.common.spec import DatasetSpec
from stages.prepare.checks import check_incoming

SPEC = DatasetSpec(name="toy", size=(12, 20), channels=1, classes=("background", "red", "green"))


def good_images() -> pd.DataFrame:
    count = 6
    return pd.DataFrame(
        {
            "split": ["test"] * 2 + ["labeled"] * 2 + ["unlabeled"] * 2,
            "key": [f"k{row}" for row in range(count)],
            "file": [f"{row}.png" for row in range(count)],
            "height": 12,
            "width": 20,
            "channels": 1,
            "mean": 0.5,
            "std": 0.1,
            "labeled_share": [0.2, 0.3, 0.2, 0.1, np.nan, np.nan],
            "unknown_pixels": [0.0, 0.0, 0.0, 0.0, np.nan, np.nan],
            "keypoints_inside": np.nan,
        }
    )


def good_sets() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "split": ["test", "labeled", "unlabeled"],
            "images": [2, 2, 2],
            "lacking_images": [0, 0, 0],
            "lacking_classes": ["", "", ""],
        }
    )


def test_good_tables_pass_without_a_warning():
    assert check_incoming(good_images(), good_sets(), SPEC) == []


@pytest.mark.parametrize(
    ("column", "value", "expectation"),
    [
        ("height", 11, "HeightAsInSpec"),
        ("width", 12, "WidthAsInSpec"),
        ("channels", 3, "ChannelsAsInSpec"),
        ("std", 0.0, "ImageIsNotConstant"),
        ("unknown_pixels", 2.0, "ClassIdsAreKnown"),
        ("key", "k0", "KeyIsUnique"),
    ],
)
def test_a_bad_image_fails_by_its_expectation_and_is_named(column, value, expectation):
    images = good_images()
    images.loc[3, column] = value
    with pytest.raises(ValidationFailedError, match=rf"^{expectation}: \d rows? fails? .*3\.png") as error:
        check_incoming(images, good_sets(), SPEC)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("column", "value", "expectation"),
    [
        ("images", 0, "SetIsNotEmpty"),
        ("lacking_images", 1, "CountAsAsked"),
        ("lacking_classes", "green", "EveryClassIsShown"),
    ],
)
def test_a_bad_set_fails_by_its_expectation_and_is_named(column, value, expectation):
    sets = good_sets()
    sets.loc[0, column] = value
    with pytest.raises(ValidationFailedError, match=rf"^{expectation}: 1 row fails \(test"):
        check_incoming(good_images(), sets, SPEC)


def test_a_mask_of_background_alone_only_warns():
    images = good_images()
    images.loc[1, "labeled_share"] = 0.0
    warnings = check_incoming(images, good_sets(), SPEC)
    assert len(warnings) == 1
    assert warnings[0].startswith("MaskShowsSomething: 1 row fails (k1 1.png)")


def test_keypoints_of_another_resolution_fail_and_a_few_strange_images_do_not():
    images = good_images().assign(keypoints_inside=[1.0, 1.0, 0.2, 0.2, np.nan, np.nan])
    assert check_incoming(images, good_sets(), SPEC) == []
    images.loc[0, "keypoints_inside"] = 0.3
    with pytest.raises(ValidationFailedError, match=r"^KeypointsAreInside: 3 rows fail .*another resolution"):
        check_incoming(images, good_sets(), SPEC)


def test_a_missing_column_is_a_critical_failure():
    with pytest.raises(ValidationFailedError, match=r"^ImageIsNotConstant: could not be judged"):
        check_incoming(good_images().drop(columns="std"), good_sets(), SPEC)
