import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from train_builders import CPU, half_images, tiny_params, tiny_run, tiny_spec

from stages.common.device import seeded
from stages.common.errors import UserError
from stages.common.samples import SampleSet
from stages.common.tasks import TASKS
from stages.common.weights import save_weights
from stages.train.params import TrainParams, UNetParams
from stages.train.targets import TARGETS, load_target, make_target, predict, target_config
from stages.train.targets.deeplab import DeepLab
from stages.train.targets.segmentation import dice_loss
from stages.train.targets.unet import UNet


def test_what_the_targets_learn_is_known_without_them() -> None:
    assert list(TASKS.items()) == [(name, target.task) for name, target in TARGETS.items()]


def test_an_unknown_name_is_refused_in_one_sentence() -> None:
    with pytest.raises(UserError, match=r"train\.target: yolo is not a target; choose auto or unet or deeplabv3"):
        make_target(tiny_spec(), tiny_params(target="yolo"))


@pytest.mark.parametrize(
    ("changes", "target", "words"),
    [
        (
            {"labels": "boxes"},
            "unet",
            "unet learns segmentation, but tiny has labels: boxes; choose auto or ssd_",
        ),
        (
            {"labels": "image"},
            "ssd300",
            "ssd300 learns detection, but tiny has labels: image; choose auto or class",
        ),
        ({}, "gaze_cnn", "gaze_cnn learns gaze, but tiny has labels: masks; choose auto or unet or deeplabv3"),
        (
            {"classes": (), "gaze": True, "keypoints": 3},
            "unet",
            "unet learns segmentation, but tiny has keypoints and gaze; choose auto or gaze_cnn or hourglass",
        ),
    ],
)
def test_a_target_that_learns_from_other_labels_is_refused_in_one_sentence(changes, target, words) -> None:
    with pytest.raises(UserError) as error:
        make_target(tiny_spec().model_copy(update=changes), tiny_params(target=target))
    assert str(error.value).startswith(f"params.yaml: train.target: {words}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("size", "name"), [((32, 32), "unet"), ((127, 300), "unet"), ((128, 128), "deeplabv3")])
def test_auto_chooses_by_the_size_of_the_images(size: tuple[int, int], name: str) -> None:
    assert make_target(tiny_spec(*size), TrainParams()).name == name


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize(("patch", "depth"), [(1, 3), (2, 2), (4, 1)])
@pytest.mark.parametrize(("height", "width"), [(36, 60), (32, 32), (7, 5)])
def test_unet_gives_a_score_per_pixel_for_any_size(norm: str, patch: int, depth: int, height: int, width: int) -> None:
    params = UNetParams.model_validate({"width": 8, "depth": depth, "patch": patch, "norm": norm})
    module = UNet(3, 4, params).eval()
    with torch.no_grad():
        assert module(torch.randn(2, 3, height, width)).shape == (2, 4, height, width)


def test_unet_keeps_the_place_of_a_pixel() -> None:
    torch.manual_seed(0)
    module = UNet(1, 2, UNetParams(width=8, depth=1, patch=2)).eval()
    black, dot = torch.zeros(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
    dot[0, 0, 20, 33] = 1
    with torch.no_grad():
        change = (module(dot) - module(black)).abs().sum(dim=1)[0]
    place = torch.stack(torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")).float()
    row, column = (place * change).sum(dim=(1, 2)) / change.sum()
    assert abs(row - 20) < 2
    assert abs(column - 33) < 2


def test_ignored_pixels_have_no_part_in_the_loss() -> None:
    target = make_target(tiny_spec(), tiny_params())
    outputs, labels = torch.randn(2, 3, 4, 4, generator=seeded(0)), torch.ones(2, 4, 4, dtype=torch.uint8)
    labels[:, 2:] = 255
    half = target.loss_terms(outputs[:, :, :2], labels[:, :2], None)["cross_entropy"]
    outputs[:, :, 2:] = 1e4
    assert target.loss_terms(outputs, labels, None)["cross_entropy"].item() == pytest.approx(half.item())
    labels[:] = 255
    assert target.loss_terms(outputs, labels, None)["cross_entropy"].item() == 0


def test_uniform_scores_cost_the_log_of_the_class_count() -> None:
    loss = make_target(tiny_spec(), tiny_params()).loss_terms(
        torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2, dtype=torch.uint8), None
    )
    assert loss["cross_entropy"].item() == pytest.approx(np.log(3))


def test_dice_worked_by_hand() -> None:
    labels = torch.tensor([[[1, 1], [0, 255]]], dtype=torch.uint8)
    predicted = torch.tensor([[[1, 0], [0, 1]]])
    outputs = 100 * torch.nn.functional.one_hot(predicted, 3).permute(0, 3, 1, 2).float()
    # background: 1 hit of 2 predicted and 1 true; class 1: 1 hit of 1 predicted and 2 true; class 2 is not there
    assert dice_loss(outputs, labels).item() == pytest.approx(1 - (2 / 3 + 2 / 3) / 2)
    terms = make_target(tiny_spec(), tiny_params(dice=0.5)).loss_terms(outputs, labels, None)
    assert terms["dice"].item() == pytest.approx(1 / 6)


def test_balanced_weights_are_inverse_roots_with_a_mean_of_one_over_the_pixels() -> None:
    labels = torch.tensor([[[0] * 9 + [1] * 1 + [255] * 5]], dtype=torch.uint8)
    weights = make_target(tiny_spec(), tiny_params(class_weights="balanced")).balance(labels)
    assert weights is not None
    assert (weights[1] / weights[0]).item() == pytest.approx(3)
    assert (0.9 * weights[0] + 0.1 * weights[1]).item() == pytest.approx(1)
    assert weights[2] == 0
    assert make_target(tiny_spec(), tiny_params()).balance(labels) is None


def test_a_mask_id_that_is_no_class_is_refused() -> None:
    masks = np.full((1, 4, 4), 7, np.uint8)
    samples = SampleSet(np.zeros((1, 4, 4, 1), np.uint8), masks, pd.DataFrame({"key": ["a"]}))
    with pytest.raises(UserError, match="class id 7, but the dataset has 3 classes"):
        make_target(tiny_spec(), tiny_params()).labels(samples)


def test_saved_weights_rebuild_the_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    target = make_target(tiny_spec(20, 28), tiny_params())
    module = target.build()
    images = np.random.default_rng(0).integers(0, 256, (5, 20, 28, 1), np.uint8)
    save_weights(tmp_path / "seed-0.safetensors", module.state_dict(), target_config(target))
    loaded, rebuilt = load_target(tmp_path / "seed-0.safetensors")
    assert (type(loaded), loaded.spec, loaded.metric) == (type(target), target.spec, target.metric)
    expected = predict(target, module, images, CPU)
    assert expected.shape == (5, 20, 28)
    assert len(expected.unique()) > 1
    assert torch.equal(predict(loaded, rebuilt, images, CPU, batch=2), expected)


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    save_weights(tmp_path / "other.safetensors", {"a": torch.zeros(1)}, {})
    with pytest.raises(UserError, match="holds no target model"):
        load_target(tmp_path / "other.safetensors")


def test_deeplab_trains_one_step_on_grey_images_of_128_pixels() -> None:
    small = half_images(2)
    images = np.ascontiguousarray(small.images.repeat(8, axis=1).repeat(8, axis=2))
    labels = small.labels.repeat_interleave(8, dim=1).repeat_interleave(8, dim=2)
    run = tiny_run(type(small)(images, labels, small.is_real), None, target="deeplabv3", batch=2, steps=1, dice=0)
    before = run.learner.weights()["network.classifier.4.weight"]
    run.step()
    run.look()
    assert run.outcome.loss == pytest.approx(np.log(3), rel=0.5)
    assert not torch.equal(run.outcome.weights["network.classifier.4.weight"], before)
    assert run.learner.predict(torch.zeros(1, 1, 128, 128)).shape == (1, 128, 128)


def test_deeplab_without_torchvision_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(UserError, match=r"needs torchvision, which does not load here .* set train\.target to unet"):
        DeepLab(3, "resnet50")
