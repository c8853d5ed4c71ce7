"""Take in the images and their labels, split them into unlabeled, labeled, full, val and test, draw simulated ones,
and lay out cut-outs and backgrounds for compositing.

Sets never share a group or a copy of an image, except that labelled images may also be among the unlabelled ones, and
backgrounds among both; `full` holds labelled images beside those of `labeled`, also of their groups.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from stages.common.cli import run_stage
from stages.common.params import SharedParams
from stages.common.paths import publish
from stages.common.progress import tracked
from stages.common.recipes import compared_recipes
from stages.common.spec import write_spec
from stages.common.tracking import Tracker
from stages.prepare.checks import check_incoming, image_table, require_known_keypoints, set_table
from stages.prepare.cutouts import background_records, foreground_records
from stages.prepare.cutouts.checking import Inspection
from stages.prepare.duplicates import HeldOut, find_copies
from stages.prepare.later import asked_folds, check_folds, check_sections, train_target, without_source
from stages.prepare.learnt import (
    check_annotator,
    check_baselines,
    check_gan_labels,
    check_target,
    learns_classes,
    learnt_spec,
)
from stages.prepare.params import PrepareParams
from stages.prepare.report import duplicates_table, metrics_of, print_copies, print_counts, with_backgrounds
from stages.prepare.scan import refuse_constant
from stages.prepare.scan import scan as look_through
from stages.prepare.simulators import simulated_source
from stages.prepare.sources import open_source
from stages.prepare.splits import Pile, choose_splits, require_images_for_classes
from stages.prepare.writing import write_data, write_extra, write_reports

DATA = Path("data/prepare")
REPORTS = Path("reports/prepare")


def main(params: PrepareParams, shared: SharedParams, track: Tracker) -> None:
    check_sections()
    recipes, target, folds = compared_recipes(), train_target(), asked_folds()
    source = open_source(params, shared.seed)
    quarantine = params.bad_files == "quarantine"
    classes = learns_classes(source.spec, params.learn)
    require_images_for_classes(params.labeled, len(source.spec.foreground) if classes else 0)
    scan = look_through(source, quarantine)
    copies = find_copies(scan.digests, scan.thumbnails, params.near_duplicate_rms)
    pools, groups = (np.array([getattr(r, name) for r in scan.records], dtype=str) for name in ("pool", "group"))
    pile = Pile(pools, groups, scan.shows, copies.pairs, source.spec.strata, classes)
    splits = choose_splits(pile, params, shared.seed)
    check_folds(folds, groups[splits["test"]].tolist())
    labeled = [scan.records[row] for row in splits["labeled"]]
    simulated = simulated_source(params, source, shared.seed, labeled)
    spec = learnt_spec(simulated.spec, params.learn)
    check_target(spec, target)
    check_gan_labels(spec, recipes)
    check_baselines(spec, recipes)
    check_annotator(spec, recipes, params.oracle_images)
    drawn = look_through(simulated, quarantine)
    refuse_constant(drawn)
    foregrounds = foreground_records(params, source, labeled)
    backgrounds = background_records(params, source, shared.seed)
    print_counts(source.spec, splits, scan.shows)
    images, sets = image_table(scan, splits), set_table(pile, splits, params)
    require_known_keypoints(images, spec)
    for warning in check_incoming(images, sets, source.spec):
        print(f"warning: {warning}")
    look = Inspection(source.spec, quarantine, HeldOut.of(scan, splits, params.near_duplicate_rms), classes)
    extra = {
        "foregrounds": look.foregrounds(foregrounds),
        "backgrounds": look.backgrounds(backgrounds),
        "simulated": ((one, one.read()) for one in tracked(drawn.records, "write simulated", unit="image")),
    }
    with publish(DATA) as data, publish(REPORTS) as reports:
        counts = {name: write_extra(data, name, read, spec, params.shard_size) for name, read in extra.items()}
        write_data(data, scan, pile, splits, spec, params.shard_size)
        write_spec(spec, data / "spec.json")
        duplicates = with_backgrounds(duplicates_table(scan, copies, splits), look.copies)
        scan = replace(scan, bad=scan.bad + look.bad)
        metrics = metrics_of(scan, duplicates, splits) | {f"prepare/{name}": float(n) for name, n in counts.items()}
        write_reports(reports, data, spec, scan.bad, metrics, duplicates)
    print_copies(look.copies)
    for warning in without_source(recipes, counts | {"full": len(splits["full"])}):
        print(f"warning: {warning}")
    track.metrics(metrics)
    for picture in sorted((REPORTS / "pictures").glob("*.png")):
        track.artifact(picture, "pictures")
    for split, rows in images.groupby("split"):
        track.dataset(rows, f"prepare/{split}", DATA / str(split), context=str(split))


if __name__ == "__main__":
    run_stage("prepare", PrepareParams, main, __doc__)
