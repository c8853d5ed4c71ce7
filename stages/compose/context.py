"""Where objects of a class stand, learnt from labelled images (after Dvornik et al., ECCV 2018).

A network sees an image with a box blanked and says which object belongs there, if any.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.device import seeded
from stages.common.errors import UserError
from stages.common.masks import regions
from stages.common.samples import SampleSet
from stages.common.tensors import to_images
from stages.compose.params import ComposeParams, ContextParams
from stages.compose.pasting import Objects
from stages.compose.placement import placed_boxes, random_placements

START_STREAM, ORDER_STREAM = 76, 77
NOTHING = 0
FAR = 0.3


class ContextModel(nn.Module):
    """Images (N, C, H, W) and boxes (N, 4) in pixels to scores (N, classes) of what stands in the box; 0 = nothing.

    A second box is blanked too. In training one of both hides an object: were only that one blanked, an object seen
    elsewhere would say that the box holds none, and nothing would be learnt about places.
    """

    def __init__(self, channels: int, classes: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((channels + 1, width), (width, 2 * width), (2 * width, 4 * width)):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.scores = nn.Linear(64 * width, classes)

    def forward(self, images: Tensor, boxes: Tensor, others: Tensor) -> Tensor:
        """The scores before the softmax; what the boxes and the others (N, 4) hold is not seen."""
        asked, blank = (box_maps(found, (images.shape[2], images.shape[3]))[:, None] for found in (boxes, others))
        seen = images * (1 - torch.maximum(asked, blank))
        scores: Tensor = self.scores(self.features(torch.cat([seen, asked], dim=1)))
        return scores


def box_maps(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, H, W), 1 in the box and 0 outside."""
    rows, columns = (torch.arange(side, device=boxes.device) + 0.5 for side in size)
    across = (columns >= boxes[:, 0, None]) & (columns <= boxes[:, 2, None])
    down = (rows >= boxes[:, 1, None]) & (rows <= boxes[:, 3, None])
    return (down[:, :, None] & across[:, None, :]).float()


@dataclass(frozen=True)
class Examples:
    """Labelled boxes: image (M,) row, boxes (M, 4) in pixels, class_ids (M,)."""

    image: Tensor
    boxes: Tensor
    class_ids: Tensor


def examples_of(samples: SampleSet) -> Examples:
    """The objects of a set, from its boxes or else its masks. Raises UserError when it has neither."""
    rows = [(image, *box) for image, found in enumerate(_boxes(samples)) for box in found]
    if not rows:
        raise UserError("compose.placer: context learns from the boxes or masks of labelled images, and there are none")
    table = torch.tensor(rows, dtype=torch.float32)
    return Examples(table[:, 0].long(), table[:, 1:5], table[:, 5].long())


def has_objects(samples: SampleSet) -> bool:
    """Whether `train_context` can learn from a set."""
    return any(_boxes(samples))


def _boxes(samples: SampleSet) -> Iterator[list[tuple[float, ...]]]:
    if samples.boxes is not None:
        yield from ([tuple(map(float, box)) for box in found] for found in samples.boxes)
    elif samples.masks is not None:
        yield from (list(_mask_boxes(mask)) for mask in samples.masks)


def _mask_boxes(mask: np.ndarray) -> Iterator[tuple[float, ...]]:
    for index, region in regions(mask):
        rows, columns = np.nonzero(region)
        yield float(columns.min()), float(rows.min()), columns.max() + 1.0, rows.max() + 1.0, float(index)


def train_context(
    samples: SampleSet, classes: int, params: ContextParams, seed: int, device: torch.device
) -> ContextModel:
    """A fresh model. Every image of a batch has an object and the same box moved elsewhere blanked; half of the batch
    asks about the one, half about the other."""
    examples, size = examples_of(samples), samples.images.shape[1:3]
    torch.manual_seed(seeded(seed, START_STREAM).initial_seed())
    model = ContextModel(samples.images.shape[3], classes, params.width).to(device)
    optimiser = torch.optim.Adam(model.parameters(), params.learning_rate)
    for step in range(params.steps):
        generator = seeded(seed, ORDER_STREAM, step)
        rows = torch.randint(len(examples.image), (params.batch,), generator=generator)
        objects, labels = examples.boxes[rows], examples.class_ids[rows]
        elsewhere = moved(objects, (size[0], size[1]), generator)
        empty = clear_of(elsewhere, examples, examples.image[rows])
        away = (torch.arange(params.batch) < params.batch // 2) & empty
        asked = torch.where(away[:, None], elsewhere, objects)
        others = torch.where(away[:, None], objects, elsewhere)
        images = to_images(samples.images[examples.image[rows].numpy()]).to(device)
        labels = torch.where(away, NOTHING, labels)
        loss = F.cross_entropy(model(images, asked.to(device), others.to(device)), labels.to(device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return model.eval()


def moved(boxes: Tensor, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Boxes (N, 4) at random places of an image of `size` (height, width), inside of it."""
    sides = boxes[:, 2:] - boxes[:, :2]
    free = (torch.tensor([size[1], size[0]]) - sides).clamp(min=0)
    corner = torch.rand(len(boxes), 2, generator=generator) * free
    return torch.cat([corner, corner + sides], dim=1)


def clear_of(boxes: Tensor, examples: Examples, images: Tensor) -> Tensor:
    """(N,) whether boxes (N, 4) overlap every labelled object of their images (N,) by less than FAR."""
    shared = [overlap(examples.boxes, box.expand_as(examples.boxes)) for box in boxes]
    same = examples.image[None, :] == images[:, None]
    return ~((torch.stack(shared) >= FAR) & same).any(dim=1)


def overlap(first: Tensor, second: Tensor) -> Tensor:
    """(N,) intersection over union of boxes (N, 4), pair by pair."""
    sides = (torch.minimum(first[:, 2:], second[:, 2:]) - torch.maximum(first[:, :2], second[:, :2])).clamp(min=0)
    shared = sides.prod(dim=1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(dim=1) for boxes in (first, second)]
    return shared / (areas[0] + areas[1] - shared)


@dataclass(frozen=True)
class ContextPlacer:
    """Draws one of several evenly drawn placements by the model's probability of the object's class there."""

    model: ContextModel
    params: ComposeParams

    @torch.no_grad()
    def __call__(self, backgrounds: Tensor, objects: Objects, generator: torch.Generator) -> Tensor:
        """Placements (N, 6) in [-1, 1]."""
        size, count = (backgrounds.shape[2], backgrounds.shape[3]), self.params.context.candidates
        tries = [random_placements(len(objects), generator).to(backgrounds.device) for _ in range(count + 1)]
        boxes = [placed_boxes(placements, objects.boxes, size, self.params.placement) for placements in tries]
        chances = []
        for asked, other in itertools.pairwise(boxes):
            scores = self.model(backgrounds, asked, other).softmax(dim=1)
            chances.append(scores.gather(1, objects.class_ids[:, None])[:, 0])
        shares = torch.stack(chances, dim=1).cpu() + 1e-9
        chosen = torch.multinomial(shares, 1, generator=generator)[:, 0].to(backgrounds.device)
        return torch.stack(tries, dim=1)[torch.arange(len(objects), device=chosen.device), chosen]
