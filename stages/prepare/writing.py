"""The sets and reports of `prepare` on disk."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common.pictures import save_png
from stages.common.progress import tracked
from stages.common.samples import Sample, write_set
from stages.common.spec import write_spec
from stages.prepare.checks import sample_key
from stages.prepare.records import SPLITS, Source
from stages.prepare.report import PICTURED, labeled_picture
from stages.prepare.scan import Scan
from stages.prepare.splits import Pile


def write_data(
    folder: Path, source: Source, scan: Scan, pile: Pile, splits: dict[str, np.ndarray], shard_size: int
) -> None:
    """The four sets and spec.json."""
    for split in SPLITS:
        samples = samples_of(scan, pile, split, splits[split])
        if split == "unlabeled":
            samples = tracked(samples, "write unlabeled", len(splits[split]), "image")
        write_set(folder / split, samples, shard_size)
    write_spec(source.spec, folder / "spec.json")


def samples_of(scan: Scan, pile: Pile, split: str, rows: np.ndarray) -> Iterator[Sample]:
    """The samples of one set, read one by one; those of `unlabeled` without mask and stratum, even where known."""
    for number, row in enumerate(rows):
        record = scan.records[row]
        image, mask = record.read()
        hidden = split == "unlabeled"
        facts = {
            "recipe": "real",
            "source_id": record.source_id,
            "group": record.group,
            "stratum": "" if hidden else pile.classes[pile.strata[row]],
        }
        yield Sample(sample_key(split, number), image, None if hidden else mask, facts)


def write_reports(
    folder: Path,
    source: Source,
    scan: Scan,
    labeled: np.ndarray,
    metrics: dict[str, float],
    duplicates: pd.DataFrame,
) -> None:
    """metrics.json, both lists, and the picture of the labelled images."""
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1, sort_keys=True) + "\n")
    duplicates.to_csv(folder / "duplicates.csv", index=False)
    pd.DataFrame(scan.bad, columns=["file", "reason"]).to_csv(folder / "quarantine.csv", index=False)
    pairs = [scan.records[row].read() for row in labeled[:PICTURED]]
    masks = np.stack([pair.mask for pair in pairs if pair.mask is not None])
    picture = labeled_picture(np.stack([pair.image for pair in pairs]), masks, len(source.spec.classes))
    save_png(folder / "pictures" / "labeled.png", picture)
