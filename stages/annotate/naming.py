"""Names of images by their content, so that what is said of an image cannot be taken for said of another."""

import hashlib

import numpy as np

PREFIX = "gan"


def image_name(image: np.ndarray) -> str:
    """`gan-` and 16 hex digits that change with the size and any pixel of a (H, W, C) uint8 image."""
    content = repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()
    return f"{PREFIX}-{hashlib.blake2b(content, digest_size=8).hexdigest()}"


def distinct(names: list[str]) -> np.ndarray:
    """Rows of the first image of each name: of images that are the same to the pixel one is enough."""
    _, first = np.unique(np.array(names), return_index=True)
    return np.sort(first)
