"""Images and arrays to and from the bytes of PNG and .npy files."""

import io
from pathlib import Path

import numpy as np
from PIL import Image


def encode_png(pixels: np.ndarray) -> bytes:
    """(H, W), (H, W, 1) or (H, W, 3) uint8, or (H, W) uint16, as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels).save(buffer, "png")
    return buffer.getvalue()


def decode_png(data: bytes, image: bool) -> np.ndarray:
    """PNG bytes to (H, W, C) for an image, (H, W) for a mask."""
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    return pixels[:, :, None] if image and pixels.ndim == 2 else pixels


def encode_array(values: np.ndarray) -> bytes:
    """An array as the bytes of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def decode_array(data: bytes) -> np.ndarray:
    """The array in the bytes of a .npy file; nothing is unpickled."""
    values: np.ndarray = np.load(io.BytesIO(data), allow_pickle=False)
    return values


def open_picture(path: Path) -> Image.Image:
    """The whole file, decoded. Raises ValueError with the reason when it is missing, cut off or no image."""
    try:
        with Image.open(path) as opened:
            opened.load()
            return opened
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(str(error).split(" <")[0].split(" '")[0]) from error
