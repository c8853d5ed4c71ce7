"""The sets and reports of `prepare` on disk."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common.pictures import save_png
from stages.common.progress import tracked
from stages.common.samples import Sample, iterate_samples, read_index, write_set
from stages.common.spec import DatasetSpec
from stages.prepare.checks import sample_key
from stages.prepare.cutouts import spread
from stages.prepare.learnt import learnt_pixels
from stages.prepare.records import SPLITS, Pixels, Record
from stages.prepare.report import PICTURED, labelled_picture, plain_picture
from stages.prepare.scan import Scan
from stages.prepare.splits import Pile

RECIPES = {"simulated": "simulated", "foregrounds": "foreground", "backgrounds": "background"}
PLAIN = ("foregrounds", "backgrounds")
PICTURED_SETS = ("labeled", "simulated", *PLAIN)


def write_data(
    folder: Path, scan: Scan, pile: Pile, splits: dict[str, np.ndarray], spec: DatasetSpec, shard_size: int
) -> None:
    """The sets of SPLITS, with the labels of the spec."""
    for split in SPLITS:
        samples = samples_of(scan, pile, split, splits[split], spec)
        if split == "unlabeled":
            samples = tracked(samples, "write unlabeled", len(splits[split]), "image")
        write_set(folder / split, samples, shard_size)


def samples_of(scan: Scan, pile: Pile, split: str, rows: np.ndarray, spec: DatasetSpec) -> Iterator[Sample]:
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
        yield _sample(sample_key(split, number), Pixels(pixels.image) if hidden else learnt_pixels(pixels, spec), facts)


def _sample(key: str, pixels: Pixels, facts: dict[str, str]) -> Sample:
    return Sample(key, facts=facts, **pixels._asdict())


def write_extra(
    folder: Path, name: str, read: Iterable[tuple[Record, Pixels]], spec: DatasetSpec, shard_size: int
) -> int:
    """A set that is no split; an index without rows where there is nothing. Returns how many samples it has."""
    samples = (
        _extra(name, record, learnt_pixels(pixels, spec), number) for number, (record, pixels) in enumerate(read)
    )
    return len(write_set(folder / name, samples, shard_size))


def _extra(name: str, record: Record, pixels: Pixels, number: int) -> Sample:
    facts = {"recipe": RECIPES[name], "source_id": record.source_id}
    if name == "foregrounds":
        facts["group"] = record.group
    return _sample(sample_key(name, number), pixels, facts)


def write_reports(
    folder: Path,
    data: Path,
    spec: DatasetSpec,
    bad: Sequence[tuple[str, str]],
    metrics: dict[str, float],
    duplicates: pd.DataFrame,
) -> None:
    """metrics.json, both lists, and pictures of the first images of the sets in `data`."""
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1, sort_keys=True) + "\n")
    duplicates.to_csv(folder / "duplicates.csv", index=False)
    pd.DataFrame(bad, columns=["file", "reason"]).to_csv(folder / "quarantine.csv", index=False)
    (folder / "pictures").mkdir()
    for name in PICTURED_SETS:
        if found := pictured(data / name, name in PLAIN):
            picture = plain_picture(found) if name in PLAIN else labelled_picture(found, len(spec.classes))
            save_png(folder / "pictures" / f"{name}.png", picture)


def pictured(folder: Path, everywhere: bool) -> list[Pixels]:
    """The first samples of a set, or as many from all over it: cut-outs may come class by class."""
    keys = read_index(folder)["key"].tolist()
    chosen = spread(keys, PICTURED) if everywhere else keys[:PICTURED]
    samples = iterate_samples(folder, set(chosen))
    return [Pixels(**{name: getattr(sample, name) for name in Pixels._fields}) for sample in samples]
