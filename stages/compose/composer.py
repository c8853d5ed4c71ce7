"""Whole composites from a bank of cut-outs and backgrounds, with whatever places the objects."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from stages.common.device import seeded
from stages.common.samples import SampleSet
from stages.common.tensors import ImageBank, to_arrays
from stages.compose.blending import blend, bordered_each
from stages.compose.cutouts import ObjectBank
from stages.compose.params import ComposeParams
from stages.compose.pasting import Canvas, Objects, fitted, paste, warped
from stages.compose.placers import Place, place_randomly


@dataclass(frozen=True)
class Composer:
    """Knows the cut-outs, the backgrounds and the params; what it makes is a function of the generator it is given."""

    objects: ObjectBank
    backgrounds: ImageBank
    params: ComposeParams

    def compose(self, place: Place, count: int, generator: torch.Generator, offline: bool = False) -> Canvas:
        """`count` composites, differentiable in the placement of the last object. offline: with poisson borders too."""
        canvas = Canvas.empty(self.with_artefacts(self._backgrounds(count, generator), generator))
        numbers = torch.randint(self.params.objects[0], self.params.objects[1] + 1, (count,), generator=generator)
        most = int(numbers.max())
        for index in range(most):
            # Images with few objects start late: the last round has one for each, and is the differentiable one.
            objects = self._objects(index >= most - numbers, generator)
            with torch.set_grad_enabled(torch.is_grad_enabled() and index == most - 1):
                canvas = self._add(canvas, objects, place, generator, offline)
        return canvas

    def _add(self, before: Canvas, objects: Objects, place: Place, generator: torch.Generator, offline: bool) -> Canvas:
        choices = self._borders(len(objects), generator)
        # A generator of their own: the pairs stay the same whatever a placer draws.
        placements = place(before.images, objects, seeded(int(torch.randint(2**40, (1,), generator=generator))))
        after = paste(before, objects, placements, choices, self.params)
        if not offline or "poisson" not in self.params.blends:
            return after
        rows = torch.nonzero(choices == self.params.blends.index("poisson"))[:, 0]
        return fitted(before, after, objects, placements, rows, self.params)

    def with_artefacts(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Images (N, C, H, W), a share of them with a piece of another background pasted in the shape of an object: a
        border without an object behind it (Tripathi et al., CVPR 2019)."""
        chosen = torch.rand(len(images), generator=generator) < self.params.artefacts
        if not self.params.artefacts:
            return images
        objects = self._objects(chosen, generator)
        alpha = warped(objects, place_randomly(images, objects, generator), self.params)[1]
        choices = self._borders(len(images), generator)
        shown = bordered_each(alpha, self.params.blends, choices, self.params.softness)
        return blend(images, self._backgrounds(len(images), generator), shown)

    def _backgrounds(self, count: int, generator: torch.Generator) -> Tensor:
        return self.backgrounds[torch.randint(len(self.backgrounds), (count,), generator=generator)]

    def _objects(self, active: Tensor, generator: torch.Generator) -> Objects:
        """Random cut-outs, invisible where not active (N,)."""
        rows = torch.randint(len(self.objects), (len(active),), generator=generator)
        objects = self.objects.take(rows)
        return replace(objects, alpha=objects.alpha * active.to(objects.alpha)[:, None, None])

    def _borders(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.randint(len(self.params.blends), (count,), generator=generator)


def as_samples(canvas: Canvas) -> SampleSet:
    """The composites as a labelled set: masks, boxes, depth, and class and keypoints of each image's last object."""
    keys = [f"composite-{row}" for row in range(len(canvas.images))]
    index = pd.DataFrame({"key": keys, "class_id": canvas.class_ids[:, -1].cpu().numpy()})
    boxes = tuple(found.cpu().numpy().astype(np.float32) for found in canvas.boxes())
    keypoints = None if canvas.keypoints is None else _array(canvas.keypoints[:, -1])
    depth = None if canvas.depth is None else _array(canvas.depth)
    return SampleSet(to_arrays(canvas.images), canvas.masks().cpu().numpy(), index, keypoints, depth, boxes=boxes)


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy().astype(np.float32)
