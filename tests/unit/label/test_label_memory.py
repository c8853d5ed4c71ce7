"""The bank of training pixels: its size, its precision, when it is refused, and its benchmark."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.common.errors import UserError
from stages.label import pixels
from stages.label.ensemble import Ensemble
from stages.label.features import feature_count, label_features
from stages.label.heads import SegmentationHead
from stages.label.params import LabelParams
from stages.label.pixels import build_bank, choose_pixels, gather, refuse_large_bank
from stages.pretrain.build import build_generator
from stages.pretrain.params import NetworkParams

ROOT = Path(__file__).resolve().parents[3]
SIZE, COUNT = (16, 16), 5


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    network = NetworkParams(z_dim=8, w_dim=8, channel_base=64, channel_limit=8)
    return build_generator(network, SIZE, 1).eval().requires_grad_(False)


def latents(generator):
    return generator.broadcast(torch.randn(COUNT, 8, generator=torch.Generator().manual_seed(1)))


def masks():
    return np.random.default_rng(0).integers(0, 3, (COUNT, *SIZE)).astype(np.uint8)


def bank(generator, precision="float32", context=False, per_image=40):
    head = SegmentationHead(3)
    owners = np.array([0, 0, 1, 2, 2])
    return build_bank(generator, latents(generator), masks(), head, owners, per_image, 0.5, context, 7, precision)


@pytest.mark.parametrize("context", [False, True])
def test_the_bank_holds_the_features_of_the_chosen_pixels_image_by_image(generator, context):
    found, features, labels = bank(generator, context=context), [], []
    for i, (ws, mask) in enumerate(zip(latents(generator).split(1), masks(), strict=True)):
        chosen = choose_pixels(mask, 40, 0.5, np.random.default_rng([7, i]))
        maps = [m[0] for m in label_features(generator, ws, context)[1]]
        features.append(gather(maps, torch.from_numpy(chosen), SIZE))
        labels.append(torch.from_numpy(mask.ravel()[chosen].astype(np.int64)))
    assert torch.equal(found.features, torch.cat(features))
    assert torch.equal(found.labels, torch.cat(labels))
    assert found.group.tolist() == [0] * 80 + [1] * 40 + [2] * 80
    assert feature_count(generator, context) == found.features.shape[1]


def test_half_precision_takes_half_the_memory_and_keeps_three_digits(generator):
    full, half = bank(generator), bank(generator, "float16")
    assert half.features.nbytes * 2 == full.features.nbytes
    assert half.features.float().numpy() == pytest.approx(full.features.numpy(), rel=5e-4, abs=1e-6)
    assert torch.equal(half.labels, full.labels)


def test_values_beyond_half_precision_stay_finite(generator, monkeypatch):
    monkeypatch.setattr(pixels, "gather", lambda maps, chosen, size: torch.full((len(chosen), 1), 1e6))
    monkeypatch.setattr(pixels, "feature_count", lambda generator, context, whole: 1)
    assert (bank(generator, "float16").features == torch.finfo(torch.float16).max).all()


def test_features_are_standardised_alike_in_both_precisions():
    features = torch.randn(500, 600, generator=torch.Generator().manual_seed(0)) * 3 + 2
    full, half = Ensemble(2, 600, (4, 4), 3), Ensemble(2, 600, (4, 4), 3)
    full.fit_standardisation(features)
    half.fit_standardisation(features.half())
    torch.testing.assert_close(full.centre, features.mean(dim=0))
    torch.testing.assert_close(half.centre, full.centre, atol=1e-3, rtol=0)
    torch.testing.assert_close(half.spread, full.spread, atol=1e-3, rtol=0)
    half.load_state_dict(full.state_dict())
    batch = features[:64].expand(2, -1, -1)
    torch.testing.assert_close(half.eval()(batch.half()), full.eval()(batch), atol=2e-2, rtol=0)


def test_a_bank_that_does_not_fit_is_refused_with_a_number_that_does(generator, monkeypatch):
    # A pixel takes 4 bytes a feature of ten latents, and twice 4 while it is gathered: 48; in half precision 28.
    monkeypatch.setattr(pixels, "free_bytes", lambda device: 100 * feature_count(generator, False) * 48)
    refuse_large_bank(generator, 10, SegmentationHead(2), LabelParams(pixels_per_image=100))
    refuse_large_bank(generator, 10, SegmentationHead(2), LabelParams(pixels_per_image=171, precision="float16"))
    with pytest.raises(UserError, match=r"label.pixels_per_image: 101 pixels of 10 .* choose 100 or fewer, or set"):
        refuse_large_bank(generator, 10, SegmentationHead(2), LabelParams(pixels_per_image=101))
    with pytest.raises(UserError, match=r"choose 171 or fewer$"):
        refuse_large_bank(generator, 10, SegmentationHead(2), LabelParams(pixels_per_image=172, precision="float16"))


def test_the_benchmark_runs_and_computes_what_the_published_way_holds():
    size = ["--side", "32", "--limit", "8", "--images", "3", "--pixels", "50", "--members", "2", "--steps", "2"]
    command = [sys.executable, str(ROOT / "benchmarks/label_memory.py"), *size, "--batch", "8", "--inside"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    # Constant, convolutions at 4, twice at 8, 16, 32: 8 channels each; the image has three.
    assert found["features"] == 8 + 8 + 3 * 16 + 3
    assert found["bank"] == 3 * 50 * 67 * 4
    assert found["published"] == 3 * 32 * 32 * 67 * 4
    assert 0.1e9 < found["peak"] < 4e9
