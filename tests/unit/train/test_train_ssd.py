import math
from pathlib import Path

import pytest
import torch
from box_builders import boxed_set, boxes_spec, classes_spec, params_of, run_of
from torch import Tensor
from train_builders import CPU, OFF

from stages.common.checkpoint import WorkFolder
from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.common.weights import save_weights
from stages.train.targets import load_target, make_target, predict, target_config
from stages.train.targets.default_boxes import encode, match
from stages.train.targets.ssd import SmallSSDTarget, hard_negatives
from stages.train.training import Outcome, train_seed


class KilledError(Exception):
    """Stands for a kill from outside."""


def ssd(**changes: object) -> SmallSSDTarget:
    return SmallSSDTarget(boxes_spec(), params_of(**changes))


def blank(target: SmallSSDTarget) -> Tensor:
    """Outputs that see the background at every default box, where it is."""
    outputs = torch.zeros(1, len(target.defaults), 3 + 4)
    outputs[:, :, 0] = 20
    return outputs


def put(outputs: Tensor, target: SmallSSDTarget, place: int, box: list[float], index: int, score: float) -> None:
    """Let one default box stand for a box with this score."""
    outputs[0, place, 3:] = encode(torch.tensor(box), target.defaults[place])
    outputs[0, place, :3] = -20
    outputs[0, place, 0], outputs[0, place, index] = 0, math.log(score / (1 - score))


def test_auto_takes_the_small_ssd_for_boxes() -> None:
    assert make_target(boxes_spec(), params_of()).name == "ssd_small"


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(UserError, match=r"images of \(8, 40\) pixels; it needs 16 a side"):
        SmallSSDTarget(boxes_spec(8, 40), params_of()).build()


def test_three_hard_negatives_to_each_match() -> None:
    costs = torch.tensor([[9.0, 1, 5, 2, 7, 3, 4, 6], [1, 2, 3, 4, 5, 6, 7, 8]])
    found = torch.tensor([[True] + [False] * 7, [False] * 8])
    chosen = hard_negatives(costs, found)
    assert chosen[0].nonzero()[:, 0].tolist() == [2, 4, 7]  # costs 5, 7 and 6; 9 is that of the match
    assert chosen[1].nonzero()[:, 0].tolist() == [5, 6, 7]  # an image without a match counts as one with one


def test_there_are_never_more_negatives_than_background() -> None:
    found = torch.tensor([[True, True, False, False]])
    assert hard_negatives(torch.ones(1, 4), found).tolist() == [[False, False, True, True]]


def test_equal_scores_cost_four_times_the_log_of_the_class_count() -> None:
    target = ssd()
    box = target.defaults[200]
    labels = torch.cat([box, torch.tensor([1.0])])[None, None]
    terms = target.loss_terms(torch.zeros(1, len(target.defaults), 7), labels, None)
    assert terms["classification"].item() == pytest.approx(4 * math.log(3), rel=1e-4)


def test_localisation_worked_by_hand() -> None:
    # Its own default box alone matches, moved by a tenth of its width and by a twentieth of its height: offsets 1 and
    # 0.5, which cost 0.5 and 0.125. The neighbours, 4 pixels away, overlap it by less than a half.
    target = SmallSSDTarget(boxes_spec(64, 64), params_of(detector={"width": 8, "scales": [0.1], "aspects": [1.0]}))
    place = 2 * (5 * 16 + 5)  # in row 5 and column 5 of 16 x 16 places, with two boxes each
    box = target.defaults[place] + 6.4 * torch.tensor([0.1, 0.05, 0.1, 0.05])
    labels = torch.cat([box, torch.tensor([2.0])])[None, None]
    outputs = torch.zeros(1, len(target.defaults), 7)
    matched = (match(labels[:, :, :4], labels[:, :, 4] >= 0, target.defaults) >= 0)[0].nonzero()[:, 0]
    assert matched.tolist() == [place]
    assert target.loss_terms(outputs, labels, None)["localisation"].item() == pytest.approx(0.625, rel=1e-3)
    outputs[0, :, 3:] = encode(box, target.defaults)
    assert target.loss_terms(outputs, labels, None)["localisation"].item() == pytest.approx(0, abs=1e-6)


def test_images_without_a_box_have_a_finite_loss_and_teach_the_background() -> None:
    target, outputs = ssd(), torch.zeros(2, len(ssd().defaults), 7, requires_grad=True)
    terms = target.loss_terms(outputs, torch.tensor([[[0.0, 0, 0, 0, -1]]] * 2), None)
    assert terms["localisation"].item() == 0
    terms["classification"].backward()
    assert outputs.grad is not None
    assert (outputs.grad[:, :, 0].sum(dim=1) < 0).all()


