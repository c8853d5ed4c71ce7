"""A tiny compositing task: bars and squares on noise."""

from typing import Literal

import numpy as np
import pandas as pd
import torch

from stages.common.samples import SampleSet
from stages.common.spec import DatasetSpec
from stages.common.tensors import ImageBank, to_arrays
from stages.compose.composer import Composer
from stages.compose.cutouts import ObjectBank
from stages.compose.params import ComposeParams
from stages.compose.pasting import Objects
from stages.compose.state import ComposeState, new_state
from stages.compose.training import Trainer
from stages.train.inputs import labelled
from stages.train.params import TrainParams, UNetParams
from stages.train.targets import make_target

CPU = torch.device("cpu")
SPEC = DatasetSpec(name="shapes", size=(24, 32), channels=1, classes=("background", "bar", "square"))


def shapes() -> Objects:
    """A bar of 4 x 12 pixels, class 1, and a square of 8 x 8, class 2, white, off the middle of their canvases."""
    alpha = torch.zeros(2, 24, 32)
    alpha[0, 4:8, 6:18] = 1
    alpha[1, 10:18, 20:28] = 1
    return Objects.of(torch.ones(2, 1, 24, 32), alpha, torch.tensor([1, 2]))


def as_bank(objects: Objects) -> ObjectBank:
    """The same cut-outs as bytes."""
    alpha = objects.alpha.mul(255).round().to(torch.uint8)
    return ObjectBank.of(ImageBank(to_arrays(objects.images), CPU), alpha, objects.class_ids, objects.keypoints)


def small_params(**changes: object) -> ComposeParams:
    """Small networks, few steps."""
    values: dict[str, object] = {
        "steps": 6,
        "warm_up": 4,
        "batch": 8,
        "synthesizer": {"width": 4, "levels": 2, "hidden": 16, "noise": 4},
        "critic": {"width": 4, "levels": 2},
    }
    return ComposeParams.model_validate(values | changes)


def make_composer(params: ComposeParams) -> Composer:
    """Shapes on six grey noisy backgrounds."""
    noise = np.random.default_rng(0).integers(60, 120, (6, 24, 32, 1)).astype(np.uint8)
    return Composer(as_bank(shapes()), ImageBank(noise, CPU), params)


def make_trainer(
    params: ComposeParams, seed: int = 0, labels: Literal["masks", "boxes", "image"] = "masks"
) -> tuple[Trainer, ComposeState]:
    """With a small U-Net as the target, or what suits the labels."""
    random = np.random.default_rng(1)
    images = random.integers(60, 120, (4, 24, 32, 1)).astype(np.uint8)
    masks = np.zeros((4, 24, 32), np.uint8)
    images[:, 8:12, 4:16], masks[:, 8:12, 4:16] = 255, 1
    index = pd.DataFrame({"key": list("abcd"), "recipe": "real", "class_id": 1})
    boxes = tuple(np.array([[4, 8, 16, 12, 1]] * count, np.float32).reshape(-1, 5) for count in (1, 0, 1, 2))
    reals = SampleSet(images, masks, index, boxes=boxes)
    # bf16 rounds differently on each kind of processor, and what adversaries reach in 120 updates with it.
    train = TrainParams(steps=200, unet=UNetParams(width=8, depth=1, patch=1), precision="fp32")
    target = make_target(SPEC.model_copy(update={"labels": labels}), train)
    trainer = Trainer(make_composer(params), labelled(reals, target), ImageBank(images, CPU), target, params, seed)
    return trainer, new_state(params, target, None, seed, CPU)
