import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from train_builders import CPU, half_images, tiny_params, tiny_spec

from stages.common.errors import UserError
from stages.common.params import SharedParams
from stages.common.samples import Sample, write_set
from stages.common.spec import write_spec
from stages.common.tracking import Tracker
from stages.train.__main__ import main
from stages.train.targets import load_target, predict


def samples(count: int, recipe: str) -> Iterator[Sample]:
    data = half_images(count)
    for i, (image, mask) in enumerate(zip(data.images, data.labels.numpy(), strict=True)):
        yield Sample(f"{recipe}-{i:06d}", image, mask, {"recipe": recipe})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Recipe gan+real with 6 made and 4 real samples, of which 5 and 3 are accepted; 4 validation images."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    write_spec(tiny_spec())
    write_set(Path("data/generate/gan+real"), [*samples(6, "gan"), *samples(4, "real")])
    accept([*(f"gan-{i:06d}" for i in range(5)), *(f"real-{i:06d}" for i in range(3))])
    write_set(Path("data/prepare/val"), samples(4, "real"))
    return tmp_path


def accept(keys: list[str]) -> None:
    Path("data/validate/gan+real").mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"key": pd.Series(keys, dtype=str)}).to_parquet("data/validate/gan+real/accepted.parquet")


def run(shared_seed: int = 5, **changes: Any) -> None:
    params = tiny_params(seeds=[0, 1], steps=20, **changes)
    main(params, SharedParams(seed=shared_seed, device="cpu"), Tracker(None), "gan+real")


def test_writes_a_model_a_seed_metrics_and_history(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    metrics = json.loads((project / "reports/train/gan+real/metrics.json").read_text())
    assert metrics["train/samples"] == 8
    by_seed = [metrics[f"target/val_miou/seed-{seed}"] for seed in (5, 6)]
    assert metrics["target/val_miou"] == pytest.approx(np.mean(by_seed))
    history = pd.read_csv(project / "reports/train/gan+real/history.csv")
    assert list(history.columns) == ["seed", "step", "loss", "val_miou", "val_score"]
    assert history["val_score"].tolist() == history["val_miou"].tolist()
    assert history[["seed", "step"]].to_numpy().tolist() == [[5, 10], [5, 20], [6, 10], [6, 20]]
    assert sorted(p.name for p in (project / "models/train/gan+real").iterdir()) == [
        "seed-5.safetensors",
        "seed-6.safetensors",
    ]
    target, module = load_target(project / "models/train/gan+real/seed-5.safetensors")
    assert predict(target, module, np.zeros((2, 16, 16, 1), np.uint8), CPU).shape == (2, 16, 16)
    assert not list((project / ".work/train-gan+real").iterdir())
    assert "training images    8 (3 real, 5 made)" in capsys.readouterr().out


def test_without_validation_images_it_says_so(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pd.DataFrame(columns=["key", "shard"]).to_parquet("data/prepare/val/index.parquet")
    run()
    assert "none, so the last weights are kept" in capsys.readouterr().out
    metrics = json.loads((project / "reports/train/gan+real/metrics.json").read_text())
    assert set(metrics) == {"train/loss", "train/seconds", "train/samples"}


@pytest.mark.usefixtures("project")
def test_nothing_accepted_is_refused_and_nothing_is_written() -> None:
    accept([])
    with pytest.raises(UserError, match=r"accepted\.parquet: no sample was accepted"):
        run()
    assert not Path("models").exists()


def test_checkpoints_lie_beside_the_weights_that_were_chosen(project: Path) -> None:
    run(checkpoints=2, select="last")
    folder = project / "models/train/gan+real"
    names = [f"seed-{seed}-step-{step:06d}.safetensors" for seed in (5, 6) for step in (10, 20)]
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == names
    images = half_images(4).images
    early, last, chosen = (
        predict(*load_target(folder / name), images, CPU)
        for name in (f"checkpoints/{names[0]}", f"checkpoints/{names[1]}", "seed-5.safetensors")
    )
    assert torch.equal(last, chosen)
    assert not torch.equal(early, last)


def test_a_seed_that_stops_before_its_first_checkpoint_leaves_its_last_weights(project: Path) -> None:
    run(checkpoints=1, validate_every=1, patience=2, learning_rate=1e-9)
    folder = project / "models/train/gan+real"
    history = pd.read_csv(project / "reports/train/gan+real/history.csv").groupby("seed")["step"].max()
    assert history.max() < 20
    names = [f"seed-{seed}-step-{history[seed]:06d}.safetensors" for seed in (5, 6)]
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == names
