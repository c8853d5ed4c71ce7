"""A project whose GAN, encoder and label generator are tiny, and images that its GAN drew."""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
import yaml
from PIL import Image
from torch import Tensor

from stages.common.samples import write_index
from stages.common.spec import DatasetSpec, write_spec
from stages.common.tensors import to_arrays
from stages.common.weights import save_weights
from stages.invert.encoder import Encoder, build_encoder, regress
from stages.invert.inversion import invert
from stages.invert.losses import Weights
from stages.invert.params import EncoderParams, InvertParams
from stages.invert.perceptual import DiscriminatorDistance
from stages.label.ensemble import Ensemble
from stages.label.heads import Head, head_for
from stages.label.labelling import ensemble_config, load_label_generator
from stages.label.params import LabelParams
from stages.label.pixels import build_bank
from stages.label.training import new_ensemble, train_ensemble
from stages.pretrain.build import build_discriminator, build_generator, save_network
from stages.pretrain.discriminator import Discriminator
from stages.pretrain.generator import Generator
from stages.pretrain.params import NetworkParams

SIZE, CLASSES = (16, 16), ("background", "grey", "bright")
NETWORK = NetworkParams(z_dim=8, w_dim=8, channel_base=64, channel_limit=16)
ENCODER = EncoderParams(channel_base=64, channel_limit=16, batch=16, regress_steps=80, finetune_steps=0)
LABEL = LabelParams(members=3, hidden=(16, 8), steps=120, batch=128, learning_rate=0.01, pixels_per_image=128)
ENSEMBLE = Path("models/label/gan/ensemble.safetensors")
PARAMS = {
    "device": "cpu",
    "invert": {"encoder": ENCODER.model_dump(mode="json"), "optimise": {"steps": 50, "batch": 4}},
}


def drawn(generator: Generator, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """ws and images of this many random latents."""
    z = torch.randn(count, generator.z_dim, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        ws = generator.broadcast(generator.latents(z))
        return ws, generator.synthesis(ws).clamp(-1, 1)


def masks_of(images: Tensor) -> np.ndarray:
    """Three classes by brightness, whatever the image."""
    return (images[:, 0] > -0.2).to(torch.uint8).add(images[:, 0] > 0.2).to(torch.uint8).numpy()


def classes_of(images: Tensor) -> np.ndarray:
    """Class 1 for the darker half of the images, class 2 for the others."""
    brightness = images.mean(dim=(1, 2, 3))
    return torch.where(brightness > brightness.median(), 2, 1).numpy()


def trained_ensemble(generator: Generator, head: Head) -> Ensemble:
    """Learns the labels of twelve drawn images."""
    ws, images = drawn(generator, 12, seed=1)
    labels = classes_of(images) if head.kind == "class_id" else masks_of(images)
    bank = build_bank(generator, ws, labels, head, np.arange(12), LABEL.pixels_per_image, 0.5, False, 0)
    state = new_ensemble(bank, LABEL.members, head, LABEL, 0)
    for _ in train_ensemble(state, bank, [torch.arange(len(bank.labels))] * LABEL.members, head, LABEL, 0):
        pass
    return state.ensemble


def trained_encoder(generator: Generator) -> Encoder:
    encoder = build_encoder(generator, ENCODER, 1)
    for _ in regress(encoder, generator, ENCODER, 0):
        pass
    return encoder


def make_project(root: Path, labels: Literal["masks", "image"] = "masks") -> Path:
    """What `prepare`, `pretrain`, `invert` and `label` would have left for the command."""
    spec = DatasetSpec(name="tiny", size=SIZE, channels=1, classes=CLASSES, labels=labels)
    head = head_for(spec, sigma=1.0)
    torch.manual_seed(0)
    generator = build_generator(NETWORK, SIZE, 1).requires_grad_(False)
    config = {"network": NETWORK.model_dump(mode="json"), "size": list(SIZE), "channels": 1}
    save_network(root / "models/pretrain/generator.safetensors", generator, config)
    judge = build_discriminator(NETWORK, SIZE, 1)
    save_network(root / "models/pretrain/discriminator.safetensors", judge, config)
    encoder, ensemble = trained_encoder(generator), trained_ensemble(generator, head)
    for stage in ("invert", "label"):
        path = root / f"models/{stage}/encoder.safetensors"
        save_weights(path, encoder.state_dict(), PARAMS["invert"])
    features = ensemble.first.weight.shape[2]
    config = ensemble_config(ensemble, head, features, False)
    save_weights(root / ENSEMBLE, ensemble.state_dict(), config)
    write_spec(spec, root / "data/prepare/spec.json")
    (root / "data/invert").mkdir(parents=True)
    rows = [{"key": str(i), "shard": "", "error": error} for i, error in enumerate(errors(generator, encoder, judge))]
    write_index(root / "data/invert", rows)
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    return root


def errors(generator: Generator, encoder: Encoder, judge: Discriminator) -> list[float]:
    """Of the reconstructions of some labelled images."""
    params, distance = InvertParams.model_validate(PARAMS["invert"]), DiscriminatorDistance(judge)
    judge.requires_grad_(False)
    images, weights = drawn(generator, 5, seed=1)[1], Weights.of(params.optimise)
    return invert(generator, encoder, images, distance, weights, params.optimise, lambda *_: None).error.tolist()


def true_labels(root: Path, generator: Generator, ws: Tensor) -> np.ndarray:
    """What the label generator says of these latents themselves."""
    return load_label_generator(root / ENSEMBLE, generator)(ws)[1].values.numpy()


def save_images(folder: Path, images: Tensor) -> list[Path]:
    """(N, 1, H, W) as PNG files."""
    folder.mkdir(parents=True)
    paths = [folder / f"photo-{number}.png" for number in range(len(images))]
    for path, pixels in zip(paths, to_arrays(images), strict=True):
        Image.fromarray(pixels[:, :, 0]).save(path)
    return paths


def table_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "labels.csv")
