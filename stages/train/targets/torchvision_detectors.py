"""The detectors of torchvision, trained from scratch: SSD300 (Liu et al., 2016) and Faster R-CNN (Ren et al., 2015)."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from stages.train.targets.detection import DetectionTarget, padded
from stages.train.targets.torchvision_models import torchvision_part


@dataclass(frozen=True)
class Pending:
    """Images that wait for their labels: in training these detectors give losses, and no outputs.

    images: (N, 3, H, W).
    """

    network: nn.Module
    images: Tensor

    def losses(self, labels: Tensor) -> dict[str, Tensor]:
        """The terms of the loss by name. labels: (N, M, 5)."""
        found: dict[str, Tensor] = self.network(list(self.images), [_truth(rows) for rows in labels])
        return found


def _truth(rows: Tensor) -> dict[str, Tensor]:
    there = rows[rows[:, 4] >= 0]
    return {"boxes": there[:, :4], "labels": there[:, 4].long()}


class TorchvisionDetector(nn.Module):
    """Images (N, 1 or 3, H, W) to detections (N, most, 6); in training mode to `Pending`."""

    def __init__(self, network: nn.Module, most: int) -> None:
        super().__init__()
        self.network, self.most = network, most

    def forward(self, images: Tensor) -> Tensor | Pending:
        """The detections, best first; a grey image goes in as three equal channels."""
        images = images.expand(-1, 3, -1, -1)
        if self.training:
            return Pending(self.network, images)
        # In full precision, as in training: torchvision would compute boxes in bf16 too, whose steps are whole pixels.
        with torch.autocast(images.device.type, enabled=False):
            return padded([_rows(found) for found in self.network(list(images))], self.most, 6)


def _rows(found: dict[str, Tensor]) -> Tensor:
    columns = [found["boxes"], found["labels"][:, None], found["scores"][:, None]]
    return torch.cat([column.float() for column in columns], dim=1)


class TorchvisionTarget(DetectionTarget):
    """Detection by a network of torchvision."""

    loss_while_frozen = False
    builder = ""
    """What torchvision calls it."""
    exportable = False  # its non-maximum suppression asks how many boxes are left, which no trace can tell

    def build(self) -> nn.Module:
        """The network with fresh weights. Raises UserError when torchvision does not load."""
        build = getattr(torchvision_part("models.detection", self.name), self.builder)
        network = build(weights=None, weights_backbone=None, num_classes=len(self.spec.classes), **self.options())
        return TorchvisionDetector(network, self.params.detector.most)

    def options(self) -> dict[str, Any]:
        """What torchvision is told. Images come with values from -1 to 1, and nothing else is taken from them."""
        return {"image_mean": [0.0] * 3, "image_std": [1.0] * 3}

    def loss_terms(self, outputs: Pending, labels: Tensor, weights: Tensor | None) -> dict[str, Tensor]:
        """The terms as torchvision names them."""
        return outputs.losses(labels)

    def predict(self, outputs: Tensor) -> Tensor:
        """The detections as they are."""
        return outputs


class SSD300Target(TorchvisionTarget):
    """SSD300 on VGG-16; images are scaled to 300 x 300 pixels."""

    name = "ssd300"
    builder = "ssd300_vgg16"

    def options(self) -> dict[str, Any]:
        """Which detections it reports."""
        params = self.params.detector
        report = {
            "score_thresh": params.score_threshold,
            "nms_thresh": params.nms_iou,
            "detections_per_img": params.most,
        }
        return super().options() | report


class FasterRCNNTarget(TorchvisionTarget):
    """Faster R-CNN on ResNet-50 with a feature pyramid; images are scaled to `side` pixels."""

    name = "fasterrcnn"
    builder = "fasterrcnn_resnet50_fpn"

    def options(self) -> dict[str, Any]:
        """Which detections it reports, and the size that images are scaled to."""
        params, (height, width) = self.params.detector, self.spec.size
        longest = -(-params.side * max(height, width) // min(height, width))
        report = {
            "box_score_thresh": params.score_threshold,
            "box_nms_thresh": params.nms_iou,
            "box_detections_per_img": params.most,
        }
        return super().options() | report | {"min_size": params.side, "max_size": longest}