def test_what_the_outputs_say_is_predicted() -> None:
    target = ssd()
    outputs = blank(target)
    put(outputs, target, 130, [4, 5, 14, 17], 2, 0.9)
    found = target.predict(outputs)
    assert found.shape == (1, 100, 6)
    assert found[0, 0].tolist() == pytest.approx([4, 5, 14, 17, 2, 0.9], abs=1e-3)
    assert (found[0, 1:, 4] == -1).all()


def test_of_overlapping_boxes_of_one_class_the_best_is_left() -> None:
    target = ssd()
    outputs = blank(target)
    put(outputs, target, 130, [4, 5, 14, 17], 2, 0.8)
    put(outputs, target, 131, [4, 5, 14, 16], 2, 0.9)
    put(outputs, target, 132, [4, 5, 14, 16], 1, 0.7)
    put(outputs, target, 20, [20, 20, 30, 30], 2, 0.6)
    found = target.predict(outputs)[0]
    assert found[found[:, 4] >= 0][:, 4:].tolist() == [
        pytest.approx([2, 0.9]),
        pytest.approx([1, 0.7]),
        pytest.approx([2, 0.6]),
    ]


def test_boxes_are_clipped_limited_and_left_out_below_the_threshold() -> None:
    target = ssd(detector={"width": 8, "scales": [0.3, 0.6], "most": 1, "score_threshold": 0.5})
    outputs = blank(target)
    put(outputs, target, 1, [-6, -6, 10, 10], 1, 0.9)
    put(outputs, target, 130, [16, 16, 26, 26], 1, 0.8)
    found = target.predict(outputs)
    assert found.shape == (1, 1, 6)
    assert found[0, 0].tolist() == pytest.approx([0, 0, 10, 10, 1, 0.9], abs=1e-3)
    low = blank(target)
    put(low, target, 1, [-6, -6, 10, 10], 1, 0.4)
    assert target.predict(low)[0, 0, 4] == -1


def test_overfits_one_batch(tmp_path: Path) -> None:
    run = run_of(boxes_spec(), boxed_set(4), steps=80, augment=OFF, learning_rate=0.01, validate_every=20, ema=0.9)
    outcome = train_seed(run, WorkFolder("train", "digest", tmp_path), lambda *_: None)
    assert outcome.value is not None
    assert outcome.value > 0.8
    assert outcome.loss < 0.2 * outcome.history[0]["loss"]


def trained(folder: Path, kill_at: int | None = None) -> Outcome:
    def on_step(step: int, _: Outcome) -> None:
        if step == kill_at:
            raise KilledError

    return train_seed(run_of(boxes_spec(), boxed_set(6)), WorkFolder("train", "digest", folder), on_step)


def test_a_killed_run_ends_in_the_same_weights(tmp_path: Path) -> None:
    straight = trained(tmp_path / "straight")
    with pytest.raises(KilledError):
        trained(tmp_path / "killed", kill_at=22)
    torch.manual_seed(123)
    resumed = trained(tmp_path / "killed")
    assert all(torch.equal(resumed.weights[name], tensor) for name, tensor in straight.weights.items())
    assert resumed.history == straight.history


def test_saved_weights_rebuild_the_network(tmp_path: Path) -> None:
    spec = DatasetSpec(name="wide", size=(20, 36), channels=1, classes=("nothing", "a"), labels="boxes")
    target = make_target(spec, params_of())
    images, module = boxed_set(5, side=36).images[:, :20], target.build()
    save_weights(tmp_path / "seed-0.safetensors", module.state_dict(), target_config(target))
    loaded, rebuilt = load_target(tmp_path / "seed-0.safetensors")
    expected = predict(target, module, images, CPU)
    assert expected.shape == (5, 100, 6)
    assert torch.equal(predict(loaded, rebuilt, images, CPU, batch=5), expected)


@pytest.mark.parametrize("spec", [boxes_spec(), classes_spec()], ids=["ssd_small", "classifier"])
def test_the_networks_are_exported_for_batches_of_any_size(spec: DatasetSpec) -> None:
    module = make_target(spec, params_of()).build().eval()
    shapes = ({0: torch.export.Dim("batch", min=1)},)
    exported = torch.export.export(module, (torch.randn(2, 1, *spec.size),), dynamic_shapes=shapes).module()
    images = torch.randn(5, 1, *spec.size)
    torch.testing.assert_close(exported(images), module(images))
