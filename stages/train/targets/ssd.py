"""A small single-shot detector (SSD, Liu et al., ECCV 2016) for images of about 64 to 128 pixels."""

from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.errors import UserError
from stages.train.params import DetectorParams
from stages.train.targets.default_boxes import decode, default_boxes, encode, match
from stages.train.targets.detection import DetectionTarget, clip, padded

NEGATIVES = 3  # to each positive, as published
SMALLEST = 16
CANDIDATES = 400  # of a class and image, before overlapping ones are dropped


class SmallSSD(nn.Module):
    """Images (N, C, H, W) to (N, D, classes + 4): of each default box the class scores, the background first, and the
    offsets that `decode` takes."""

    def __init__(self, channels: int, classes: int, params: DetectorParams) -> None:
        super().__init__()
        width, self.outputs = params.width, classes + 4
        self.stem = nn.Sequential(_layer(channels, width, 1), _halving(width, width), _halving(width, 2 * width))
        further = [_halving(2 * width, 2 * width) for _ in params.scales[1:]]
        self.levels = nn.ModuleList([nn.Identity(), *further])
        boxes = len(params.aspects) + 1
        self.heads = nn.ModuleList(nn.Conv2d(2 * width, boxes * self.outputs, 3, padding=1) for _ in params.scales)

    def forward(self, images: Tensor) -> Tensor:
        """Scores and offsets, in the order of `default_boxes`."""
        features, found = self.stem(images), []
        for level, head in zip(self.levels, self.heads, strict=True):
            features = level(features)
            found.append(head(features).permute(0, 2, 3, 1).reshape(images.shape[0], -1, self.outputs))
        return torch.cat(found, dim=1)


def _layer(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def _halving(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(_layer(inputs, outputs, 2), _layer(outputs, outputs, 1))


class SmallSSDTarget(DetectionTarget):
    """Detection by the small SSD."""

    name = "ssd_small"

    def build(self) -> nn.Module:
        """The network with fresh weights. Raises UserError for images that are too small for its feature maps."""
        if min(self.spec.size) < SMALLEST:
            raise UserError(f"train.target {self.name}: images of {self.spec.size} pixels; it needs {SMALLEST} a side")
        return SmallSSD(self.spec.channels, len(self.spec.classes), self.params.detector)

    @cached_property
    def defaults(self) -> Tensor:
        """(D, 4) the default boxes, on the CPU."""
        params = self.params.detector
        return default_boxes(self.spec.size, params.scales, params.aspects)

    def loss_terms(self, outputs: Tensor, labels: Tensor, weights: Tensor | None) -> dict[str, Tensor]:
        """`classification` of the matched default boxes and of the hardest others, and `localisation` of the matched
        ones, both summed and divided by the number of matched boxes (equation 1 of the article)."""
        defaults = self.defaults.to(outputs.device)
        logits, offsets = outputs.float().split([len(self.spec.classes), 4], dim=2)
        owner = match(labels[:, :, :4], labels[:, :, 4] >= 0, defaults)
        found = owner >= 0
        boxes = labels.gather(1, owner.clamp(min=0)[:, :, None].expand(-1, -1, 5))
        classes = torch.where(found, boxes[:, :, 4], 0).long()
        costs = F.cross_entropy(
            logits.transpose(1, 2), classes, reduction="none", label_smoothing=self.params.label_smoothing
        )
        counted = found | hard_negatives(costs.detach(), found)
        # Only matched boxes are encoded: those that fill up have no area, and no logarithm.
        wanted = encode(boxes[found][:, :4], defaults.expand(len(labels), -1, -1)[found])
        count = found.sum().clamp(min=1)
        return {
            "classification": (costs * counted).sum() / count,
            "localisation": F.smooth_l1_loss(offsets[found], wanted, reduction="sum") / count,
        }

    def predict(self, outputs: Tensor) -> Tensor:
        """The boxes that are left when those of low scores and those that overlap better ones are dropped."""
        shares = outputs[:, :, :-4].float().softmax(dim=2)[:, :, 1:]
        boxes = clip(decode(outputs[:, :, -4:].float(), self.defaults.to(outputs.device)), self.spec.size)
        rows = [reported(some, share, self.params.detector) for some, share in zip(boxes, shares, strict=True)]
        return padded(rows, self.params.detector.most, 6)


def hard_negatives(costs: Tensor, found: Tensor) -> Tensor:
    """(N, D) bool: of each image, the costliest background boxes, three to each matched one.

    costs, found: (N, D). An image without an object counts as one with one match, or it would teach nothing.
    """
    wanted = NEGATIVES * found.sum(dim=1, keepdim=True).clamp(min=1)
    ranks = costs.masked_fill(found, -1.0).argsort(dim=1, descending=True).argsort(dim=1)
    return (ranks < wanted) & ~found


def reported(boxes: Tensor, shares: Tensor, params: DetectorParams) -> Tensor:
    """(K, 6) the detections of one image, best first. boxes: (D, 4). shares: (D, classes) without the background."""
    from torchvision.ops import batched_nms

    scores, places = shares.topk(min(CANDIDATES, len(shares)), dim=0)
    solid = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)[places]
    place, column = ((scores > params.score_threshold) & solid).nonzero(as_tuple=True)
    chosen, score = boxes[places[place, column]], scores[place, column]
    kept = batched_nms(chosen, score, column, params.nms_iou)[: params.most]
    return torch.cat([chosen[kept], (column[kept] + 1.0)[:, None], score[kept, None]], dim=1)
