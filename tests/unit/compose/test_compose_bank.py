from pathlib import Path

import numpy as np
import pytest
import torch
from compose_builders import CPU, small_params

from stages.common.errors import UserError
from stages.common.samples import Sample, read_set, write_set
from stages.common.tensors import to_images
from stages.compose.bank import read_composer
from stages.compose.composer import Composer
from stages.compose.cutouts import ObjectBank
from stages.compose.pasting import Objects
from stages.compose.placers import place_randomly

PARAMS = small_params(
    objects=[1, 3], artefacts=0.4, blends=["alpha", "hard", "feather", "gaussian", "poisson"], min_visible=0.2
)


class FloatObjects:
    """The cut-outs all as floats at once: the plain way."""

    def __init__(self, folder: Path) -> None:
        cutouts = read_set(folder)
        assert cutouts.alpha is not None
        alpha = torch.from_numpy(cutouts.alpha.astype(np.float32) / 255)
        keypoints = torch.from_numpy(cutouts.require_keypoints())
        class_ids = torch.tensor(cutouts.require_class_ids())
        self.objects = Objects.of(to_images(cutouts.images), alpha, class_ids, keypoints)

    def __len__(self) -> int:
        return len(self.objects)

    def take(self, rows: torch.Tensor) -> Objects:
        return self.objects.take(rows)


@pytest.fixture
def folders(tmp_path):
    random = np.random.default_rng(0)

    def sample(number: int, **labels: object) -> Sample:
        image = random.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        return Sample(str(number), image, facts={"recipe": "toy"}, **labels)

    def cut_out(number: int) -> Sample:
        alpha = random.integers(0, 256, (24, 32), dtype=np.uint8)
        return sample(number, alpha=alpha, class_id=1 + number % 3, keypoints=random.random((2, 3)).astype(np.float32))

    write_set(tmp_path / "foregrounds", [cut_out(number) for number in range(9)])
    write_set(tmp_path / "backgrounds", [sample(number) for number in range(5)])
    return tmp_path / "foregrounds", tmp_path / "backgrounds"


def test_composites_of_bytes_are_those_of_floats_bit_for_bit(folders):
    composer = read_composer(*folders, PARAMS, CPU)
    plain = Composer(FloatObjects(folders[0]), composer.backgrounds, PARAMS)  # type: ignore[arg-type]
    for seed in range(3):
        found, expected = (
            one.compose(place_randomly, 8, torch.Generator().manual_seed(seed), offline=True)
            for one in (composer, plain)
        )
        for name in ("images", "owner", "areas", "class_ids", "keypoints"):
            assert torch.equal(getattr(found, name), getattr(expected, name)), name


def test_cut_outs_are_held_as_bytes(folders):
    bank = read_composer(*folders, PARAMS, CPU).objects
    assert isinstance(bank, ObjectBank)
    assert (bank.images.arrays.dtype, bank.alpha.dtype) == (np.uint8, torch.uint8)
    assert len(bank) == 9
    taken = bank.take(torch.tensor([4, 4, 0]))
    assert taken.images.dtype == taken.alpha.dtype == torch.float32
    assert taken.class_ids.tolist() == [2, 2, 1]


def test_a_cut_out_without_opacity_is_refused(folders):
    with pytest.raises(UserError, match="backgrounds: a cut-out has no opacity"):
        read_composer(folders[1], folders[1], PARAMS, CPU)
