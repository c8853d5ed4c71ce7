"""The depth target: loss and scores where the depth is known, by hand."""

import numpy as np
import pandas as pd
import pytest
import torch

from stages.common.errors import UserError
from stages.common.samples import SampleSet
from stages.common.spec import DatasetSpec
from stages.train.params import TrainParams
from stages.train.targets import make_target, suited

SPEC = DatasetSpec(name="rooms", size=(8, 8), channels=1, depth=True)
TARGET = make_target(SPEC, TrainParams())


def sample_set(depth: np.ndarray | None) -> SampleSet:
    count = 1 if depth is None else len(depth)
    return SampleSet(np.zeros((count, 8, 8, 1), np.uint8), None, pd.DataFrame({"key": range(count)}), depth=depth)


def test_depth_alone_chooses_the_depth_target() -> None:
    assert suited(SPEC) == TARGET.name == "depth_unet"
    assert TARGET.build()(torch.zeros(2, 1, 8, 8)).shape == (2, 1, 8, 8)


def test_scores_by_hand() -> None:
    true = torch.tensor([[[1.0, 2.0], [4.0, 0.0]]])
    found = torch.tensor([[[2.0, 2.0], [2.0, 9.0]]])
    scores = TARGET.scores(found, true)
    logs = np.log([2.0, 1.0, 0.5])
    assert scores["absrel"] == pytest.approx((1 + 0 + 0.5) / 3)
    assert scores["rmse"] == pytest.approx(np.sqrt(5 / 3))
    assert scores["rmse_log"] == pytest.approx(np.sqrt((logs**2).mean()))
    assert scores["scale_invariant"] == pytest.approx(logs.std())
    assert TARGET.image_scores(found, true).tolist() == pytest.approx([0.5])


def test_a_wrong_scale_is_no_scale_invariant_error() -> None:
    true = torch.rand(2, 8, 8) + 1
    scores = TARGET.scores(true * 3, true)
    assert scores["scale_invariant"] == pytest.approx(0, abs=1e-3)
    assert scores["absrel"] == pytest.approx(2, abs=1e-5)


def test_unknown_pixels_have_no_gradient_and_each_image_its_own_loss() -> None:
    labels = torch.zeros(2, 2, 2)
    labels[0, 0, 0], labels[1] = np.e, 1.0
    outputs = torch.full((2, 1, 2, 2), 3.0, requires_grad=True)
    assert TARGET.losses_each(outputs, labels, None).tolist() == pytest.approx([2.0, 3.0])
    term = TARGET.loss_terms(outputs, labels, None)["log_l1"]
    assert term.item() == pytest.approx((2 + 4 * 3) / 5)
    term.backward()
    assert outputs.grad is not None
    assert outputs.grad[0, 0].flatten().tolist() == pytest.approx([0.2, 0.0, 0.0, 0.0])


def test_missing_or_wrong_depth_is_a_sentence() -> None:
    with pytest.raises(UserError, match="lacks depth"):
        TARGET.labels(sample_set(None))
    with pytest.raises(UserError, match="negative or no number"):
        TARGET.labels(sample_set(np.full((1, 8, 8), -1, np.float32)))
    with pytest.raises(UserError, match="unknown everywhere"):
        TARGET.scores(torch.ones(1, 2, 2), torch.zeros(1, 2, 2))
