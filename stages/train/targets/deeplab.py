"""DeepLab-V3 (Chen et al., 2017) from torchvision, trained from scratch, for images of 128 pixels and more."""

from torch import Tensor, nn

from stages.train.targets.segmentation import SegmentationTarget
from stages.train.targets.torchvision_models import torchvision_part


class DeepLab(nn.Module):
    """Images (N, 1 or 3, H, W) to class scores (N, classes, H, W). Training needs two images or more a batch."""

    def __init__(self, classes: int, backbone: str) -> None:
        super().__init__()
        segmentation = torchvision_part("models.segmentation", "deeplabv3", "unet")
        build = getattr(segmentation, f"deeplabv3_{backbone}")
        self.network = build(weights=None, weights_backbone=None, num_classes=classes)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores before the softmax; a grey image goes in as three equal channels."""
        scores: Tensor = self.network(images.expand(-1, 3, -1, -1))["out"]
        return scores


class DeepLabTarget(SegmentationTarget):
    """Segmentation by DeepLab-V3."""

    name = "deeplabv3"

    def build(self) -> nn.Module:
        """The network with fresh weights. Raises UserError when torchvision does not load."""
        return DeepLab(len(self.spec.classes), self.params.deeplab.backbone)
