"""Random masks, and what the tools give back of what they were given."""

import json
from pathlib import Path

import numpy as np
from scipy import ndimage

from stages.common.exchange import Annotated

CLASSES = ("background", "head", "left hand", "tail")
SIZE = (37, 53)


def random_mask(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Blobs that touch each other and the border, a ring with a spot in its hole, single pixels, ignored ones."""
    rng = np.random.default_rng(seed)
    mask = ndimage.gaussian_filter(rng.normal(size=(len(CLASSES), *size)), (0, 3, 3)).argmax(0).astype(np.uint8)
    mask[8:20, 10:24] = 1
    mask[11:17, 13:21] = 0
    mask[14, 17] = 2
    mask[0, 0], mask[-1, -1], mask[0, -1] = 2, 3, 0
    mask[rng.integers(0, size[0], 9), rng.integers(0, size[1], 9)] = rng.integers(0, len(CLASSES), 9)
    mask[25:27, 30:34] = 255
    return mask


def items(count: int = 3) -> list[Annotated]:
    """Images with masks, one of a single pixel, and one without a mask."""
    lone = np.zeros(SIZE, np.uint8)
    lone[5, 7] = 3
    masks = [*(random_mask(seed) for seed in range(count)), lone]
    return [*(Annotated(f"img-{number:03d}", SIZE, mask) for number, mask in enumerate(masks)), Annotated("new", SIZE)]


def masks_of(given: list[Annotated]) -> dict[str, np.ndarray]:
    return {item.name: item.mask for item in given if item.mask is not None}


def submit(path: Path) -> Path:
    """Label Studio's tasks after someone accepted every prediction as it was."""
    tasks = json.loads(path.read_text())
    for number, task in enumerate(tasks):
        results = [prediction["result"] for prediction in task.pop("predictions")]
        task |= {"id": number, "annotations": [{"id": number, "result": result} for result in results]}
    path.write_text(json.dumps(tasks))
    return path


def change(path: Path) -> Path:
    """CVAT's XML after someone changed every guess, and put it back."""
    path.write_text(path.read_text().replace('source="auto"', 'source="semi-auto"'))
    return path


def assert_same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert sorted(found) == sorted(wanted)
    for name, mask in wanted.items():
        assert found[name].dtype == np.uint8
        np.testing.assert_array_equal(found[name], mask, err_msg=name)
