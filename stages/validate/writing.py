"""What validation leaves behind: the lists that later stages read, and the report for people."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common.paths import publish
from stages.common.pictures import save_png
from stages.common.spec import DatasetSpec
from stages.validate.examination import Outcome, TrainingImages
from stages.validate.pictures import neighbours_picture, quarantine_picture
from stages.validate.quarantine import quarantined, set_metrics
from stages.validate.reading import JudgedSet


def write_lists(out: Path, outcome: Outcome, passed: bool) -> None:
    """facts.parquet, quarantine.parquet, and accepted.parquet, which a set that failed does not get."""
    with publish(out) as folder:
        outcome.facts.to_parquet(folder / "facts.parquet", index=False)
        outcome.quarantine.to_parquet(folder / "quarantine.parquet", index=False)
        if passed:
            accepted = outcome.verdict.loc[outcome.verdict["accepted"] == 1, ["key"]]
            accepted.to_parquet(folder / "accepted.parquet", index=False)


def write_nothing(out: Path, reports: Path) -> None:
    """The outputs for a set without samples: lists without rows, no expectations."""
    with publish(out) as folder, publish(reports) as written:
        for name in ("facts", "accepted"):
            pd.DataFrame({"key": pd.Series(dtype=str)}).to_parquet(folder / f"{name}.parquet", index=False)
        quarantined([]).to_parquet(folder / "quarantine.parquet", index=False)
        (written / "metrics.json").write_text(json.dumps({"validate/accepted": 0, "validate/quarantined": 0}, indent=1))
        (written / "validation.json").write_text("[]")
        (written / "pictures").mkdir()


def write_reports(
    out: Path, outcome: Outcome, samples: JudgedSet, training: TrainingImages, spec: DatasetSpec, pictures: int
) -> None:
    """metrics.json, validation.json, and the pictures."""
    metrics = set_metrics(outcome.verdict, outcome.quarantine, outcome.results)
    with publish(out) as folder:
        (folder / "metrics.json").write_text(json.dumps(metrics, indent=1))
        (folder / "validation.json").write_text(json.dumps([r.report() for r in outcome.results], indent=1))
        if pictures:
            keys, classes = outcome.facts["key"], len(spec.classes)
            rejected = quarantine_picture(
                samples.images,
                samples.masks,
                keys,
                outcome.quarantine,
                classes,
                pictures,
                samples.boxes if spec.labels == "boxes" else None,
                np.nan_to_num(samples.class_ids).astype(int) if spec.labels == "image" else None,
                samples.keypoints if spec.keypoints and not spec.gaze and not spec.classes else None,
                samples.depth if spec.depth and not spec.gaze and not spec.classes else None,
            )
            save_png(folder / "pictures" / "quarantine.png", rejected)
            near = neighbours_picture(samples.images, outcome.facts, training.images, training.keys, pictures)
            save_png(folder / "pictures" / "neighbours.png", near)
