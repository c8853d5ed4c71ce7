"""The recipes that generate nothing: labelled images alone, with the unlabelled pile, with all further labels."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.common.params import SharedParams
from stages.common.samples import Sample, read_index, read_set, write_set
from stages.common.spec import DatasetSpec, write_spec
from stages.common.tracking import Tracker
from stages.generate.__main__ import main as generate
from stages.generate.params import GenerateParams
from stages.train.__main__ import main as train
from stages.train.params import TrainParams
from stages.validate.__main__ import main as validate
from stages.validate.params import ValidateParams

NONE = Tracker(None)
SHARED = SharedParams(seed=0, device="cpu")


def samples(split: str, count: int, masks: bool = True) -> Iterator[Sample]:
    random = np.random.default_rng(len(split))
    for number in range(count):
        image, mask = random.integers(0, 256, (16, 16, 1), np.uint8), np.zeros((16, 16), np.uint8)
        mask[4:12, 3 : 9 + number % 4] = 1
        image[mask == 1] = 200 + number
        facts = {"recipe": "real", "source_id": f"{split}{number}", "group": f"{split}{number}", "stratum": "a"}
        yield Sample(f"{split}-{number:06d}", image, mask if masks else None, facts)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """6 labelled, 5 further and 4 validation images, 7 unlabelled ones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    write_spec(DatasetSpec(name="toy", size=(16, 16), channels=1, classes=("background", "a")))
    for split, count in (("labeled", 6), ("full", 5), ("val", 4)):
        write_set(Path("data/prepare") / split, samples(split, count))
    write_set(Path("data/prepare/unlabeled"), samples("unlabeled", 7, masks=False), shard_size=4)


def run(recipe: str) -> None:
    generate(GenerateParams(), SHARED, NONE, recipe)
    validate(ValidateParams(), SHARED, NONE, recipe)
    params = {"unet": {"width": 8, "depth": 1}, "steps": 4, "batch": 4, "seeds": [0], "validate_every": 2}
    train(TrainParams.model_validate(params), SHARED, NONE, recipe)


def accepted(recipe: str) -> int:
    return len(pd.read_parquet(f"data/validate/{recipe}/accepted.parquet"))


def test_full_is_the_labelled_images_with_the_further_ones(capsys):
    run("full")
    found = read_set(Path("data/generate/full"))
    assert found.index["source_id"].tolist() == [f"labeled{n}" for n in range(6)] + [f"full{n}" for n in range(5)]
    assert set(found.index["recipe"]) == {"real"}
    assert accepted("full") == 11
    assert "training images    11 (11 real, 0 made)" in capsys.readouterr().out
    assert Path("models/train/full/seed-0.safetensors").is_file()


def test_full_without_further_images_goes_through_and_trains_nothing(capsys):
    write_set(Path("data/prepare/full"), ())
    run("full")
    assert accepted("full") == 0
    out = capsys.readouterr().out
    assert "recipe full has no source here" in out
    assert "data/generate/full is empty, so there is nothing to train on" in out
    assert not list(Path("models/train/full").iterdir())
    table = pd.read_csv("reports/train/full/history.csv")
    assert list(table.columns) == ["seed", "step", "loss", "val_miou", "val_score"]
    assert Path("reports/validate/full/pictures").is_dir()


def test_full_is_judged_by_labels_of_its_own(tmp_path):
    generate(GenerateParams(), SHARED, NONE, "full")
    write_set(Path("data/prepare/full"), samples("other", 5))  # no image of the recipe's is among these any more
    from stages.common.errors import ValidationFailedError

    with pytest.raises(ValidationFailedError, match="genuine_reals"):
        validate(ValidateParams(), SHARED, NONE, "full")


def test_mean_teacher_has_the_unlabelled_images_beside_its_samples(capsys):
    run("mean_teacher")
    assert accepted("mean_teacher") == len(read_index(Path("data/generate/mean_teacher"))) == 6
    pool = read_set(Path("data/generate/mean_teacher/unlabeled"))
    assert (len(pool), pool.masks) == (7, None)
    np.testing.assert_array_equal(pool.images, read_set(Path("data/prepare/unlabeled")).images)
    assert "unlabelled images  7" in capsys.readouterr().out
    assert Path("models/train/mean_teacher/seed-0.safetensors").is_file()


def test_mean_teacher_without_unlabelled_images_says_so():
    from stages.common.errors import UserError

    write_set(Path("data/prepare/unlabeled"), ())
    with pytest.raises(UserError, match=r"mean_teacher/unlabeled: holds no image"):
        run("mean_teacher")
    assert not Path("models").exists()
