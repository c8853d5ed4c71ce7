"""Take in the images and their labels, split them into unlabeled, labeled, val and test, and draw simulated ones.

Sets never share a group or a copy of an image, except that labelled images may also be among the unlabelled ones.
"""

from pathlib import Path

import numpy as np

from stages.common.cli import run_stage
from stages.common.params import SharedParams
from stages.common.paths import publish
from stages.common.spec import write_spec
from stages.common.tracking import Tracker
from stages.prepare.checks import check_incoming, image_table, set_table
from stages.prepare.duplicates import find_copies
from stages.prepare.params import PrepareParams
from stages.prepare.report import duplicates_table, metrics_of, print_counts
from stages.prepare.scan import refuse_constant
from stages.prepare.scan import scan as look_through
from stages.prepare.simulators import simulated_source
from stages.prepare.sources import open_source
from stages.prepare.splits import Pile, choose_splits, require_images_for_classes
from stages.prepare.writing import write_data, write_reports, write_simulated

DATA = Path("data/prepare")
REPORTS = Path("reports/prepare")


def main(params: PrepareParams, shared: SharedParams, track: Tracker) -> None:
    source = open_source(params)
    require_images_for_classes(params.labeled, len(source.spec.foreground))
    scan = look_through(source, quarantine=params.bad_files == "quarantine")
    simulated = simulated_source(params, source, shared.seed)
    drawn = look_through(simulated, quarantine=params.bad_files == "quarantine")
    refuse_constant(drawn)
    copies = find_copies(scan.digests, scan.thumbnails, params.near_duplicate_rms)
    pools, groups = (np.array([getattr(r, name) for r in scan.records], dtype=str) for name in ("pool", "group"))
    pile = Pile(pools, groups, scan.shows, copies.pairs, source.spec.strata)
    splits = choose_splits(pile, params, shared.seed)
    print_counts(source.spec, splits, scan.shows)
    images, sets = image_table(scan, splits), set_table(pile, splits, params)
    for warning in check_incoming(images, sets, source.spec):
        print(f"warning: {warning}")
    duplicates = duplicates_table(scan, copies, splits)
    metrics = metrics_of(scan, duplicates, splits) | {"prepare/simulated": float(len(drawn.records))}
    with publish(DATA) as data, publish(REPORTS) as reports:
        write_data(data, scan, pile, splits, params.shard_size)
        write_spec(simulated.spec, data / "spec.json")
        write_simulated(data, drawn, params.shard_size)
        write_reports(reports, simulated.spec, scan, drawn, splits["labeled"], metrics, duplicates)
    track.metrics(metrics)
    for picture in sorted((REPORTS / "pictures").glob("*.png")):
        track.artifact(picture, "pictures")
    for split, rows in images.groupby("split"):
        track.dataset(rows, f"prepare/{split}", DATA / str(split), context=str(split))


if __name__ == "__main__":
    run_stage("prepare", PrepareParams, main, __doc__)
