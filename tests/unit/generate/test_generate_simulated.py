"""The recipes `simulated` and `refined` take the first `generate.samples` of what the simulator drew."""

from pathlib import Path

import numpy as np
import pytest
import torch

from stages.common.params import SharedParams
from stages.common.samples import Sample, read_set, write_set
from stages.generate.params import GenerateParams
from stages.generate.simulated import REFINER, SEGMENTER, SIMULATED, make_refined_set, write_simulated
from stages.refine.networks import Refiner
from stages.refine.params import RefineParams
from stages.refine.segmenter import Segmenter
from stages.refine.storage import save_refiner, save_segmenter

DRAWN = 5


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Five drawn images, the n-th of value 40 n with its n-th row labelled, and a refiner with fresh weights."""
    monkeypatch.chdir(tmp_path)
    write_set(SIMULATED, [drawn_sample(number) for number in range(DRAWN)], shard_size=2)
    params = RefineParams.model_validate({"refiner": {"width": 4, "blocks": 1}, "warp": {"pixels": 0.0}})
    torch.manual_seed(0)
    for path in (REFINER, SEGMENTER):
        path.parent.mkdir(parents=True, exist_ok=True)
    save_refiner(REFINER, Refiner(1, params.refiner, params.warp), 1, params)
    sizes = {"channels": 1, "classes": 2, "width": 4, "followed": [1]}
    save_segmenter(SEGMENTER, Segmenter(**sizes), sizes)
    return tmp_path


def drawn_sample(number):
    mask = np.zeros((16, 16), np.uint8)
    mask[number] = 1
    return Sample(
        f"drawn-{number}", np.full((16, 16, 1), 40 * number, np.uint8), mask=mask, facts={"source_id": f"s{number}"}
    )


@pytest.mark.parametrize(("samples", "kept"), [(3, 3), (DRAWN, DRAWN), (100, DRAWN)])
def test_simulated_takes_the_first_samples_and_says_what_it_leaves(drawn, capsys, samples, kept):
    index = write_simulated(Path("out"), GenerateParams(samples=samples, shard_size=2))
    assert list(index["source_id"]) == [f"s{number}" for number in range(kept)]
    assert read_set(Path("out")).images[:, 0, 0, 0].tolist() == [40 * number for number in range(kept)]
    said = "generate: the first 3 of 5 simulated images, as generate.samples says\n"
    assert capsys.readouterr().out == (said if kept < DRAWN else "")


def test_refined_takes_the_first_samples_with_their_own_labels(drawn):
    make_refined_set(Path("all"), GenerateParams(samples=DRAWN), SharedParams(device="cpu"))
    index = make_refined_set(Path("some"), GenerateParams(samples=3), SharedParams(device="cpu"))
    everything, some = read_set(Path("all")), read_set(Path("some"))
    assert list(index["source_id"]) == ["s0", "s1", "s2"]
    assert np.array_equal(some.masks.argmax(1)[:, 0], [0, 1, 2])
    assert np.abs(some.images.astype(int) - everything.images[:3]).max() <= 1
    assert {"label_iou", "label_shift_px"} <= set(index)
