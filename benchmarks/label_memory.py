"""Memory of training the label generator, from latents to the trained ensemble, against what the published way holds.

    python benchmarks/label_memory.py                                   # StyleGAN2 config-f at 256x256, 50 images
    python benchmarks/label_memory.py --pixels 4000 --precision float16

Random weights, latents and masks of 20 classes; ten members (128, 32), batches of 64 pixels a member, as DatasetGAN
takes them. The peak is that of the resident set of a process of its own, with everything that Python and torch take.
The published way keeps the features of every pixel of every labelled image, at the size of the image; what that takes
is computed, not measured.
"""

import json
import resource
import subprocess
import sys
import time
from typing import Annotated

import numpy as np
import torch
import typer
from scipy.ndimage import zoom
from torch import Tensor

from stages.common.errors import UserError
from stages.label.features import feature_count
from stages.label.heads import SegmentationHead
from stages.label.params import LabelParams
from stages.label.pixels import PixelBank, build_bank, refuse_large_bank
from stages.label.training import new_ensemble, train_ensemble
from stages.pretrain.build import build_generator
from stages.pretrain.generator import Generator
from stages.pretrain.params import NetworkParams

CLASSES, SPOTS = 20, 8
KILOBYTE = 1 if sys.platform == "darwin" else 1024  # what ru_maxrss counts in


def config_f(limit: int) -> NetworkParams:
    """StyleGAN2's config-f, with at most `limit` channels (published: 512)."""
    return NetworkParams(
        z_dim=512, w_dim=512, mapping_layers=8, channel_base=64 * limit, channel_limit=limit, clusters=0
    )


def published_bytes(images: int, side: int, features: int) -> int:
    """float32 features of every pixel."""
    return images * side * side * features * 4


def make_inputs(generator: Generator, images: int) -> tuple[Tensor, np.ndarray]:
    """Random latents (N, num_ws, w_dim) and masks (N, H, W) of a few connected spots."""
    z = torch.randn(images, generator.z_dim, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ws = generator.broadcast(generator.latents(z))
    spots = np.random.default_rng(0).integers(0, CLASSES, (images, SPOTS, SPOTS)).astype(np.uint8)
    scale = generator.size[0] / SPOTS
    return ws, zoom(spots, (1, scale, scale), order=0)


def train(generator: Generator, images: int, params: LabelParams) -> PixelBank:
    """The whole path: latents, features at sampled pixels, trained ensemble."""
    head = SegmentationHead(CLASSES)
    ws, masks = make_inputs(generator, images)
    refuse_large_bank(generator, images, head, params)
    bank = build_bank(
        generator,
        ws,
        masks,
        head,
        np.arange(images),
        params.pixels_per_image,
        params.balanced_share,
        params.context,
        0,
        params.precision,
    )
    state = new_ensemble(bank, params.members, head, params, 0)
    for _ in train_ensemble(state, bank, [torch.arange(len(bank.labels))] * params.members, head, params, 0):
        pass
    return bank


def measure(side: int, limit: int, images: int, params: LabelParams) -> dict[str, float]:
    """Peak of this process in bytes, of its bank, of the published way, features a pixel and seconds."""
    started = time.perf_counter()
    torch.manual_seed(0)
    generator = build_generator(config_f(limit), (side, side), 3).eval().requires_grad_(False)
    bank = train(generator, images, params)
    features = feature_count(generator, params.context)
    return {
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE,
        "bank": bank.features.nbytes,
        "published": published_bytes(images, side, features),
        "features": features,
        "seconds": time.perf_counter() - started,
    }


def main(
    side: Annotated[int, typer.Option(help="Width and height of the images, a power of two.")] = 256,
    limit: Annotated[int, typer.Option(help="Most channels of a map; config-f has 512.")] = 512,
    images: Annotated[int, typer.Option(help="Labelled images.")] = 50,
    pixels: Annotated[int, typer.Option(help="label.pixels_per_image.")] = 4000,
    precision: Annotated[str, typer.Option(help="label.precision: float32 or float16.")] = "float32",
    batch: Annotated[int, typer.Option(help="label.batch: pixels a member and step.")] = 64,
    members: Annotated[int, typer.Option(help="label.members.")] = 10,
    steps: Annotated[int, typer.Option(help="label.steps; the peak is reached in the first ones.")] = 200,
    inside: Annotated[bool, typer.Option("--inside", hidden=True)] = False,
) -> None:
    """Print what the training takes and what the published way would."""
    if not inside:
        done = subprocess.run([sys.executable, __file__, *sys.argv[1:], "--inside"], capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr.strip())
        print(table(json.loads(done.stdout), pixels, precision))
        return
    params = LabelParams(
        members=members, steps=steps, batch=batch, pixels_per_image=pixels, precision=precision, hidden=(128, 32)
    )
    try:
        print(json.dumps(measure(side, limit, images, params)))
    except UserError as error:
        sys.exit(f"error: {error}")


def table(found: dict[str, float], pixels: int, precision: str) -> str:
    """The figures as text."""
    lines = {
        f"features of {pixels} pixels an image, {precision}": found["bank"],
        "peak of the process": found["peak"],
        "published, features of all pixels, computed": found["published"],
    }
    width = max(map(len, lines))
    rows = [f"{name:{width}} {value / 1e9:9.2f} GB" for name, value in lines.items()]
    return "\n".join([f"{found['features']:.0f} features a pixel, {found['seconds']:.0f} s", *rows])


if __name__ == "__main__":
    typer.run(main)
