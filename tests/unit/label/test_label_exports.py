"""What is written of found labels: order, formats, grey values, against hand-worked ones."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stages.common.exchange import read_points
from stages.common.exchange.points import numbered
from stages.common.spec import DatasetSpec
from stages.label.exports import Exported, depth_steps, write_exports
from stages.label.prelabels import Prelabels
from stages.prepare.sources.depth_png import read_depth

SIZE, COUNT = (12, 10), 4
FILES = [Path(f"photos/{name}.jpg") for name in "abcd"]


def found(labels: np.ndarray) -> Prelabels:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, COUNT, *SIZE, 3)).astype(np.uint8)
    uncertainty = rng.uniform(0, 0.5, (COUNT, *SIZE)).astype(np.float16)
    score, error = np.array([0.3, 0.1, 0.2, 0.4]), np.array([1.5, 9.5, 8.5, 1.25])
    return Prelabels(images[0], images[1], labels, uncertainty, score, error, np.array([False, True, True, False]))


def spec(**labels) -> DatasetSpec:
    return DatasetSpec(name="any", size=SIZE, channels=3, **labels)


def test_flagged_images_come_first_then_those_of_the_highest_score(tmp_path):
    labels = np.zeros((COUNT, *SIZE), np.uint8)
    table = write_exports(tmp_path, FILES, found(labels), Exported(spec(classes=("no", "yes")), "mask", 0.001))
    assert table["file"].tolist() == ["c.png", "b.png", "d.png", "a.png"]
    assert pd.read_csv(tmp_path / "labels.csv").equals(table)


def test_grey_times_the_scale_is_the_uncertainty(tmp_path):
    given = found(np.zeros((COUNT, *SIZE), np.uint8))
    write_exports(tmp_path, FILES, given, Exported(spec(classes=("no", "yes")), "mask", 0.001))
    scale = json.loads((tmp_path / "scales.json").read_text())["uncertainty"]
    assert "nats" in scale["meaning"]
    assert scale["white"] == float(given.uncertainty.max())
    for file, values in zip(FILES, given.uncertainty, strict=True):
        grey = np.asarray(Image.open(tmp_path / f"uncertainty/{file.stem}.png"))
        assert grey * scale["white"] / 255 == pytest.approx(values, abs=scale["white"] / 509)


def test_images_without_any_doubt_are_black(tmp_path):
    given = found(np.zeros((COUNT, *SIZE), np.uint8))
    sure = Prelabels(**{**given.__dict__, "uncertainty": np.zeros_like(given.uncertainty)})
    write_exports(tmp_path, FILES, sure, Exported(spec(classes=("no", "yes")), "mask", 0.001))
    assert not np.asarray(Image.open(tmp_path / "uncertainty/a.png")).any()


@pytest.mark.parametrize("file", ["annotations.xml", "person_keypoints_default.json"])
def test_keypoints_come_back(file, tmp_path):
    rng = np.random.default_rng(1)
    places = np.concatenate([rng.uniform(0, 9, (COUNT, 3, 2)), np.full((COUNT, 3, 1), 2)], axis=2).astype(np.float32)
    write_exports(tmp_path, FILES, found(places), Exported(spec(keypoints=3), "keypoints", 0.001))
    text = (tmp_path / file).read_text().replace('source="auto"', 'source="semi-auto"')  # as somebody changed them
    (tmp_path / file).write_text(text)
    back = read_points(tmp_path / file, SIZE, numbered(3))
    for path, table in zip(FILES, places, strict=True):
        assert back[path.stem] == pytest.approx(table, abs=0.006)


def test_depth_comes_back_to_half_a_step(tmp_path):
    depth = np.random.default_rng(2).uniform(0, 3, (COUNT, *SIZE)).astype(np.float32)
    depth[:, 0] = 0
    write_exports(tmp_path, FILES, found(depth), Exported(spec(depth=True), "depth", 0.002))
    assert json.loads((tmp_path / "scales.json").read_text())["depth"] == {"unit_m": 0.002}
    for path, values in zip(FILES, depth, strict=True):
        back = read_depth(tmp_path / f"depth/{path.stem}.png", SIZE, 0.002)
        assert back == pytest.approx(values, abs=0.00101)
        assert ((back == 0) == (values == 0)).all()


def test_a_depth_beyond_the_steps_stays_known():
    steps = depth_steps(np.array([[0.0, 1e-5, 1.0, 100.0]], np.float32), 0.001)
    assert steps.tolist() == [[0, 1, 1000, 65535]]
    assert steps.dtype == np.uint16
