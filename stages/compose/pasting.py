"""Objects on backgrounds, with the labels that follow: one pasting is differentiable in the placement."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stages.common.tensors import to_arrays, to_images
from stages.common.warp import in_frame, warp_depth, warp_points
from stages.compose.blending import blend, bordered_each, poisson
from stages.compose.params import ComposeParams
from stages.compose.placement import affine_maps, boxes_of, placed_boxes

VISIBLE = 0.5
HIDDEN = 1.0  # visibility of a keypoint: known, but something is in front of it
FLAT = 16  # of 255: an object whose values differ by no more has no gradients to speak of


@dataclass(frozen=True)
class Objects:
    """Cut-outs: images (N, C, H, W) in [-1, 1], alpha (N, H, W) in [0, 1], class_ids (N,) from 1, the boxes (N, 4) of
    their alpha in pixels, and keypoints (N, K, 3) and depth (N, H, W) as in `stages.common.samples`, where there are
    any."""

    images: Tensor
    alpha: Tensor
    class_ids: Tensor
    boxes: Tensor
    keypoints: Tensor | None = None
    depth: Tensor | None = None

    @staticmethod
    def of(images: Tensor, alpha: Tensor, class_ids: Tensor, keypoints: Tensor | None = None) -> "Objects":
        """With the boxes of where alpha reaches a half."""
        return Objects(images, alpha, class_ids, boxes_of(alpha, VISIBLE), keypoints)

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: Tensor) -> "Objects":
        """Some of them, in the order of rows (M,)."""
        keypoints, depth = (None if label is None else label[rows] for label in (self.keypoints, self.depth))
        return Objects(self.images[rows], self.alpha[rows], self.class_ids[rows], self.boxes[rows], keypoints, depth)


@dataclass(frozen=True)
class Canvas:
    """Composites in the making.

    images: (N, C, H, W). owner: (N, H, W) int64, the object that each pixel shows, counted from 1 in the order of
    pasting; 0 = background. areas: (N, K) pixels of each object before others covered it. class_ids: (N, K), 0 where an
    object was left out. keypoints: (N, K, P, 3) of each object, where there are any: visibility 0 (unknown) outside of
    the frame, 1 (hidden) at most where a later object covers them. opacity: (N, H, W) of the last object; placed:
    (N, 4) the box in pixels that its turned and scaled box takes. Both are differentiable in its placement. depth:
    (N, H, W) of the objects that have one, 0 = unknown, as where the background is seen.
    """

    images: Tensor
    owner: Tensor
    areas: Tensor
    class_ids: Tensor
    keypoints: Tensor | None = None
    opacity: Tensor | None = None
    placed: Tensor | None = None
    depth: Tensor | None = None

    @staticmethod
    def empty(backgrounds: Tensor) -> "Canvas":
        """Backgrounds (N, C, H, W) without an object."""
        count, _, height, width = backgrounds.shape
        nothing = torch.zeros(count, 0, dtype=torch.long, device=backgrounds.device)
        owner = torch.zeros(count, height, width, dtype=torch.long, device=backgrounds.device)
        return Canvas(backgrounds, owner, nothing, nothing)

    def masks(self) -> Tensor:
        """(N, H, W) uint8 class ids, 0 = background."""
        table = F.pad(self.class_ids, (1, 0))
        return table.gather(1, self.owner.flatten(1)).view_as(self.owner).to(torch.uint8)

    def boxes(self) -> list[Tensor]:
        """(K, 5) float32 of each image: the tight boxes of what is visible of its objects, and their classes."""
        found = []
        for owner, classes in zip(self.owner, self.class_ids, strict=True):
            numbers = torch.arange(1, len(classes) + 1, device=owner.device)[classes > 0]
            alone = owner[None] == numbers[:, None, None]
            seen = alone.flatten(1).any(dim=1)
            labels = classes[classes > 0][seen, None].float()
            found.append(torch.cat([boxes_of(alone[seen].float()), labels], dim=1))
        return found


def warped(objects: Objects, placements: Tensor, params: ComposeParams) -> tuple[Tensor, Tensor]:
    """Images (N, C, H, W) and alpha (N, H, W) of the objects where placements (N, 6) in [-1, 1] put them."""
    grid = F.affine_grid(_maps(objects, placements, params), list(objects.images.shape), align_corners=False)
    images = F.grid_sample(objects.images, grid, "bilinear", "border", align_corners=False)
    alpha = F.grid_sample(objects.alpha[:, None], grid, "bilinear", "zeros", align_corners=False)[:, 0]
    return images, alpha.clamp(0, 1)


def _maps(objects: Objects, placements: Tensor, params: ComposeParams) -> Tensor:
    size = (objects.images.shape[2], objects.images.shape[3])
    return affine_maps(placements, objects.boxes, size, params.placement)


def paste(canvas: Canvas, objects: Objects, placements: Tensor, choices: Tensor, params: ComposeParams) -> Canvas:
    """The canvas with one more object on each image. Where it would hide too much of an earlier one, or is not seen, it
    is left out: its class is 0 then.

    placements: (N, 6) in [-1, 1]. choices: (N,) index into `blends` of the params.
    """
    images, alpha = warped(objects, placements, params)
    # A faint object is where it is most opaque; else it would be pasted without a label.
    peak = alpha.flatten(1).amax(dim=1).clamp(min=1e-3, max=VISIBLE)
    seen = alpha >= peak[:, None, None]
    kept = _leaves_visible(canvas, seen, params.min_visible) & seen.flatten(1).any(dim=1)
    shown = bordered_each(alpha, params.blends, choices, params.softness) * kept[:, None, None]
    number, seen = canvas.class_ids.shape[1] + 1, seen & kept[:, None, None]
    return Canvas(
        blend(canvas.images, images, shown),
        torch.where(seen, number, canvas.owner),
        torch.cat([canvas.areas, seen.flatten(1).sum(dim=1)[:, None]], dim=1),
        torch.cat([canvas.class_ids, (objects.class_ids * kept)[:, None]], dim=1),
        _keypoints(canvas.keypoints, objects, placements, seen, params),
        alpha * kept[:, None, None],
        placed_boxes(placements, objects.boxes, (images.shape[2], images.shape[3]), params.placement),
        _depth(canvas.depth, objects, placements, seen, params),
    )


def _depth(
    before: Tensor | None, objects: Objects, placements: Tensor, seen: Tensor, params: ComposeParams
) -> Tensor | None:
    """`before`, and where the objects are seen (N, H, W) their own depth."""
    if objects.depth is None:
        return None
    own = warp_depth(objects.depth, _maps(objects, placements, params))
    return torch.where(seen, own, torch.zeros_like(own) if before is None else before)


def _keypoints(
    before: Tensor | None, objects: Objects, placements: Tensor, seen: Tensor, params: ComposeParams
) -> Tensor | None:
    """`before`, hidden where the objects are seen (N, H, W), and behind it the objects' own keypoints."""
    if objects.keypoints is None:
        return None
    size = (seen.shape[1], seen.shape[2])
    places = warp_points(objects.keypoints[:, :, :2], _maps(objects, placements, params), size)
    there = in_frame(places, size) & seen.flatten(1).any(dim=1)[:, None]
    own = torch.cat([places, (objects.keypoints[:, :, 2] * there)[:, :, None]], dim=2)[:, None]
    return own if before is None else torch.cat([_hidden(before, seen), own], dim=1)


