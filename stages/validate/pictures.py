"""Pictures of the quarantine and of the nearest training images, captioned."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from stages.common.pictures import as_rgb, enlarged, grid, with_labels

COLUMNS = 16
CAPTION_HEIGHT = 14  # the height of Pillow's default font with a margin
TILE = 64  # small images are enlarged to about this side
MIN_WIDTH = 320


def captioned(picture: np.ndarray, text: str) -> np.ndarray:
    """(H, W, 3) uint8 with a line of text above it."""
    height, width = picture.shape[0] + CAPTION_HEIGHT, max(picture.shape[1], MIN_WIDTH)
    canvas = Image.new("RGB", (width, height), "white")
    canvas.paste(Image.fromarray(picture), (0, CAPTION_HEIGHT))
    ImageDraw.Draw(canvas).text((2, 1), text, fill="black")
    return np.asarray(canvas)


def stacked(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures (h, w, 3) under one another, the narrow ones filled up with white."""
    width = max(picture.shape[1] for picture in pictures)
    rows = [np.pad(p, ((0, 4), (0, width - p.shape[1]), (0, 0)), constant_values=255) for p in pictures]
    return np.concatenate(rows)


def pairs(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Two (N, H, W, C) of equal N: rows of up to COLUMNS of the first, the matching ones of the second beneath."""
    scale = max(1, TILE // upper.shape[2])
    parts = [
        grid(
            np.concatenate([as_rgb(upper[s : s + COLUMNS]), as_rgb(lower[s : s + COLUMNS])]),
            min(len(upper) - s, COLUMNS),
        )
        for s in range(0, len(upper), COLUMNS)
    ]
    return stacked([part.repeat(scale, axis=0).repeat(scale, axis=1) for part in parts])


def quarantine_picture(
    images: np.ndarray,
    masks: np.ndarray,
    keys: pd.Series,
    quarantine: pd.DataFrame,
    classes: int,
    most: int,
    boxes: Sequence[np.ndarray] | None = None,
    class_ids: np.ndarray | None = None,
    keypoints: np.ndarray | None = None,
    depth: np.ndarray | None = None,
) -> np.ndarray:
    """Rejected samples, each over the same with its label, grouped by their first reason; `most` are shared out among
    the reasons.

    images: (N, H, W, C) uint8, masks: (N, H, W), keys: (N,). quarantine: columns key and reasons. The others: as
    `with_labels` takes them.
    """
    if quarantine.empty:
        return captioned(np.full((1, MIN_WIDTH, 3), 255, np.uint8), "No sample is in quarantine.")
    positions = pd.Series(np.arange(len(keys)), index=keys.to_numpy())
    groups = quarantine.groupby(quarantine["reasons"].str.split("; ").str[0], sort=False)
    share = max(1, most // groups.ngroups)
    blocks = []
    for reason, group in groups:
        chosen = positions[group["key"].head(share)].to_numpy()
        some = None if boxes is None else [boxes[position] for position in chosen]
        ids = None if class_ids is None else class_ids[chosen]
        points, far = (None if labels is None else labels[chosen] for labels in (keypoints, depth))
        # Masks that nobody gave are all background; the depth would hide behind them.
        drawn = masks[chosen] if far is None else None
        side = 1 if points is None else TILE
        labelled = with_labels(images[chosen], drawn, points, None, classes, side, some, ids, far)
        text = f"{reason} (as first reason): {len(group)}, {len(chosen)} shown"
        blocks.append(captioned(pairs(enlarged(images[chosen], side), labelled), text))
    return stacked(blocks)


def neighbours_picture(
    images: np.ndarray, facts: pd.DataFrame, training: np.ndarray, training_keys: np.ndarray, most: int
) -> np.ndarray:
    """The `most` samples that lie closest to a training image, closest first, above that training image.

    images: (N, H, W, C) uint8 with N rows of facts; training: (M, H, W, C) with M keys.
    """
    near = facts["near_training_distance"].reset_index(drop=True).dropna().sort_values(kind="stable").head(most)
    if near.empty:
        return captioned(np.full((1, MIN_WIDTH, 3), 255, np.uint8), "No generated sample to compare.")
    positions = pd.Series(np.arange(len(training_keys)), index=training_keys)
    below = positions[facts["near_training"].to_numpy()[near.index]].to_numpy()
    text = f"samples above their nearest training image: {near.iloc[0]:.1f} to {near.iloc[-1]:.1f} grey levels apart"
    return captioned(pairs(images[near.index], training[below]), text)
