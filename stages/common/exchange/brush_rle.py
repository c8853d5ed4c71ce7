"""The brush masks of Label Studio: the values of an RGBA image as run lengths, packed bit by bit.

The format is that of the library rle-pack (thi.ng/umbrella). Bits follow each other from the highest to the lowest:
32 the number of values, 5 the bits of a value less one, four times 4 the bits of each of the four kinds of length less
one; then blocks: 1 bit that is set when one value is repeated, 2 bits the kind of length, the length less one, and that
one value, or as many values as the length says.
"""

from collections.abc import Sequence

import numpy as np

CHANNELS = 4
OPAQUE = 255
VALUE_BITS = 8
LENGTH_BITS = np.array([3, 4, 8, 16])  # those that the tool itself writes
LONGEST = 1 << 16


def encode_brush(region: np.ndarray) -> list[int]:
    """(H, W) bool as bytes: all four channels of a pixel are 255 inside, 0 outside, as the tool has them."""
    starts = np.flatnonzero(np.diff(region.ravel(), prepend=~region.ravel()[:1]))
    inside = region.ravel()[starts]
    lengths, inside = _split(np.diff(starts, append=region.size) * CHANNELS, inside)
    kinds = np.searchsorted(1 << LENGTH_BITS, lengths)
    bits = LENGTH_BITS[kinds]
    blocks = ((4 + kinds) << (bits + VALUE_BITS)) + ((lengths - 1) << VALUE_BITS) + OPAQUE * inside
    numbers = [region.size * CHANNELS, VALUE_BITS - 1, *(LENGTH_BITS - 1)]
    return _packed(np.concatenate([numbers, blocks]), np.concatenate([[32, 5, 4, 4, 4, 4], 3 + bits + VALUE_BITS]))


def _split(lengths: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Runs, none of them longer than a block can say."""
    pieces = -(-lengths // LONGEST)
    split = np.full(pieces.sum(), LONGEST)
    split[np.cumsum(pieces) - 1] = lengths - (pieces - 1) * LONGEST
    return split, np.repeat(inside, pieces)


def _packed(numbers: np.ndarray, widths: np.ndarray) -> list[int]:
    """Bytes of numbers that take so many bits each."""
    ends = np.cumsum(widths)
    shifts = np.repeat(ends, widths) - 1 - np.arange(ends[-1])
    bits = (np.repeat(numbers, widths) >> shifts) & 1
    return np.packbits(bits.astype(np.uint8)).tolist()


def decode_brush(data: Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: pixels that are at least half as opaque as the most opaque one, for a brush has a soft edge.

    data: bytes, 0 to 255. Raises ValueError when they are cut off, or of an image of another size.
    """
    alpha = _values(data, size[0] * size[1] * CHANNELS).reshape(*size, CHANNELS)[:, :, -1]
    return (alpha > 0) & (2 * alpha.astype(int) >= alpha.max())


def _values(data: Sequence[int], count: int) -> np.ndarray:
    bits = _Bits(data)
    if (found := bits.number(32)) != count:
        raise ValueError(f"a brush mask of {found // CHANNELS} pixels, but the image has {count // CHANNELS}")
    if (width := bits.number(5) + 1) > VALUE_BITS:
        raise ValueError(f"a brush mask with {width} bits a value, but colours have {VALUE_BITS}")
    lengths = [bits.number(4) + 1 for _ in LENGTH_BITS]
    values, start = np.zeros(count, np.uint8), 0
    while start < count:
        repeated = bits.number(1)
        length = bits.number(lengths[bits.number(2)]) + 1
        if start + length > count:
            raise ValueError("a brush mask with run lengths beyond the last pixel")
        values[start : start + length] = bits.number(width) if repeated else bits.numbers(length, width)
        start += length
    return values


class _Bits:
    """Bytes, read bit by bit. Raises ValueError when there are no more."""

    def __init__(self, data: Sequence[int]) -> None:
        self.bits = np.unpackbits(np.array(data, np.uint8))
        self.digits = (self.bits + ord("0")).tobytes()
        self.start = 0

    def _next(self, count: int) -> slice:
        taken = slice(self.start, self.start + count)
        if taken.stop > len(self.bits):
            raise ValueError("a brush mask that is cut off")
        self.start = taken.stop
        return taken

    def number(self, width: int) -> int:
        return int(self.digits[self._next(width)], 2)

    def numbers(self, count: int, width: int) -> np.ndarray:
        return self.bits[self._next(count * width)].reshape(count, width) @ (1 << np.arange(width)[::-1])
