"""Cut-outs and backgrounds through the whole stage: read once, and no background that is a held-out image."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from folder_builders import write_folder
from PIL import Image

from stages.common.params import SharedParams
from stages.common.samples import read_set
from stages.common.spec import DatasetSpec
from stages.common.tracking import Tracker
from stages.prepare.__main__ import main
from stages.prepare.cutouts import foreground_records
from stages.prepare.cutouts.checking import Inspection
from stages.prepare.duplicates import HeldOut
from stages.prepare.params import PrepareParams
from stages.prepare.records import Pixels, Record, Source
from stages.prepare.scan import digest_of, thumbnail

SIZE = (24, 32)
GROUNDS = Path("data/prepare/backgrounds")
DUPLICATES = Path("reports/prepare/duplicates.csv")


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """Fruit of two kinds with three backgrounds and three cut-outs; the working folder is beside it."""
    folder = tmp_path / "fruit"
    counts = {"unlabeled": 4, "labeled/images": 4, "val/images": 2, "test/images": 3, "backgrounds": 3}
    write_folder(folder, counts, SIZE, name="fruit", classes=["nothing", "apple", "pear"], labels="image")
    for pool in ("labeled", "val", "test"):
        names = sorted(path.name for path in (folder / pool / "images").iterdir())
        rows = [f"{name},{('apple', 'pear')[number % 2]}" for number, name in enumerate(names)]
        (folder / pool / "labels.csv").write_text("file,class\n" + "\n".join(rows) + "\n")
    for name in ("apple/a", "apple/b", "pear/a"):
        pixels = np.full((10, 12, 4), 255, np.uint8)
        (folder / "foregrounds" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / "foregrounds" / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    return folder


def prepare(root: Path, **values: object) -> dict[str, float]:
    settings = {"source": "folder", "path": root, "labeled": None, "backgrounds": {"count": None}} | values
    main(PrepareParams.model_validate(settings), SharedParams(), Tracker(None))
    return json.loads(Path("reports/prepare/metrics.json").read_text())


def darker(path: Path, by: int) -> Image.Image:
    return Image.fromarray((np.asarray(Image.open(path)).astype(int) - by).clip(0, 255).astype(np.uint8))


def test_every_cut_out_and_background_is_read_once(root, monkeypatch):
    opened, real = Counter(), Image.open

    def counting(path, *rest):
        opened[str(path)] += 1
        return real(path, *rest)

    monkeypatch.setattr(Image, "open", counting)
    metrics = prepare(root)
    assert (metrics["prepare/foregrounds"], metrics["prepare/backgrounds"]) == (3, 3)
    files = [path for pool in ("foregrounds", "backgrounds") for path in (root / pool).rglob("*.png")]
    assert [opened[str(path)] for path in files] == [1] * 6


def test_an_image_with_several_objects_is_read_once_and_not_before_it_is_asked_for():
    reads = Counter()

    def record(name: str) -> Record:
        def read() -> Pixels:
            reads[name] += 1
            mask = np.zeros((32, 32), np.uint8)
            mask[2:8, 2:8], mask[20:28, 20:28] = 1, 2
            return Pixels(np.zeros((32, 32, 1), np.uint8), mask)

        return Record(name, "labeled", name, f"{name}.png", read)

    params = PrepareParams.model_validate({"foregrounds": {"source": "labeled", "count": 3}})
    spec = DatasetSpec(name="toy", size=(32, 32), channels=1, classes=("background", "red", "green"))
    source = Source(spec, [record(name) for name in "abc"])
    records = foreground_records(params, source, source.records)
    assert not reads
    look = Inspection(spec, False, HeldOut([], [], [], np.zeros((0, 256), np.uint8), 0))
    assert [found.source_id for found, _ in look.foregrounds(records)] == ["a-0", "a-1", "b-0"]
    assert reads == {"a": 1, "b": 1}


def test_backgrounds_that_are_held_out_images_are_left_out_and_listed(root):
    assert prepare(root)["prepare/backgrounds"] == 3
    (root / "backgrounds/same.png").write_bytes((root / "test/images/t1.png").read_bytes())
    darker(root / "val/images/v0.png", by=1).save(root / "backgrounds/near.png")
    # What is labelled is learnt from anyway.
    (root / "backgrounds/known.png").write_bytes((root / "labeled/images/l0.png").read_bytes())
    metrics = prepare(root)
    assert metrics["prepare/backgrounds"] == 4
    assert (metrics["prepare/duplicates_exact"], metrics["prepare/duplicates_near"]) == (1, 1)
    assert set(read_set(GROUNDS).index["source_id"]) == {"b0", "b1", "b2", "known"}
    table = pd.read_csv(DUPLICATES).sort_values("kind")
    assert [Path(file).name for file in table["first"]] == ["same.png", "near.png"]
    assert [Path(file).name for file in table["second"]] == ["t1.png", "v0.png"]
    assert table["second_set"].tolist() == ["test", "val"]
    assert set(table["first_set"]) == {"left out"}
    assert set(table["action"]) == {"whole file removed"}


def test_without_near_duplicates_only_exact_copies_are_left_out(root):
    (root / "backgrounds/same.png").write_bytes((root / "test/images/t1.png").read_bytes())
    darker(root / "val/images/v0.png", by=1).save(root / "backgrounds/near.png")
    assert prepare(root, near_duplicate_rms=0)["prepare/backgrounds"] == 4
    assert "near" in set(read_set(GROUNDS).index["source_id"])


def test_parts_of_one_file_that_are_all_the_same_are_listed_once(root):
    (root / "backgrounds/same.png").write_bytes((root / "test/images/t1.png").read_bytes())
    assert prepare(root, backgrounds={"count": 8})["prepare/backgrounds"] == 6
    assert len(pd.read_csv(DUPLICATES)) == 1


@pytest.mark.parametrize("crop", ["random", "middle"])
def test_a_wide_file_with_a_held_out_image_anywhere_in_it_is_left_out_as_a_whole(root, capsys, crop):
    noise = np.random.default_rng(5).integers(0, 256, (24, 82)).astype(np.uint8)
    Image.fromarray(noise).save(root / "backgrounds/clean.png")
    noise[:, 7:39] = np.asarray(Image.open(root / "test/images/t1.png"))
    Image.fromarray(noise).save(root / "backgrounds/leak.png")
    metrics = prepare(root, backgrounds={"count": 10, "crop": crop})
    names = {name.partition("-")[0] for name in read_set(GROUNDS).index["source_id"]}
    assert names == {"b0", "b1", "b2", "clean"}
    assert metrics["prepare/backgrounds"] == (8 if crop == "random" else 4)
    pair = pd.read_csv(DUPLICATES).iloc[0]
    assert (Path(pair["first"]).name, Path(pair["second"]).name, pair["kind"]) == ("leak.png", "t1.png", "exact")
    assert "note: 1 background file shows copies of test or val images" in capsys.readouterr().out


def test_parts_of_one_file_are_read_from_disk_once(root, monkeypatch):
    opened, real = Counter(), Image.open

    def counting(path, *rest):
        opened[str(path)] += 1
        return real(path, *rest)

    monkeypatch.setattr(Image, "open", counting)
    assert prepare(root, backgrounds={"count": 9})["prepare/backgrounds"] == 9
    assert [opened[str(path)] for path in sorted((root / "backgrounds").iterdir())] == [1] * 3


def test_copies_of_held_out_images_by_hand():
    images = np.random.default_rng(0).integers(0, 200, (3, 32, 32, 1)).astype(np.uint8)
    digests, thumbnails = [digest_of(image) for image in images], np.stack([thumbnail(image) for image in images])
    held_out = HeldOut(["a", "b", "c"], ["test", "test", "val"], digests, thumbnails, 0.02)
    (exact,) = held_out.copies("x", images[1])
    assert exact == ("x", "b", "test", 0.0, True)
    (near,) = held_out.copies("x", images[2] + 4)
    assert near[:3] == ("x", "c", "val")
    assert near.rms == pytest.approx(4 / 255, rel=0.1)
    assert not near.exact
    assert held_out.copies("x", images[2] + 8) == []
