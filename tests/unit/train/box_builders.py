"""Tiny data with boxes, and with classes of images, for the tests of `train`."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from train_builders import CPU

from stages.common.samples import SampleSet
from stages.common.spec import DatasetSpec
from stages.train.params import TrainParams
from stages.train.targets import make_target
from stages.train.training import LabelledData, SeedRun

CLASSES = ("nothing", "bright", "dark")
TINY = {"steps": 30, "batch": 4, "validate_every": 10, "save_every": 15, "learning_rate": 0.003}
SMALL = {"classifier": {"width": 8, "poolings": 2}, "detector": {"width": 8, "scales": [0.3, 0.6]}}


def params_of(**changes: Any) -> TrainParams:
    """Small networks and 30 short steps; `changes` as in params.yaml."""
    return TrainParams.model_validate(TINY | SMALL | changes)


def boxes_spec(height: int = 32, width: int = 32) -> DatasetSpec:
    """Grey images with boxes of two classes."""
    return DatasetSpec(name="things", size=(height, width), channels=1, classes=CLASSES, labels="boxes")


def classes_spec() -> DatasetSpec:
    """Grey images of two classes."""
    return DatasetSpec(name="sorts", size=(16, 16), channels=1, classes=CLASSES, labels="image")


def boxed_set(count: int, side: int = 32, seed: int = 0) -> SampleSet:
    """Grey images with a bright box (class 1) and, in every other one, a dark box (class 2)."""
    random = np.random.default_rng(seed)
    images = random.integers(110, 140, (count, side, side, 1)).astype(np.uint8)
    boxes = []
    for number, image in enumerate(images):
        rows = [_drawn(image, random, 0, 250, 1)] + ([_drawn(image, random, side // 2, 5, 2)] if number % 2 else [])
        boxes.append(np.array(rows, np.float32))
    index = pd.DataFrame({"key": [f"k{i}" for i in range(count)], "recipe": "real"})
    return SampleSet(images, None, index, boxes=tuple(boxes))


def _drawn(image: np.ndarray, random: np.random.Generator, row: int, value: int, index: int) -> list[int]:
    side = len(image)
    width, height = random.integers(side // 4, side // 2 - 2, 2).tolist()
    left, top = int(random.integers(0, side - width)), row + int(random.integers(0, side // 2 - height))
    image[top : top + height, left : left + width] = value
    return [left, top, left + width, top + height, index]


def sorted_set(count: int) -> SampleSet:
    """Images of 16 x 16: bright ones of class 1, dark ones of class 2."""
    ids = np.arange(count) % 2 + 1
    noise = np.random.default_rng(0).integers(0, 60, (count, 16, 16, 1))
    images = (noise + np.where(ids == 1, 150, 20)[:, None, None, None]).astype(np.uint8)
    index = pd.DataFrame({"key": [f"k{i}" for i in range(count)], "recipe": "real", "class_id": ids})
    return SampleSet(images, None, index)


def run_of(spec: DatasetSpec, samples: SampleSet, validated: bool = True, **changes: Any) -> SeedRun:
    """A run of seed 0 on the CPU, validated by its own training images."""
    params = params_of(**changes)
    target = make_target(spec, params)
    data = LabelledData(samples.images, target.labels(samples), np.ones(len(samples), bool))
    torch.manual_seed(0)
    return SeedRun(target, data, data if validated else None, params, 0, CPU)
