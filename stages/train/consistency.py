"""How far two networks agree about images without labels, for each kind of dense output."""

import math

import torch
from torch import Tensor

from stages.common.errors import UserError
from stages.common.warp import warp_images
from stages.train.params import MeanTeacherParams
from stages.train.targets.base import Target

TASKS = ("segmentation", "keypoints", "depth")


def check_task(target: Target) -> None:
    """Raises UserError for a target whose outputs are not maps over the image."""
    if target.task not in TASKS:
        raise UserError(
            f"params.yaml: evaluate.recipes: mean_teacher is for {', '.join(TASKS)}, but {target.spec.name} is about "
            f"{target.task} here; take it out"
        )


def comparable(target: Target, outputs: Tensor) -> Tensor:
    """What outputs are compared by: the shares of the classes (N, classes, h, w) in segmentation, else the outputs
    themselves, heat maps (N, stacks, K, h, w) or logarithms of the depth (N, 1, h, w)."""
    return outputs.float().softmax(dim=1) if target.task == "segmentation" else outputs.float()


def warped(target: Target, values: Tensor, maps: Tensor) -> Tensor:
    """Values of `comparable` as they were if their images had been warped by these maps (N, 2, 3) before.

    Where a map mirrors, each heat map takes the place that `flip` of the dataset says.
    """
    if target.task == "keypoints" and target.spec.flip:
        mirrored = (torch.linalg.det(maps[:, :, :2]) < 0).to(values.device)
        values = torch.where(mirrored[:, None, None, None, None], values[:, :, list(target.spec.flip)], values)
    # A warp treats all maps of an image alike, however they are nested.
    flat = values.flatten(1, -3)
    return warp_images(flat, maps).reshape(values.shape)


def disagreement(target: Target, student: Tensor, teacher: Tensor) -> Tensor:
    """How far values of `comparable` lie apart, on the scale of the target's own loss.

    Segmentation: the squared difference of the shares, summed over classes (0 to 2), mean over pixels. Keypoints: the
    squared difference of the heat maps, mean over pixels and keypoints, summed over stacks. Depth: the mean distance
    of the logarithms.
    """
    if target.task == "depth":
        return (student - teacher).abs().mean()
    squares = (student - teacher).square()
    return squares.mean() * squares.shape[1]


def ramped_weight(step: int, steps: int, params: MeanTeacherParams) -> float:
    """Weight of the disagreement at a step, counted from 0: `weight` times exp(-5 (1 - t)^2), where t rises from 0 to
    1 (Tarvainen and Valpola, NeurIPS 2017; Laine and Aila, ICLR 2017)."""
    done = min(step / max(params.ramp * steps, 1), 1.0)
    return params.weight * math.exp(-5 * (1 - done) ** 2)
