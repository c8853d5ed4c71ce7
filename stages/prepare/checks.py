"""Judging the incoming tables: a critical failure stops the pipeline, a warning is returned."""

import os
from typing import Any

import numpy as np
import pandas as pd

from stages.common.errors import UserError, ValidationFailedError
from stages.common.spec import DatasetSpec
from stages.prepare.params import PrepareParams
from stages.prepare.records import SPLITS
from stages.prepare.scan import Scan
from stages.prepare.splits import Pile

NAMED = 5


def sample_key(split: str, number: int) -> str:
    """The key of the n-th sample of a set."""
    return f"{split}-{number:06d}"


def image_table(scan: Scan, splits: dict[str, np.ndarray]) -> pd.DataFrame:
    """A row a sample: split, key, file, and what the scan saw; what concerns labels is NaN in `unlabeled`."""
    parts = []
    for split in SPLITS:
        part = scan.table.iloc[splits[split]].reset_index(drop=True)
        part.insert(0, "split", split)
        part.insert(1, "key", [sample_key(split, number) for number in range(len(part))])
        part.insert(2, "file", [scan.records[row].file for row in splits[split]])
        if split == "unlabeled":
            part[["labeled_share", "unknown_pixels", "keypoints_inside"]] = np.nan
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def require_known_keypoints(images: pd.DataFrame, spec: DatasetSpec) -> None:
    """Raises UserError when keypoints are learnt, but `labeled` or `test` has images and knows none that is on one."""
    for split in ("labeled", "test") if spec.keypoints else ():
        there = images[images["split"] == split]
        if len(there) and not (there["keypoints_inside"] > 0).any():
            raise UserError(
                f"{there['file'].iloc[0]} and all other images of `{split}`: no keypoint is known and on its image; "
                "give their places in pixels of these images, with visibility 1 for hidden and 2 for seen"
            )


def set_table(pile: Pile, splits: dict[str, np.ndarray], params: PrepareParams) -> pd.DataFrame:
    """A row a set that was asked for or brought: split, images, lacking_images (0 where the source brings the set) and
    lacking_classes, the names of classes learnt that no mask of `labeled` or `test` shows."""
    rows = []
    for split in SPLITS:
        asked = params.oracle_images if split == "oracle" else getattr(params, split)
        images = len(splits[split])
        if not images and (asked == 0 or split == "full"):
            continue
        exact = asked is not None and (split in ("labeled", "oracle", "full", "unlabeled") or split not in pile.pools)
        needed = pile.learnt and split in ("labeled", "test")
        shown = pile.shows[splits[split]].any(0) if needed else np.ones(len(pile.classes), bool)
        lacking = [name for name, seen in zip(pile.classes[1:], shown[1:], strict=True) if not seen]
        rows.append((split, images, asked - images if exact else 0, ", ".join(lacking)))
    return pd.DataFrame(rows, columns=["split", "images", "lacking_images", "lacking_classes"])


def check_incoming(images: pd.DataFrame, sets: pd.DataFrame, spec: DatasetSpec) -> list[str]:
    """Judge both tables; returns the warnings, a sentence each.

    Raises ValidationFailedError naming the first expectation that is critical and fails, and the rows that broke it.
    """
    # Read at import: without it Great Expectations phones home.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    from stages.prepare.expectations import image_suite, set_suite

    failures = _judge(images, image_suite(spec), ["key", "file"]) + _judge(
        sets, set_suite(), ["split", "lacking_classes"]
    )
    for critical, sentence in failures:
        if critical:
            raise ValidationFailedError(sentence)
    return [sentence for _, sentence in failures]


def _judge(table: pd.DataFrame, suite: Any, named_by: list[str]) -> list[tuple[bool, str]]:
    """(critical, sentence) of each expectation that fails."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset(suite.name)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": table})
    result_format = {"result_format": "COMPLETE", "unexpected_index_column_names": named_by}
    results = batch.validate(suite, result_format=result_format).results
    return [
        _failure(e, r, named_by)
        for e, r in zip(suite.expectations, _in_order(suite, results), strict=True)
        if not r.success
    ]


def _in_order(suite: Any, results: Any) -> list[Any]:
    found = {r.expectation_config.type: r for r in results}
    return [found[e.expectation_type] for e in suite.expectations]


def _failure(expectation: Any, result: Any, named_by: list[str]) -> tuple[bool, str]:
    # Without a result the judging itself broke, and what is in exception_info is keyed by the metric that did.
    if not result.result:
        return True, f"{type(expectation).__name__}: could not be judged: {_raised(result.exception_info)}"
    broken = result.result.get("unexpected_index_list") or []
    rows = [" ".join(str(row[column]) for column in named_by if row[column] != "") for row in broken]
    shown = ", ".join(rows[:NAMED]) + (", ..." if len(rows) > NAMED else "")
    count = f"{len(rows)} row{' fails' if len(rows) == 1 else 's fail'}"
    sentence = f"{type(expectation).__name__}: {count} ({shown}): {expectation.description}"
    return expectation.severity.value == "critical", sentence


def _raised(information: dict[str, Any]) -> str:
    """The first exception message in GX's exception_info, on one line."""
    inner = [information, *(value for value in information.values() if isinstance(value, dict))]
    messages = (part.get("exception_message") for part in inner)
    return " ".join(next((str(message) for message in messages if message), "no reason given").split())
