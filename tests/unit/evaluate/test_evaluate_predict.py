from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from evaluate_builders import EYES, GAZE, MIOU

from stages.common.errors import UserError
from stages.common.samples import SampleSet
from stages.common.spec import DatasetSpec
from stages.common.weights import save_weights
from stages.evaluate.predict import Trial, evaluate_recipe, find_models, metric_of, pick_images, trained_models
from stages.train.params import TrainParams, UNetParams
from stages.train.targets import make_target, target_config
from stages.train.targets.segmentation import mean_ious

SPEC = DatasetSpec(name="d", size=(8, 8), channels=1, classes=("background", "ink"))


def saved_target(path: Path, favourite: int) -> Path:
    """A U-Net that gives every pixel one class: its last layer has zero weights and a bias."""
    target = make_target(SPEC, TrainParams(target="unet", unet=UNetParams(width=4, depth=1, patch=1)))
    module = target.build()
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    state["head.weight"].zero_()
    state["head.bias"].copy_(torch.eye(2)[favourite])
    save_weights(path, state, target_config(target))
    return path


def half_inked(count: int) -> SampleSet:
    masks = np.zeros((count, 8, 8), np.uint8)
    masks[:, :4] = 1
    keys = pd.DataFrame({"key": [f"t{i}" for i in range(count)]})
    return SampleSet(np.zeros((count, 8, 8, 1), np.uint8), masks, keys)


def trial() -> Trial:
    return Trial(half_inked(3), SPEC, MIOU, torch.device("cpu"), 2)


def test_every_seed_is_scored_and_the_chosen_one_is_kept(tmp_path):
    for seed, favourite in ((0, 0), (7, 1)):
        saved_target(tmp_path / f"seed-{seed}.safetensors", favourite)
    models = find_models(tmp_path)
    assert metric_of(models) == MIOU
    found = evaluate_recipe("real", 5, models, 7, trial())
    assert found.scores.seeds == (0, 7)
    assert found.scores.values["target/miou"] == pytest.approx([0.25, 0.25])  # one class half right, the other missed
    assert found.scores.values["target/iou/ink"] == pytest.approx([0.0, 0.5])
    assert (found.predictions == 1).all()
    assert (found.scores.metric, found.target.task) == (MIOU, "segmentation")


def test_a_model_of_another_dataset_or_metric_is_refused(tmp_path):
    path = saved_target(tmp_path / "seed-0.safetensors", 0)
    other = SPEC.model_copy(update={"classes": ("background", "ink", "paper")})
    with pytest.raises(UserError, match=r"seed-0\.safetensors: was trained for another dataset than data/prepare/spec"):
        evaluate_recipe("real", 5, {0: path}, 0, replace(trial(), spec=other))
    with pytest.raises(UserError, match=r"is scored by mean IoU, other models by mean angle .* run `dvc repro train`"):
        evaluate_recipe("real", 5, {0: path}, 0, replace(trial(), metric=GAZE))


def test_a_gaze_model_is_scored_in_degrees(tmp_path):
    target = make_target(EYES, TrainParams())
    module = target.build()
    state = {name: torch.zeros_like(tensor) for name, tensor in module.state_dict().items()}
    state["regressor.2.bias"] = torch.tensor([0.0, 0.0, -2.0])  # straight into the camera, whatever the image
    save_weights(tmp_path / "seed-0.safetensors", state, target_config(target))
    gaze = np.radians(np.array([[0, 5], [-15, 0]], np.float32))
    images = np.zeros((2, 36, 60, 1), np.uint8)
    test = SampleSet(images, None, pd.DataFrame({"key": ["a", "b"]}), gaze=gaze)
    models = find_models(tmp_path)
    eyes = Trial(test, EYES, metric_of(models), torch.device("cpu"), 2)
    found = evaluate_recipe("refined", 9, models, 0, eyes)
    assert found.scores.values["target/gaze_deg"] == pytest.approx([10.0], abs=1e-3)
    assert found.scores.values["target/within_7deg"] == [0.5]
    assert found.target.image_scores(found.predictions, found.target.labels(test)) == pytest.approx([5, 15], abs=1e-3)


def test_the_models_of_one_recipe_come_in_the_order_of_their_seeds(tmp_path):
    for name in ("seed-10.safetensors", "seed-2.safetensors", "notes.safetensors", "seed-1.txt"):
        (tmp_path / name).touch()
    assert list(find_models(tmp_path)) == [2, 10]


def test_recipes_without_models_are_left_out_and_none_at_all_is_an_error(tmp_path):
    (tmp_path / "gan").mkdir()
    (tmp_path / "gan" / "seed-0.safetensors").touch()
    assert list(trained_models(tmp_path, ["real", "gan"])) == ["gan"]
    with pytest.raises(UserError, match="dvc repro train"):
        trained_models(tmp_path / "gan", ["real"])


def test_score_of_one_image_by_hand():
    true = np.array([[[0, 0, 1, 255]], [[255, 255, 255, 255]]], np.uint8)
    predicted = np.array([[[0, 1, 1, 2]], [[0, 0, 0, 0]]], np.uint8)
    scores = mean_ious(predicted, true, 3)
    assert scores[0] == pytest.approx((1 / 2 + 1 / 2) / 2)  # class 2 is predicted in an ignored pixel only
    assert np.isnan(scores[1])
    assert mean_ious(np.array([[[0, 0, 2, 2]]]), true[:1], 3)[0] == pytest.approx((2 / 2 + 0) / 2)  # 2 is nowhere true


def test_best_middle_and_worst_never_share_an_image():
    scores = np.array([0.1, 0.9, np.nan, 0.5, 0.7, 0.3, 0.8, 0.2])
    assert pick_images(scores, 2) == {"best": [1, 6], "median": [4, 3], "worst": [7, 0]}
    lowest_first = {"best": [0, 7], "median": [5, 3], "worst": [6, 1]}
    assert pick_images(scores, 2, higher_is_better=False) == lowest_first
    few = pick_images(np.array([0.2, 0.4]), 4)
    assert sorted(i for numbers in few.values() for i in numbers) == [0, 1]
