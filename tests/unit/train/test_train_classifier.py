from pathlib import Path

import numpy as np
import pytest
import torch
from box_builders import classes_spec, params_of, run_of, sorted_set
from train_builders import CPU, OFF

from stages.common.checkpoint import WorkFolder
from stages.common.errors import UserError
from stages.common.pictures import palette
from stages.common.weights import save_weights
from stages.train.targets import load_target, make_target, predict, target_config
from stages.train.training import Outcome, train_seed


class KilledError(Exception):
    """Stands for a kill from outside."""


def trained(folder: Path, kill_at: int | None = None) -> Outcome:
    def on_step(step: int, _: Outcome) -> None:
        if step == kill_at:
            raise KilledError

    return train_seed(run_of(classes_spec(), sorted_set(8)), WorkFolder("train", "digest", folder), on_step)


def test_auto_takes_the_classifier_for_classes_of_images() -> None:
    assert make_target(classes_spec(), params_of()).name == "classifier"


def test_labels_are_the_class_ids_and_stay_when_the_image_moves() -> None:
    target = make_target(classes_spec(), params_of())
    labels = target.labels(sorted_set(3))
    assert labels.tolist() == [1, 2, 1]
    assert torch.equal(target.warp(labels, torch.zeros(3, 2, 3)), labels)


def test_a_class_id_that_is_no_class_is_refused() -> None:
    samples = sorted_set(3)
    samples.index["class_id"] = [1, 3, 0]
    with pytest.raises(UserError, match="class id 3, but the classes are 1 to 2"):
        make_target(classes_spec(), params_of()).labels(samples)


def test_one_class_is_not_enough() -> None:
    spec = classes_spec().model_copy(update={"classes": ("nothing", "bright")})
    with pytest.raises(UserError, match="fewer than two classes"):
        make_target(spec, params_of()).build()


def test_cross_entropy_with_smoothing_worked_by_hand() -> None:
    outputs, labels = torch.tensor([[2.0, 0.0]]), torch.tensor([1])
    right, wrong = -np.log(np.exp(2) / (np.exp(2) + 1)), -np.log(1 / (np.exp(2) + 1))
    plain = make_target(classes_spec(), params_of()).loss_terms(outputs, labels, None)
    assert plain["cross_entropy"].item() == pytest.approx(right)
    smooth = make_target(classes_spec(), params_of(label_smoothing=0.2)).loss_terms(outputs, labels, None)
    assert smooth["cross_entropy"].item() == pytest.approx(0.9 * right + 0.1 * wrong)


def test_balanced_weights_are_inverse_roots_with_a_mean_of_one_over_the_images() -> None:
    weights = make_target(classes_spec(), params_of(class_weights="balanced")).balance(torch.tensor([1] * 9 + [2]))
    assert weights is not None
    assert (weights[1] / weights[0]).item() == pytest.approx(3)
    assert (0.9 * weights[0] + 0.1 * weights[1]).item() == pytest.approx(1)


def test_accuracy_over_all_images_and_of_each_class() -> None:
    target = make_target(classes_spec(), params_of())
    truth, found = torch.tensor([1, 1, 1, 2]), torch.tensor([1, 2, 1, 1])
    assert target.scores(found, truth) == pytest.approx(
        {"accuracy": 0.5, "accuracy/bright": 2 / 3, "accuracy/dark": 0.0}
    )
    assert set(target.scores(found[:2], truth[:2])) == {"accuracy", "accuracy/bright"}
    assert target.image_scores(found, truth).tolist() == [1, 0, 1, 0]
    assert target.predict(torch.tensor([[0.0, 1.0], [3.0, 1.0]])).tolist() == [2, 1]


def test_the_frame_has_the_colour_of_the_class() -> None:
    target = make_target(classes_spec(), params_of())
    picture = target.draw(np.full((2, 16, 16, 1), 100, np.uint8), torch.tensor([1, 2]))
    assert picture.shape == (2, 64, 64, 3)
    assert (picture[:, 0, 0] == palette(3)[[1, 2]]).all()
    assert (picture[:, 32, 32] == 100).all()


def test_overfits_one_batch(tmp_path: Path) -> None:
    run = run_of(classes_spec(), sorted_set(4), steps=40, augment=OFF, learning_rate=0.02)
    outcome = train_seed(run, WorkFolder("train", "digest", tmp_path), lambda *_: None)
    assert outcome.value == 1.0
    assert outcome.loss < 0.3 * outcome.history[0]["loss"]


def test_a_killed_run_ends_in_the_same_weights(tmp_path: Path) -> None:
    straight = trained(tmp_path / "straight")
    with pytest.raises(KilledError):
        trained(tmp_path / "killed", kill_at=22)
    torch.manual_seed(123)
    resumed = trained(tmp_path / "killed")
    assert all(torch.equal(resumed.weights[name], tensor) for name, tensor in straight.weights.items())
    assert resumed.history == straight.history


def test_saved_weights_rebuild_the_network(tmp_path: Path) -> None:
    target, images = make_target(classes_spec(), params_of()), sorted_set(6).images
    module = target.build()
    save_weights(tmp_path / "seed-0.safetensors", module.state_dict(), target_config(target))
    loaded, rebuilt = load_target(tmp_path / "seed-0.safetensors")
    assert torch.equal(predict(loaded, rebuilt, images, CPU, batch=4), predict(target, module, images, CPU))
