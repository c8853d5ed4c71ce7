"""Learning from images without labels too: mean teacher (Tarvainen and Valpola, NeurIPS 2017).

The teacher is the moving average of the weights that the loop keeps anyway. The student sees an unlabelled image warped
and with other colours, the teacher with other colours alone; what the teacher gives is warped alike and compared, so
that both speak of the same places (as French et al., BMVC 2020, do for segmentation). Of keypoints, what the teacher
finds takes the place of labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from stages.common.cycle import Cycle
from stages.common.device import seeded
from stages.common.errors import UserError
from stages.common.tensors import to_images
from stages.common.warp import random_affine, warp_images
from stages.train.augment import jitter_colours
from stages.train.consistency import check_task, disagreement, full_weight, ramp
from stages.train.learner import Learner
from stages.train.params import TrainParams
from stages.train.targets.base import Target
from stages.train.training import LabelledData, SeedRun

POOL_STREAM, POOL_CYCLE = 11, 2


@dataclass(frozen=True)
class Views:
    """Unlabelled images (M, C, H, W), differently coloured: for the student also warped by maps (M, 2, 3)."""

    student: Tensor
    teacher: Tensor
    maps: Tensor


class MeanTeacher(Learner):
    """A network that also has to agree with the moving average of its weights."""

    def learn(self, step: int, images: Tensor, labels: Tensor, views: Views) -> Mapping[str, Tensor]:
        """One update by labelled and by unlabelled images; the terms of the loss by name, on the device."""
        assert self.average is not None
        self.module.train()
        outputs = self._forward(self.module, torch.cat([images, views.student]))
        with torch.no_grad():
            # In training mode, like the student: what its normalisation gathers is overwritten by the student's.
            taught = self._forward(self.average.train(), views.teacher)
        apart = disagreement(self.target, outputs[len(images) :], taught, views.maps)
        params = self.params.mean_teacher
        weight = full_weight(self.target, params) * ramp(step, self.params.steps, params.ramp)
        terms = self.target.loss_terms(outputs[: len(images)], labels, self.class_weights)
        return self._descend(step, {**terms, "consistency": weight * apart})


class MeanTeacherRun(SeedRun):
    """One seed in training; images of a pool (M, H, W, C) uint8 without labels join those of each batch.

    Raises UserError for a target without dense outputs, and where there is no moving average.
    """

    learner: MeanTeacher
    learner_class: ClassVar[type[Learner]] = MeanTeacher

    def __init__(
        self,
        target: Target,
        data: LabelledData,
        validation: LabelledData | None,
        params: TrainParams,
        seed: int,
        device: torch.device,
        pool: np.ndarray,
    ) -> None:
        check_task(target)
        if not params.ema:
            raise UserError(
                "params.yaml: train.ema: 0, but the recipe mean_teacher learns from the moving average of the weights; "
                "set it above 0, such as 0.98"
            )
        # Two, for the teacher normalises its batch by its own mean and deviation.
        self.unlabeled = max(round(params.batch * params.mean_teacher.unlabeled), 2)
        super().__init__(target, data, validation, params, seed, device)
        self.pool, self.rows = pool, Cycle(np.arange(len(pool)), seed, POOL_CYCLE)

    def _update(self, step: int) -> Mapping[str, Tensor]:
        return self.learner.learn(step, *self._batch(step), self._views(step))

    def _views(self, step: int) -> Views:
        rows, augment = self.rows.take(step * self.unlabeled, self.unlabeled), self.params.augment
        images = to_images(self.pool[rows]).to(self.device)
        generator = seeded(self.seed, POOL_STREAM, step)
        maps = random_affine(len(rows), (images.shape[2], images.shape[3]), augment, generator)
        student = jitter_colours(warp_images(images, maps), augment, generator)
        return Views(student, jitter_colours(images, augment, generator), maps)
