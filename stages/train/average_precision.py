"""Average precision of detections.

Detections are rows (D, 6): left, top, right, bottom, class id, score; true boxes are rows (G, 5) without the score. A
row with class -1 fills a tensor up and does not count. A true box of class -1 - c is an ignored one of class c: it need
not be found, and finding it is no error (VOC's difficult objects, COCO's crowds).
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from stages.common.errors import UserError

VOC_IOU = 0.5
VOC_LEVELS = np.linspace(0, 1, 11)
COCO_IOUS = np.linspace(0.5, 0.95, 10)
COCO_LEVELS = np.linspace(0, 1, 101)
ROUNDING = 1e-9


def detection_scores(predictions: Tensor, labels: Tensor, classes: Sequence[str]) -> dict[str, float]:
    """`map`, `map_50` and `map/<class>` as COCO has them, and `voc07_ap`, pooled over the images.

    predictions: (N, D, 6). labels: (N, G, 5). A class without a true box is left out. Raises UserError when there is
    no true box at all.
    """
    truths, passed = [present(rows) for rows in labels], [ignored(rows) for rows in labels]
    if not sum(map(len, truths)):
        raise UserError(
            "no image has a box to score against; label some in the annotations.json of val/ and test/, or set "
            "prepare.val to 0"
        )
    found = [present(rows) for rows in predictions]
    return coco_scores(found, truths, classes, passed) | {"voc07_ap": voc07_ap(found, truths, passed)}


def present(rows: Tensor) -> Tensor:
    """The rows that are boxes."""
    return rows[rows[:, 4] >= 0]


def ignored(rows: Tensor) -> Tensor:
    """The ignored boxes, with the class ids that they are of."""
    return flipped(rows[rows[:, 4] < -1])


def flipped(rows: Tensor) -> Tensor:
    """Rows with class c as rows with class -1 - c, and back: how ignored boxes are told from the others."""
    return torch.cat([rows[:, :4], -1 - rows[:, 4:5], rows[:, 5:]], dim=1)


def coco_scores(
    found: Sequence[Tensor], truths: Sequence[Tensor], classes: Sequence[str], passed: Sequence[Tensor] | None = None
) -> dict[str, float]:
    """Mean average precision at IoU 0.5 to 0.95 (`map`), at 0.5 (`map_50`), and of each class (`map/<class>`).

    found, truths, passed: rows of each image; the last are the ignored boxes, to which COCO's rule for crowds applies:
    a detection that is wrong otherwise does not count when enough of its own area lies in one of them.
    """
    from torchmetrics.detection import MeanAveragePrecision

    metric = MeanAveragePrecision(class_metrics=True, backend="pycocotools")
    metric.warn_on_many_detections = False
    predicted = [{**_boxes_of(rows), "scores": rows[:, 5]} for rows in found]
    nothing = [rows[:0] for rows in truths]
    metric.update(predicted, [_truth_of(*pair) for pair in zip(truths, passed or nothing, strict=True)])
    result = metric.compute()
    ids, values = (result[name].reshape(-1).tolist() for name in ("classes", "map_per_class"))
    by_class = {f"map/{classes[i]}": float(v) for i, v in zip(ids, values, strict=True) if v >= 0}
    return {"map": float(result["map"]), "map_50": float(result["map_50"]), **by_class}


def _boxes_of(rows: Tensor) -> dict[str, Tensor]:
    return {"boxes": rows[:, :4], "labels": rows[:, 4].long()}


def _truth_of(counted: Tensor, passed: Tensor) -> dict[str, Tensor]:
    crowd = torch.cat([torch.zeros(len(counted)), torch.ones(len(passed))]).long()
    return {**_boxes_of(torch.cat([counted, passed])), "iscrowd": crowd}


def voc07_ap(found: Sequence[Tensor], truths: Sequence[Tensor], passed: Sequence[Tensor] | None = None) -> float:
    """Mean over the classes of the 11-point average precision at IoU 0.5 (PASCAL VOC 2007).

    A detection counts as right when the true box that it overlaps most is of its class, overlaps by half or more, and
    was not found by a detection of a higher score. It does not count when that box is an ignored one, in `passed`.
    Sides are lengths, not counts of pixels.
    """
    ids = sorted({int(i) for rows in truths for i in rows[:, 4].tolist()})
    images = list(zip(found, truths, passed or [rows[:0] for rows in truths], strict=True))
    return float(np.mean([_voc07_ap_of(index, images) for index in ids]))


def _voc07_ap_of(index: int, images: Sequence[tuple[Tensor, Tensor, Tensor]]) -> float:
    hits, scores, positives = [], [], 0
    for rows in images:
        found, truth, passed = (_of_class(some, index) for some in rows)
        overlap = overlaps(found, torch.cat([truth, passed]))
        counts = ~voc_excused(overlap, len(truth))
        hits.append(voc_hits(overlap)[counts])
        scores.append(found[:, 5].numpy()[counts])
        positives += len(truth)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return interpolated(np.concatenate(hits)[order], positives, VOC_LEVELS)


def _of_class(rows: Tensor, index: int) -> Tensor:
    """The rows of a class, those with a score from the highest one down."""
    chosen = rows[rows[:, 4] == index]
    return chosen[chosen[:, 5].argsort(descending=True, stable=True)] if chosen.shape[1] > 5 else chosen


def overlaps(found: Tensor, truth: Tensor) -> np.ndarray:
    """(D, G) intersection over union."""
    from torchvision.ops import box_iou

    return box_iou(found[:, :4].double(), truth[:, :4].double()).numpy()


def voc_hits(overlap: np.ndarray) -> np.ndarray:
    """(D,) bool: the right detections of one image and class. overlap: (D, G), from the highest score down."""
    hits = np.zeros(len(overlap), bool)
    if overlap.size:
        best = overlap.argmax(axis=1)
        close = np.flatnonzero(overlap.max(axis=1) >= VOC_IOU)
        hits[close[np.unique(best[close], return_index=True)[1]]] = True
    return hits


def voc_excused(overlap: np.ndarray, counted: int) -> np.ndarray:
    """(D,) bool: the detections of one image and class that found a box behind the first `counted`, an ignored one."""
    if not overlap.size:
        return np.zeros(len(overlap), bool)
    return (overlap.max(axis=1) >= VOC_IOU) & (overlap.argmax(axis=1) >= counted)


def coco_hits(overlap: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """(T, D) bool: the right detections of one image and class at each threshold of IoU.

    overlap: (D, G), from the highest score down. Each detection takes, of the true boxes that are still free, the one
    that it overlaps most (the rule of COCO).
    """
    hits = np.zeros((len(thresholds), len(overlap)), bool)
    free = np.ones((len(thresholds), overlap.shape[1]), bool)
    for number, row in enumerate(overlap if overlap.size else ()):
        candidates = np.where(free, row, -1)
        best = candidates.argmax(axis=1)
        hits[:, number] = candidates.max(axis=1) >= thresholds
        free[hits[:, number], best[hits[:, number]]] = False
    return hits


def interpolated(hits: np.ndarray, positives: int, levels: np.ndarray) -> float:
    """Mean over levels of recall of the best precision at that recall or above.

    hits: (D,) bool, from the highest score down. positives: true boxes. levels: (L,) from 0 to 1.
    """
    right = np.cumsum(hits)
    precision, recall = right / np.arange(1, len(hits) + 1), right / positives
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(best[np.searchsorted(recall, levels - ROUNDING)].mean())


def image_maps(predictions: Tensor, labels: Tensor) -> np.ndarray:
    """(N,) mean average precision of each image alone, by the rules of COCO; nan for one without a true box.

    Apart from `coco_scores`, which takes milliseconds for each image.
    """
    pairs = zip(predictions, labels, strict=True)
    return np.array([_image_map(present(found), present(truth), ignored(truth)) for found, truth in pairs])


def _image_map(found: Tensor, truth: Tensor, passed: Tensor) -> float:
    values = []
    for index in torch.unique(truth[:, 4]).int().tolist():
        detected, real, crowds = (_of_class(rows, index) for rows in (found, truth, passed))
        hits = coco_hits(overlaps(detected, real), COCO_IOUS)
        counts = hits | (shares(detected, crowds).max(axis=1, initial=0.0) < COCO_IOUS[:, None])
        values.append(
            np.mean([interpolated(row[kept], len(real), COCO_LEVELS) for row, kept in zip(hits, counts, strict=True)])
        )
    return float(np.mean(values)) if values else float("nan")


def shares(found: Tensor, crowds: Tensor) -> np.ndarray:
    """(D, G) how much of the area of each detection lies in each box."""
    boxes, others = found[:, None, :4].double(), crowds[None, :, :4].double()
    first, last = torch.maximum(boxes[..., :2], others[..., :2]), torch.minimum(boxes[..., 2:], others[..., 2:])
    shared, areas = (last - first).clamp(min=0).prod(dim=2), (boxes[..., 2:] - boxes[..., :2]).prod(dim=2)
    return (shared / areas.clamp(min=1e-12)).numpy()
