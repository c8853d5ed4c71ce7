"""Many cut-outs, kept as bytes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from stages.common.tensors import ImageBank
from stages.compose.pasting import VISIBLE, Objects
from stages.compose.placement import boxes_of

PART = 256


@dataclass(frozen=True)
class ObjectBank:
    """Cut-outs as bytes in main memory; those that are taken go to the device as floats.

    images: an ImageBank of N. alpha: (N, H, W) uint8. class_ids, boxes, keypoints, depth: as in `Objects`, on the CPU.
    As floats, 5,000 cut-outs of 300 x 300 would take 7 GB of a GPU, as bytes they take 1.8 GB of main memory.
    """

    images: ImageBank
    alpha: Tensor
    class_ids: Tensor
    boxes: Tensor
    keypoints: Tensor | None = None
    depth: Tensor | None = None

    @staticmethod
    def of(
        images: ImageBank,
        alpha: Tensor,
        class_ids: Tensor,
        keypoints: Tensor | None = None,
        depth: Tensor | None = None,
    ) -> "ObjectBank":
        """With the boxes of where alpha reaches a half."""
        boxes = torch.cat([boxes_of(_share(part), VISIBLE) for part in alpha.split(PART)])
        return ObjectBank(images, alpha, class_ids, boxes, keypoints, depth)

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: Tensor) -> Objects:
        """Some of them on the device, in the order of rows (M,), which lie on the CPU."""
        device = self.images.device
        class_ids, boxes = self.class_ids[rows].to(device), self.boxes[rows].to(device)
        labels = (None if label is None else label[rows].to(device) for label in (self.keypoints, self.depth))
        return Objects(self.images[rows], _share(self.alpha[rows].to(device)), class_ids, boxes, *labels)


def _share(alpha: Tensor) -> Tensor:
    return alpha.float().div(255)
