"""The sets and reports of `prepare` on disk."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common.pictures import save_png
from stages.common.progress import tracked
from stages.common.samples import Sample, write_set
from stages.common.spec import DatasetSpec
from stages.prepare.checks import sample_key
from stages.prepare.cutouts import spread
from stages.prepare.records import SPLITS, Pixels, Record
from stages.prepare.report import PICTURED, labelled_picture, plain_picture
from stages.prepare.scan import Scan
from stages.prepare.splits import Pile

RECIPES = {"simulated": "simulated", "foregrounds": "foreground", "backgrounds": "background"}
PLAIN = ("foregrounds", "backgrounds")


def write_data(folder: Path, scan: Scan, pile: Pile, splits: dict[str, np.ndarray], shard_size: int) -> None:
    """The four sets."""
    for split in SPLITS:
        samples = samples_of(scan, pile, split, splits[split])
        if split == "unlabeled":
            samples = tracked(samples, "write unlabeled", len(splits[split]), "image")
        write_set(folder / split, samples, shard_size)


def samples_of(scan: Scan, pile: Pile, split: str, rows: np.ndarray) -> Iterator[Sample]:
    """The samples of one set, read one by one; those of `unlabeled` without labels and stratum, even where known."""
    for number, row in enumerate(rows):
        record = scan.records[row]
        pixels = record.read()
        hidden = split == "unlabeled"
        facts = {
            "recipe": "real",
            "source_id": record.source_id,
            "group": record.group,
            "stratum": "" if hidden else pile.classes[pile.strata[row]],
        }
        yield _sample(sample_key(split, number), Pixels(pixels.image) if hidden else pixels, facts)


def _sample(key: str, pixels: Pixels, facts: dict[str, str]) -> Sample:
    return Sample(key, facts=facts, **pixels._asdict())


def write_extra(folder: Path, extra: Mapping[str, Sequence[Record]], shard_size: int) -> None:
    """The sets that are no split, by name; an index without rows where there is nothing."""
    for name, records in extra.items():
        found = tracked(records, f"write {name}", len(records), "image")
        write_set(folder / name, (_extra(name, record, number) for number, record in enumerate(found)), shard_size)


def _extra(name: str, record: Record, number: int) -> Sample:
    facts = {"recipe": RECIPES[name], "source_id": record.source_id}
    if name == "foregrounds":
        facts["group"] = record.group
    return _sample(sample_key(name, number), record.read(), facts)


def write_reports(
    folder: Path,
    spec: DatasetSpec,
    scan: Scan,
    pictured: Mapping[str, Sequence[Record]],
    metrics: dict[str, float],
    duplicates: pd.DataFrame,
) -> None:
    """metrics.json, both lists, and pictures of the first images of these sets."""
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1, sort_keys=True) + "\n")
    duplicates.to_csv(folder / "duplicates.csv", index=False)
    pd.DataFrame(scan.bad, columns=["file", "reason"]).to_csv(folder / "quarantine.csv", index=False)
    (folder / "pictures").mkdir()
    for name, records in pictured.items():
        # Cut-outs may come class by class, the others do not.
        found = [record.read() for record in (spread(records, PICTURED) if name in PLAIN else records[:PICTURED])]
        if found:
            picture = plain_picture(found) if name in PLAIN else labelled_picture(found, len(spec.classes))
            save_png(folder / "pictures" / f"{name}.png", picture)
