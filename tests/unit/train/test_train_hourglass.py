from pathlib import Path

import numpy as np
import pytest
import torch
from train_builders import CPU, OFF

from stages.common.params import read_yaml
from stages.common.spec import DatasetSpec
from stages.common.tensors import to_images
from stages.common.weights import save_weights
from stages.train.params import HourglassParams, TrainParams
from stages.train.targets import load_target, make_target, predict, target_config
from stages.train.targets.hourglass import StackedHourglass, heat_map_size
from stages.train.training import LabelledData, SeedRun

HANDS = Path(__file__).resolve().parents[3] / "presets" / "hands.yaml"
SMALL = {"stacks": 2, "width": 32, "depth": 3, "heat_map": 12}


def spec(height: int = 64, width: int = 64, keypoints: int = 3) -> DatasetSpec:
    return DatasetSpec(name="dots", size=(height, width), channels=1, keypoints=keypoints)


def dots(count: int, height: int = 64, width: int = 64) -> LabelledData:
    """Three random dots an image, of another size and brightness each, on noise."""
    random = np.random.default_rng(0)
    places = random.uniform(6, np.array([width, height]) - 7, (count, 3, 2))
    rows, columns = np.mgrid[:height, :width]
    images = random.uniform(0, 20, (count, height, width))
    for k, (radius, bright) in enumerate([(2, 230), (3, 150), (4, 90)]):
        x, y = places[:, k, 0, None, None], places[:, k, 1, None, None]
        images = np.where((columns - x) ** 2 + (rows - y) ** 2 <= radius**2, bright, images)
    labels = torch.from_numpy(np.concatenate([places, np.full((count, 3, 1), 2)], axis=2)).float()
    return LabelledData(images.astype(np.uint8)[..., None], labels, np.full(count, True))


def test_published_size_gives_heat_maps_of_64_for_224_pixels() -> None:
    module = StackedHourglass(1, 14, HourglassParams(stacks=2, width=16)).eval()
    with torch.no_grad():
        assert module(torch.zeros(2, 1, 224, 224)).shape == (2, 2, 14, 64, 64)


@pytest.mark.parametrize(
    ("size", "longer", "expected"),
    [
        ((224, 224), None, (64, 64)),
        ((64, 64), None, (16, 16)),
        ((36, 60), None, (10, 16)),
        ((1024, 512), None, (64, 32)),
        ((20, 20), None, (8, 8)),
        ((224, 224), 56, (56, 56)),
        ((200, 4), 16, (16, 2)),
    ],
)
def test_heat_maps_keep_the_shape_of_the_image(
    size: tuple[int, int], longer: int | None, expected: tuple[int, int]
) -> None:
    assert heat_map_size(size, longer) == expected


@pytest.mark.parametrize(("height", "width"), [(36, 60), (224, 224), (7, 5), (100, 9)])
@pytest.mark.parametrize(("stacks", "depth"), [(1, 5), (3, 1)])
def test_any_image_size_and_depth_fits(height: int, width: int, stacks: int, depth: int) -> None:
    params = HourglassParams(stacks=stacks, width=8, depth=depth, heat_map=13)
    module = StackedHourglass(3, 2, params).eval()
    with torch.no_grad():
        maps = module(torch.randn(1, 3, height, width))
    assert maps.shape == (1, stacks, 2, *heat_map_size((height, width), 13))
    assert maps.isfinite().all()


def test_every_stack_and_every_parameter_learns() -> None:
    torch.manual_seed(0)
    params = TrainParams.model_validate({"target": "hourglass", "hourglass": SMALL | {"stacks": 3}})
    target, data = make_target(spec(), params), dots(4)
    module = target.build()
    terms = target.loss_terms(module(torch.randn(4, 1, 64, 64)), data.labels, None)
    assert list(terms) == ["heat_map_1", "heat_map_2", "heat_map_3"]
    sum(terms.values()).backward()
    without = [name for name, p in module.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


def test_an_earlier_stack_is_not_changed_by_a_later_one() -> None:
    torch.manual_seed(0)
    module = StackedHourglass(1, 3, HourglassParams.model_validate(SMALL)).eval()
    images = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        before = module(images)
        for parameter in module.stacks[1].parameters():
            parameter.add_(0.1)
        after = module(images)
    assert torch.equal(before[:, 0], after[:, 0])
    assert not torch.allclose(before[:, 1], after[:, 1])


def test_fresh_heat_maps_of_every_stack_cost_hardly_more_than_empty_ones() -> None:
    target = make_target(spec(), TrainParams.model_validate({"target": "hourglass", "hourglass": SMALL}))
    torch.manual_seed(0)
    data = dots(4)
    with torch.no_grad():
        outputs = target.build().train()(to_images(data.images))
    fresh, empty = (target.loss_terms(maps, data.labels, None) for maps in (outputs, torch.zeros_like(outputs)))
    assert len(fresh) == 2
    assert all(float(fresh[stack]) == pytest.approx(float(empty[stack]), rel=0.05) for stack in empty)


def test_overfits_four_images_of_random_dots() -> None:
    params = TrainParams.model_validate(
        {
            "target": "hourglass",
            "hourglass": SMALL,
            "keypoints": {"within_px": 2},
            "augment": OFF,
            "steps": 120,
            "batch": 4,
            "validate_every": 20,
            "learning_rate": 0.005,
        }
    )
    data = dots(4, 48, 64)
    run = SeedRun(make_target(spec(48, 64), params), data, data, params, 0, CPU)
    untrained = run.target.scores(run.learner.predict(torch.zeros(4, 1, 48, 64)), data.labels)["pck"]
    while not run.done():
        run.step()
    run.look()
    assert untrained < 0.5
    assert run.outcome.value == 1.0


def test_saved_weights_rebuild_the_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    params = TrainParams.model_validate({"hourglass": SMALL, "keypoints": {"within_px": 3}})
    target, images = make_target(spec(), params), dots(5).images
    module = target.build()
    save_weights(tmp_path / "seed-0.safetensors", module.state_dict(), target_config(target))
    loaded, again = load_target(tmp_path / "seed-0.safetensors")
    expected = predict(target, module, images, CPU)
    assert expected.shape == (5, 3, 3)
    assert torch.allclose(predict(loaded, again, images, CPU, batch=2), expected, atol=1e-3)
    assert (loaded.name, loaded.metric.title) == ("hourglass", "share of keypoints within 3 px")


def test_auto_chooses_it_for_keypoints_without_classes() -> None:
    assert make_target(spec(), TrainParams()).name == "hourglass"
    with_classes = spec().model_copy(update={"classes": ("background", "hand")})
    assert make_target(with_classes, TrainParams()).name == "unet"


def test_the_preset_for_hands_is_the_published_network() -> None:
    params = TrainParams.model_validate(read_yaml(HANDS)["train"])
    target = make_target(spec(224, 224, keypoints=14), params)
    module = target.build()
    assert isinstance(module, StackedHourglass)
    assert len(module.stacks) == 2
    assert module.stem[-1](torch.zeros(2, 128, 4, 4)).shape == (2, 256, 4, 4)
    assert heat_map_size((224, 224), params.hourglass.heat_map) == (64, 64)
    assert (params.augment.rotate, params.keypoints.within_px) == (20, 5)
    assert 5 in params.keypoints.thresholds_px
