"""Images of which anybody can tell the kinds, and answers about them."""

import io
import json
from base64 import b64decode
from pathlib import Path

import numpy as np
from PIL import Image


def pile(count: int, bright: bool, seed: int = 0, size: tuple[int, int] = (20, 30), channels: int = 1) -> np.ndarray:
    """(count, *size, channels) uint8: noise, above 128 when bright and below when not."""
    noise = np.random.default_rng([seed, int(bright)]).integers(0, 100, (count, *size, channels))
    return (noise + 150 * bright).astype(np.uint8)


def pixels(uri: str) -> np.ndarray:
    """The image in a data URI."""
    return np.asarray(Image.open(io.BytesIO(b64decode(uri.removeprefix("data:image/png;base64,")))))


def looks_made(uri: str) -> bool:
    """What a person sees, when `pile` drew the made images bright and the real ones dark."""
    return bool(pixels(uri).mean() > 128)


def answers_file(
    folder: Path, subject: str, counts: tuple[int, int, int, int], kind: str = "refined", page: str = "0123456789ab"
) -> Path:
    """A file as the page saves it. counts: real said real, real said made, made said real, made said made."""
    cells = [(truth, said) for truth in ("real", "made") for said in ("real", "made")]
    said = [cell for cell, count in zip(cells, counts, strict=True) for _ in range(count)]
    answers = [{"image": i, "truth": truth, "answer": answer} for i, (truth, answer) in enumerate(said)]
    content = {"format": "turing-answers-1", "page": page, "kind": kind, "subject": subject, "answers": answers}
    path = folder / f"answers-{kind}-{page}-{subject}.json"
    path.write_text(json.dumps(content))
    return path
