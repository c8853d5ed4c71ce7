"""What is measured on a trained refiner: how far it moved the labels, and how real its images look."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor

from stages.common.spec import IGNORE
from stages.common.tensors import ImageBank
from stages.refine.params import ShiftParams, TwoSampleParams
from stages.refine.refining import Refined
from stages.refine.segmenter import Segmenter, label_shift, train_segmenter
from stages.refine.two_sample import distinguish


def watch_labels(
    simulated: ImageBank,
    masks: np.ndarray | None,
    made: Refined,
    classes: int,
    followed: Sequence[int],
    params: ShiftParams,
    seed: int,
) -> tuple[Segmenter | None, dict[str, float]]:
    """A segmenter of the simulated images, and what it says of the labels after refining; nothing without masks."""
    if masks is None or made.masks is None:
        print("refine: the simulated images have no masks, so how far labels move is not measured", flush=True)
        return None, {}
    segmenter = train_segmenter(simulated, torch.from_numpy(masks), classes, followed, params, seed)
    return segmenter, shift_metrics(segmenter, made.bent, made.images, torch.from_numpy(made.masks))


def shift_metrics(segmenter: Segmenter, simulated: ImageBank, refined: ImageBank, masks: Tensor) -> dict[str, float]:
    """Mean and deviation of what `shifts` finds, and the segmenter's IoU with the label before and after.

    masks: (N, H, W) uint8 on the CPU, 255 = ignore.
    """
    iou, pixels = shifts(segmenter, simulated, refined)
    before, after = (float(label_iou(segmenter, images, masks).mean()) for images in (simulated, refined))
    return {
        "refine/label_shift_px": float(pixels.mean()),
        "refine/label_shift_px_std": float(pixels.std()),
        "refine/label_iou": float(iou.mean()),
        "refine/mask_iou_simulated": before,
        "refine/mask_iou_refined": after,
    }


def shifts(segmenter: Segmenter, simulated: ImageBank, refined: ImageBank, batch: int = 128) -> tuple[Tensor, Tensor]:
    """(N,) IoU and (N,) pixels of `label_shift`, on the CPU."""
    parts = [slice(start, start + batch) for start in range(0, len(simulated), batch)]
    found = [label_shift(segmenter, simulated[part], refined[part]) for part in parts]
    iou, pixels = zip(*found, strict=True)
    return torch.cat(iou).cpu(), torch.cat(pixels).cpu()


@torch.no_grad()
def label_iou(segmenter: Segmenter, images: ImageBank, masks: Tensor, batch: int = 128) -> Tensor:
    """(N,) IoU of what the segmenter finds of the followed classes with the masks, over the pixels that are not 255."""
    values = []
    for start in range(0, len(images), batch):
        labels = masks[start : start + batch]
        found = segmenter.presence(images[slice(start, start + batch)]).cpu() > 0.5
        kept, truth = labels != IGNORE, segmenter.shows(labels)
        both, either = (found & truth & kept).sum(dim=(1, 2)), ((found | truth) & kept).sum(dim=(1, 2))
        values.append(torch.where(either > 0, both / either.clamp(min=1), 1.0))
    return torch.cat(values)


def looks_metrics(
    real: ImageBank, simulated: ImageBank, refined: ImageBank, params: TwoSampleParams, seed: int
) -> dict[str, float]:
    """Accuracy with its 95 % interval of a classifier that tells real from simulated, and real from refined."""
    found: dict[str, float] = {}
    for name, made in (("simulated", simulated), ("refined", refined)):
        result = asdict(distinguish(real, made, params, seed))
        names = {key: "" if key == "accuracy" else f"_{key}" for key in result}
        found |= {f"refine/told_{name}{names[key]}": float(value) for key, value in result.items()}
    return found
