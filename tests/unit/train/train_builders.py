"""Tiny data and params for the tests of `train`."""

from typing import Any

import numpy as np
import torch

from stages.common.spec import DatasetSpec
from stages.train.params import TrainParams
from stages.train.targets import make_target
from stages.train.training import LabelledData, SeedRun

CPU = torch.device("cpu")
OFF = dict.fromkeys(("rotate", "scale", "shear", "shift", "brightness", "contrast", "saturation"), 0)


def tiny_params(**changes: Any) -> TrainParams:
    """A net of a few thousand weights and 30 short steps; `changes` as in params.yaml."""
    tiny = {"unet": {"width": 8, "depth": 1}, "steps": 30, "batch": 4, "validate_every": 10, "save_every": 15}
    return TrainParams.model_validate(tiny | changes)


def tiny_spec(height: int = 16, width: int = 16, channels: int = 1) -> DatasetSpec:
    """Three classes."""
    return DatasetSpec(name="tiny", size=(height, width), channels=channels, classes=("background", "left", "right"))


def half_images(count: int, real: int | None = None) -> LabelledData:
    """Bright halves of 16 x 16 images: left ones are class 1, right ones class 2; the first `real` rows are real."""
    noise = np.random.default_rng(0).integers(0, 60, (count, 16, 16, 1))
    masks = np.zeros((count, 16, 16), np.uint8)
    masks[0::2, :, :8], masks[1::2, :, 8:] = 1, 2
    images = (noise + 180 * (masks > 0)[..., None]).astype(np.uint8)
    return LabelledData(images, torch.from_numpy(masks), np.arange(count) < (count if real is None else real))


def tiny_run(data: LabelledData, validation: LabelledData | None, **changes: Any) -> SeedRun:
    """A run of seed 0 on the CPU."""
    params = tiny_params(**changes)
    return SeedRun(make_target(tiny_spec(), params), data, validation, params, 0, CPU)