def _hidden(keypoints: Tensor, over: Tensor) -> Tensor:
    """Keypoints (N, K, P, 3), at most hidden where `over` (N, H, W) is true."""
    limits = keypoints.new_tensor([over.shape[2], over.shape[1]]) - 1
    pixels = keypoints[..., :2].nan_to_num().round().clamp(min=keypoints.new_zeros(2), max=limits).long()
    images = torch.arange(len(over), device=over.device)[:, None, None]
    covered = over[images, pixels[..., 1], pixels[..., 0]]
    visibility = torch.where(covered, keypoints[..., 2].clamp(max=HIDDEN), keypoints[..., 2])
    return torch.cat([keypoints[..., :2], visibility[..., None]], dim=-1)


def _leaves_visible(canvas: Canvas, seen: Tensor, least: float) -> Tensor:
    """(N,) whether every earlier object keeps at least this share of its pixels uncovered."""
    kept = torch.ones(len(seen), dtype=torch.bool, device=seen.device)
    for index in range(canvas.class_ids.shape[1]):
        left = ((canvas.owner == index + 1) & ~seen).flatten(1).sum(dim=1)
        kept &= (left >= least * canvas.areas[:, index]) | (canvas.class_ids[:, index] == 0)
    return kept


def fitted(
    before: Canvas, after: Canvas, objects: Objects, placements: Tensor, rows: Tensor, params: ComposeParams
) -> Canvas:
    """`after`, with the last object of these rows (M,) fitted by its gradients; not differentiable.

    An object of one colour stays as it was pasted: without gradients, nothing of it would be left.
    """
    images = warped(objects, placements, params)[0]
    result, last = after.images.clone(), after.class_ids.shape[1]
    outer, inner = to_arrays(before.images), to_arrays(images)
    for row in rows.tolist():
        inside = (after.owner[row] == last).cpu().numpy()
        if inside.any() and np.ptp(inner[row][inside], axis=0).max() > FLAT:
            result[row] = to_images(poisson(outer[row], inner[row], inside)[None])[0].to(result)
    return replace(after, images=result)
