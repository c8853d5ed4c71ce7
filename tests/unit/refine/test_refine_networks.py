from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from stages.common.params import read_yaml
from stages.refine.networks import Discriminator, Refiner
from stages.refine.params import DiscriminatorParams, LayerParams, RefineParams, RefinerParams

HANDS = (
    LayerParams(kernel=7, stride=4, width=96),
    LayerParams(kernel=5, stride=2, width=64),
    LayerParams(kernel=3, stride=2),
    LayerParams(kernel=3, stride=2, width=32),
    LayerParams(kernel=1, width=32),
)


def reach(network: torch.nn.Module, side: int, row: int, column: int) -> tuple[int, int]:
    """Height and width of the input pixels that one output position depends on."""
    image = torch.rand(1, 1, side, side, requires_grad=True)
    out = network(image)
    (gradient,) = torch.autograd.grad(out[0, :, row, column].sum(), image)
    rows, columns = torch.nonzero(gradient[0, 0], as_tuple=True)
    return int(rows.max() - rows.min() + 1), int(columns.max() - columns.min() + 1)


def test_the_refiner_keeps_size_and_layout_at_any_size():
    refiner = Refiner(1, RefinerParams(width=8, blocks=4))
    for size in ((35, 55), (32, 32), (36, 60)):
        out = refiner(torch.rand(2, 1, *size) * 2 - 1)
        assert out.shape == (2, 1, *size)
        assert out.abs().max() <= 1
    # Nine 3x3 convolutions see 19 pixels around each: an edit stays where it is.
    height, width = reach(refiner, 41, 20, 20)
    assert height <= 19
    assert width <= 19


def test_the_published_sizes():
    eyes = sum(p.numel() for p in Refiner(1, RefinerParams()).parameters())
    assert eyes == (9 * 64 + 64) + 8 * (9 * 64 * 64 + 64) + (64 + 1)
    hands = Refiner(1, RefinerParams(blocks=10, first_kernel=7))
    assert hands(torch.zeros(1, 1, 24, 24)).shape == (1, 1, 24, 24)
    assert sum(p.numel() for p in hands.parameters()) == (49 * 64 + 64) + 20 * (9 * 64 * 64 + 64) + (64 + 1)


def test_the_discriminator_of_eyes_decides_on_126_patches_of_23_pixels():
    critic = Discriminator(1, DiscriminatorParams())
    assert critic(torch.zeros(3, 1, 35, 55)).shape == (3, 2, 9, 14)
    torch.manual_seed(0)
    sizes = [reach(Discriminator(1, DiscriminatorParams()).double().float(), 81, 10, 10) for _ in range(3)]
    assert max(max(size) for size in sizes) == 23


def test_the_discriminator_of_hands_sees_49_patches():
    assert Discriminator(1, DiscriminatorParams(layers=HANDS))(torch.zeros(1, 1, 224, 224)).shape == (1, 2, 7, 7)


def test_a_global_discriminator_makes_one_decision():
    critic = Discriminator(3, DiscriminatorParams(scope="global"))
    assert critic(torch.rand(2, 3, 32, 32)).shape == (2, 2, 1, 1)


def test_no_activation_lies_on_the_scores():
    # A ReLU there kills the gradients of both classes once both scores are negative, as in public ports.
    critic = Discriminator(1, DiscriminatorParams())
    torch.nn.init.constant_(critic.scores.bias, -5.0)
    images = torch.rand(2, 1, 32, 32, requires_grad=True)
    scores = critic(images)
    assert (scores < 0).all()
    assert torch.autograd.grad(scores[:, 0].sum(), images)[0].abs().sum() > 0


def test_params_refuse_what_cannot_be():
    with pytest.raises(ValueError, match="at least 1"):
        DiscriminatorParams(layers=())


def test_the_preset_for_hands_has_the_published_networks():
    preset = Path(__file__).resolve().parents[3] / "presets" / "hands.yaml"
    params = RefineParams.model_validate(read_yaml(preset)["refine"])
    assert params.discriminator.layers == HANDS
    assert (params.refiner.blocks, params.refiner.first_kernel) == (10, 7)
    assert (params.pretraining.refiner, params.pretraining.discriminator) == (500, 200)
    assert (params.refiner_steps, params.discriminator_steps) == (2, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"discriminator": {"layers": [{"kernel": 4, "width": 8}]}},
        {"discriminator": {"layers": [{"kernel": 3, "stride": 2}]}},
        {"refiner": {"kernel": 2}},
        {"self_regularisation": float("inf")},
    ],
)
def test_sizes_that_no_network_can_have_are_refused(wrong):
    with pytest.raises(ValidationError):
        RefineParams.model_validate(wrong)
