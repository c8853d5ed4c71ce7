"""Pictures inside of the page: data URIs, small tiles of test images."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup
from PIL import Image
from torch import Tensor

from stages.common.encoding import encode_png
from stages.common.pictures import as_rgb, palette
from stages.evaluate.predict import pick_images
from stages.train.targets.base import Target

WIDE = 824


def data_uri(png: bytes) -> str:
    """PNG bytes as a URI that needs no other file."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def picture(path: Path, alt: str) -> Markup | None:
    """An img of a PNG file, enlarged by a whole factor so that its pixels stay sharp; None when it is not there."""
    if not path.is_file():
        return None
    png = path.read_bytes()
    width, height = Image.open(io.BytesIO(png)).size
    factor = max(round(WIDE / width), 1)
    frame = '<img src="{}" alt="{}" width="{}" height="{}" loading="lazy">'
    return Markup(frame).format(data_uri(png), alt, width * factor, height * factor)


def swatches(classes: Sequence[str]) -> list[tuple[str, str]]:
    """(class, #rrggbb) of every class but the background, as the overlays show them."""
    colours = palette(len(classes))
    return [(name, "#{:02x}{:02x}{:02x}".format(*colours[i])) for i, name in enumerate(classes) if i]


def picture_rows(
    images: np.ndarray,
    labels: Tensor,
    keys: Sequence[str],
    predictions: Mapping[str, Tensor],
    judge: str,
    target: Target,
    count: int,
) -> dict[str, list[dict[str, object]]]:
    """Rows of tiles by group (best, median, worst for the recipe `judge`).

    images: (N, H, W, C) uint8; labels and each prediction: in the form of the target, N of them. A row: key, image,
    truth, and for each recipe its prediction, drawn, and its score.
    """
    scores = {recipe: target.image_scores(found, labels) for recipe, found in predictions.items()}
    chosen = pick_images(scores[judge], count, target.metric.higher_is_better)
    return {
        group: [
            {
                "key": keys[i],
                "image": _tile(as_rgb(images[i : i + 1])),
                "truth": _tile(target.draw(images[i : i + 1], labels[i : i + 1])),
                "predictions": [
                    (recipe, _tile(target.draw(images[i : i + 1], found[i : i + 1])), float(scores[recipe][i]))
                    for recipe, found in predictions.items()
                ],
            }
            for i in numbers
        ]
        for group, numbers in chosen.items()
        if numbers
    }


def _tile(pixels: np.ndarray) -> str:
    return data_uri(encode_png(pixels[0]))
