"""How far two networks agree about images without labels, for each kind of dense output."""

import math

import torch
from torch import Tensor

from stages.common.errors import UserError
from stages.common.warp import warp_images
from stages.train.params import MeanTeacherParams
from stages.train.targets.base import Target
from stages.train.targets.keypoints import KeypointTarget

TASKS = ("segmentation", "keypoints", "depth")
LEAST_PEAK = 0.5  # of a heat map whose keypoint the teacher is believed; that of a keypoint is 1


def check_task(target: Target) -> None:
    """Raises UserError for a target whose outputs are not maps over the image."""
    if target.task not in TASKS:
        raise UserError(
            f"params.yaml: evaluate.recipes: mean_teacher is for {', '.join(TASKS)}, but {target.spec.name} is about "
            f"{target.task} here; take it out"
        )


def disagreement(target: Target, student: Tensor, teacher: Tensor, maps: Tensor) -> Tensor:
    """How far the student's outputs are from the teacher's, on the scale of the target's own loss.

    maps: (N, 2, 3), by which the student's images were warped, and the teacher's were not. Segmentation: the squared
    difference of the shares of the classes, summed over classes (0 to 2), mean over pixels. Depth: the mean distance of
    the logarithms. Keypoints: the loss of the student on those that the teacher finds and that stay in the image, times
    their share among all.
    """
    if isinstance(target, KeypointTarget):
        return _from_found(target, student, teacher, maps)
    taught = warp_images(_comparable(target, teacher), maps)
    apart = _comparable(target, student) - taught
    return apart.abs().mean() if target.task == "depth" else apart.square().sum(dim=1).mean()


def _comparable(target: Target, outputs: Tensor) -> Tensor:
    """The shares of the classes (N, classes, h, w), or logarithms of the depth (N, 1, h, w)."""
    return outputs.float().softmax(dim=1) if target.task == "segmentation" else outputs.float()


def _from_found(target: KeypointTarget, student: Tensor, teacher: Tensor, maps: Tensor) -> Tensor:
    """A warped heat map would not do: those of a few pixels lose a tenth of their height, and so would the student's.

    A keypoint is warped without loss, and one that the teacher does not find is left out.
    """
    labels = target.warp(target.found(teacher, LEAST_PEAK), maps)
    share = (labels[:, :, 2] > 0).float().mean()
    return share * torch.stack(list(target.loss_terms(student, labels, None).values())).sum()


def full_weight(target: Target, params: MeanTeacherParams) -> float:
    """Weight of the disagreement after the ramp. With 50 labelled faces a weight of 3 on keypoints found 91.8 % of
    those of other faces, 1 found 93.8 %, and learning from the labelled faces alone 93.3 %."""
    if params.weight != "auto":
        return params.weight
    return 1.0 if target.task == "keypoints" else 3.0


def ramp(step: int, steps: int, share: float) -> float:
    """Part of the weight at a step, counted from 0: exp(-5 (1 - t)^2), where t rises from 0 to 1 over this share of the
    steps (Tarvainen and Valpola, NeurIPS 2017; Laine and Aila, ICLR 2017)."""
    done = min(step / max(share * steps, 1), 1.0)
    return math.exp(-5 * (1 - done) ** 2)
