"""From a folder with boxes, or with classes of images, to the report: every stage that the recipe `real` needs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from stages.common.params import SharedParams
from stages.common.samples import read_set
from stages.common.spec import read_spec
from stages.common.tracking import Tracker
from stages.evaluate.__main__ import main as evaluate
from stages.evaluate.params import EvaluateParams
from stages.generate.__main__ import main as generate
from stages.generate.params import GenerateParams
from stages.prepare.__main__ import main as prepare
from stages.prepare.params import PrepareParams
from stages.train.__main__ import main as train
from stages.train.params import TrainParams
from stages.validate.__main__ import main as validate
from stages.validate.params import ValidateParams

SIDE = 32
CLASSES = ["nothing", "bright", "dark"]
QUICK = {"steps": 60, "batch": 8, "validate_every": 20, "save_every": 60, "learning_rate": 0.01, "ema": 0.9}
SMALL = {"classifier": {"width": 8, "poolings": 2}, "detector": {"width": 8, "scales": [0.3, 0.6]}}


def write_folder(root: Path, labels: str) -> None:
    """Grey images with one bright or dark box: 24 labelled, 8 to test, 12 without labels."""
    random = np.random.default_rng(0)
    described = {"name": "things", "image": {"size": [SIDE, SIDE], "channels": 1}, "classes": CLASSES, "labels": labels}
    root.mkdir()
    (root / "dataset.yaml").write_text(yaml.safe_dump(described))
    for pool, count in (("labeled/images", 24), ("test/images", 8), ("unlabeled", 12)):
        (root / pool).mkdir(parents=True)
        found = [draw(root / pool / f"{pool[0]}{number:02}.png", number % 2 + 1, random) for number in range(count)]
        if pool != "unlabeled":
            write_labels(root / pool / "..", labels, found)


def draw(path: Path, index: int, random: np.random.Generator) -> tuple[str, list[int], int]:
    """One image; its file name, box (left, top, width, height) and class id."""
    pixels = random.integers(100, 150, (SIDE, SIDE)).astype(np.uint8)
    (width, height), (left, top) = random.integers(9, 16, 2).tolist(), random.integers(0, 16, 2).tolist()
    pixels[top : top + height, left : left + width] = 250 if index == 1 else 5
    Image.fromarray(pixels).save(path)
    return path.name, [left, top, width, height], index


def write_labels(pool: Path, labels: str, found: list[tuple[str, list[int], int]]) -> None:
    if labels == "image":
        rows = [(name, CLASSES[index]) for name, _, index in found]
        pd.DataFrame(rows, columns=["file", "class"]).to_csv(pool / "labels.csv", index=False)
        return
    content = {
        "images": [{"id": i, "file_name": name} for i, (name, _, _) in enumerate(found)],
        "annotations": [{"image_id": i, "category_id": k, "bbox": box} for i, (_, box, k) in enumerate(found)],
        "categories": [{"id": i, "name": name} for i, name in enumerate(CLASSES) if i],
    }
    (pool / "annotations.json").write_text(json.dumps(content))


def run_stages(folder: Path, **changes: Any) -> None:
    """prepare, generate, validate, train and evaluate for `real`, in the working directory."""
    shared, track = SharedParams(seed=0, device="cpu"), Tracker(None)
    Path("params.yaml").write_text("seed: 0\ndevice: cpu\n")
    source = {"source": "folder", "path": folder, "labeled": None, "val": 6}
    prepare(PrepareParams.model_validate(source), shared, track)
    generate(GenerateParams(), shared, track, "real")
    validate(ValidateParams(), shared, track, "real")
    train(TrainParams.model_validate(QUICK | SMALL | {"seeds": [0, 1]} | changes), shared, track, "real")
    evaluate(EvaluateParams(recipes=("real",)), shared, track)


@pytest.mark.parametrize(
    ("labels", "task", "metric", "above", "parts"),
    [
        ("image", "classification", "target/accuracy", 0.8, {"target/accuracy/bright", "target/accuracy/dark"}),
        (
            "boxes",
            "detection",
            "target/map",
            0.2,
            {"target/map_50", "target/voc07_ap", "target/map/bright", "target/map/dark"},
        ),
    ],
)
def test_a_folder_with_these_labels_comes_to_a_report(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    labels: str,
    task: str,
    metric: str,
    above: float,
    parts: set[str],
) -> None:
    write_folder(tmp_path / "mine", labels)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    run_stages(tmp_path / "mine")
    spec, labelled, test = read_spec(), read_set(Path("data/prepare/labeled")), read_set(Path("data/prepare/test"))
    assert (spec.labels, len(labelled), len(test)) == (labels, 18, 8)
    assert len(pd.read_parquet("data/validate/real/accepted.parquet")) == 18
    scores = json.loads(Path("reports/evaluate/metrics.json").read_text())
    assert (scores["task"], scores["metric"]) == (task, metric)
    assert scores["recipes"]["real"][metric]["mean"] > above
    assert parts <= set(scores["recipes"]["real"])
    report = Path("reports/evaluate/report.html").read_text()
    assert "2 classes" in report
    assert '<th scope="row">bright</th>' in report
    assert "data:image/png;base64" in report
    for card in ("model_card.md", "dataset_card.md", "summary.md"):
        assert Path("reports/evaluate", card).read_text()
    for picture in ("reports/prepare/pictures/labeled.png", "reports/generate/real/pictures/samples.png"):
        assert len(np.unique(np.asarray(Image.open(picture)).reshape(-1, 3), axis=0)) > 3
