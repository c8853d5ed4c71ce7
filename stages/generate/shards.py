"""Drawing a large set in pieces: each piece is a file in the work folder, so that a killed run goes on.

Drawing comes first, for the share to drop is known only when all scores are; then the kept samples are written.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stages.common.masks import main_class
from stages.common.paths import write_atomically
from stages.common.samples import Sample
from stages.generate.params import GenerateParams
from stages.generate.sampling import Drawn, draw
from stages.invert.latents import LatentSource
from stages.label.labelling import LabelGenerator

FIELDS = ("numbers", "images", "labels", "scores")


def piece_path(folder: Path, piece: int) -> Path:
    """Where a piece of the drawing lies."""
    return folder / f"piece-{piece:06d}.npz"


def piece_numbers(piece: int, count: int, size: int) -> range:
    """The sample numbers of a piece."""
    return range(piece * size, min((piece + 1) * size, count))


def draw_pieces(
    labeler: LabelGenerator,
    source: LatentSource,
    params: GenerateParams,
    count: int,
    folder: Path,
    mine: range,
    on_piece: Callable[[int], None],
) -> None:
    """Draw the pieces of `mine` (rank-strided) that are not there yet."""
    for piece in mine:
        path = piece_path(folder, piece)
        if not path.is_file():
            batches = list(draw(labeler, source, piece_numbers(piece, count, params.shard_size), params))
            _save_piece(path, batches)
        on_piece(piece)


def _save_piece(path: Path, batches: list[Drawn]) -> None:
    import io

    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.concatenate([getattr(b, name) for b in batches]) for name in FIELDS})  # type: ignore[arg-type]
    write_atomically(path, buffer.getvalue())


def read_scores(folder: Path, pieces: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """The score and the class of all samples, by number: the main one of a mask; one for all without classes."""
    scores, classes = [], []
    for piece in range(pieces):
        with np.load(piece_path(folder, piece)) as content:
            scores.append(content["scores"])
            classes += [class_of(label, kind) for label in content["labels"]]
    return np.concatenate(scores), np.array(classes)


def class_of(label: np.ndarray, kind: str) -> int:
    """What a sample counts as when each class loses its share: 0 for labels without classes."""
    if kind == "class_id":
        return int(label)
    return main_class(label) if kind == "mask" else 0


def kept_samples(
    folder: Path, pieces: int, keep: np.ndarray, limit: int, kind: str, facts: dict[str, str | int]
) -> Iterator[Sample]:
    """The kept samples in the order of their numbers, at most `limit`, with labels of this kind; `facts` go to every
    row."""
    written = 0
    for piece in range(pieces):
        with np.load(piece_path(folder, piece)) as content:
            numbers, images, labels, scores = (content[name] for name in FIELDS)
        for number, image, label, score in zip(numbers, images, labels, scores, strict=True):
            if keep[number] and written < limit:
                written += 1
                own = {"source_id": f"latent-{int(number):08d}", "uncertainty": float(score)}
                made: dict[str, Any] = {kind: int(label) if kind == "class_id" else label}
                yield Sample(f"{facts['recipe']}-{int(number):08d}", image, facts={**facts, **own}, **made)
