"""A tiny project up to `annotate`: an untrained GAN of 16 x 16 pixels, encoder, label generator, the oracle's set."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from stages.annotate.__main__ import main
from stages.annotate.params import AnnotateParams
from stages.common.params import SharedParams
from stages.common.samples import Sample, write_set
from stages.common.spec import DatasetSpec, write_spec
from stages.common.tracking import Tracker
from stages.common.weights import save_weights
from stages.invert.encoder import build_encoder
from stages.invert.params import InvertParams
from stages.label.ensemble import Ensemble
from stages.label.heads import head_for
from stages.label.labelling import ensemble_config
from stages.pretrain.build import Gan, build_discriminator, build_generator, save_network
from stages.pretrain.params import NetworkParams

SIZE = (16, 16)
CLASSES = ("background", "0", "1")
MASKS = DatasetSpec(name="tiny", size=SIZE, channels=1, classes=CLASSES)
POINTS = DatasetSpec(name="tiny", size=SIZE, channels=1, keypoints=5)
DEPTH = DatasetSpec(name="tiny", size=SIZE, channels=1, depth=True)
NETWORK = NetworkParams(z_dim=8, w_dim=8, channel_base=64, channel_limit=8)
INVERT = InvertParams.model_validate({"encoder": {"channel_base": 64, "channel_limit": 8}})
SMALL = {"candidates": 12, "images": 4, "batch": 5, "oracle": {"width": 4, "steps": 30}}


def write_project(spec: DatasetSpec, digits: int = 0, labeler: bool = True) -> None:
    """In the working folder. digits: how many images the oracle has."""
    torch.manual_seed(0)
    generator, critic = build_generator(NETWORK, SIZE, 1), build_discriminator(NETWORK, SIZE, 1)
    config = Gan(NETWORK, SIZE, 1, generator, critic).config
    save_network(Path("models/pretrain/generator.safetensors"), generator, config)
    save_network(Path("models/pretrain/discriminator.safetensors"), critic, config)
    encoder = build_encoder(generator, INVERT.encoder, 1)
    torch.nn.init.constant_(encoder.layer_gain, 0.5)
    save_weights(Path("models/invert/encoder.safetensors"), encoder.state_dict(), INVERT.model_dump(mode="json"))
    write_spec(spec)
    write_set(Path("data/prepare/oracle"), [digit(number) for number in range(digits)])
    if labeler:
        head = head_for(spec, 1.5)
        features = sum(generator.synthesis.feature_channels) + 1
        ensemble = Ensemble(3, features, (8, 8), head.outputs).eval()
        stored = ensemble_config(ensemble, head, features, False)
        save_weights(Path("models/label/gan/ensemble.safetensors"), ensemble.state_dict(), stored)


def digit(number: int) -> Sample:
    """A one, which is a bar, or a zero, which is a ring."""
    image, mask = np.zeros((*SIZE, 1), np.uint8), np.zeros(SIZE, np.uint8)
    left, kind = 4 + number % 4, number % 2
    if kind:
        image[3:13, left : left + 2] = 255
    else:
        image[4:12, left : left + 7] = 255
        image[6:10, left + 2 : left + 5] = 0
    mask[image[:, :, 0] > 0] = kind + 1
    return Sample(f"oracle-{number:06d}", image, mask, {"source_id": f"s{number}", "group": f"g{number}"})


def annotate(**values: Any) -> None:
    """The stage, in the working folder."""
    main(AnnotateParams.model_validate(SMALL | values), SharedParams(device="cpu"), Tracker(None))


def metrics() -> dict[str, float]:
    found: dict[str, float] = json.loads(Path("reports/annotate/metrics.json").read_text())
    return found


def exported() -> list[str]:
    """Names of the exported images."""
    return sorted(path.stem for path in Path("data/annotate/export/images").iterdir())


def write_masks(folder: Path, masks: Mapping[str, np.ndarray]) -> Path:
    """A folder of masks as a person would bring it."""
    folder.mkdir(parents=True)
    for name, mask in masks.items():
        Image.fromarray(mask).save(folder / f"{name}.png")
    return folder


def some_masks(names: list[str]) -> dict[str, np.ndarray]:
    """A mask each, no two the same."""
    masks = {}
    for number, name in enumerate(names):
        masks[name] = np.zeros(SIZE, np.uint8)
        masks[name][2 : 4 + number, 5:9] = number % 2 + 1
    return masks
