import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from train_builders import OFF, half_images, tiny_params, tiny_run

from stages.common.checkpoint import WorkFolder
from stages.train.learner import learning_rate
from stages.train.training import Outcome, checkpoint_name, train_seed


class KilledError(Exception):
    """Stands for a kill from outside."""


def trained(folder: Path, kill_at: int | None = None, **changes: Any) -> Outcome:
    """A tiny run, from where `folder` has it."""

    def on_step(step: int, _: Outcome) -> None:
        if step == kill_at:
            raise KilledError

    run = tiny_run(half_images(8, real=4), half_images(4), **changes)
    return train_seed(run, WorkFolder("train", "digest", folder), on_step)


@pytest.mark.parametrize("changes", [{}, {"ema": 0.9, "class_weights": "balanced"}, {"select": "last"}])
@pytest.mark.parametrize("kill_at", [15, 22])
def test_a_killed_run_ends_in_the_same_weights(tmp_path: Path, kill_at: int, changes: dict[str, Any]) -> None:
    straight = trained(tmp_path / "straight", **changes)
    with pytest.raises(KilledError):
        trained(tmp_path / "killed", kill_at, **changes)
    torch.manual_seed(123)
    resumed = trained(tmp_path / "killed", **changes)
    assert resumed.weights.keys() == straight.weights.keys()
    assert all(torch.equal(resumed.weights[name], tensor) for name, tensor in straight.weights.items())
    assert resumed.history == straight.history
    assert (resumed.kept_step, resumed.value) == (straight.kept_step, straight.value)


def test_a_finished_seed_is_not_trained_again(tmp_path: Path) -> None:
    first = trained(tmp_path)
    again = trained(tmp_path, kill_at=1)
    assert again.step == 30
    assert all(torch.equal(again.weights[name], tensor) for name, tensor in first.weights.items())


def test_overfits_one_batch(tmp_path: Path) -> None:
    data = half_images(4)
    run = tiny_run(data, data, steps=60, augment=OFF, learning_rate=0.03)
    outcome = train_seed(run, WorkFolder("train", "digest", tmp_path), lambda *_: None)
    assert outcome.value is not None
    assert outcome.value > 0.99
    assert outcome.loss < 0.5 * outcome.history[0]["loss"]


def test_the_best_weights_are_kept_and_they_score_what_is_said(tmp_path: Path) -> None:
    outcome = trained(tmp_path, validate_every=3, learning_rate=0.3)
    best = max(outcome.history, key=lambda row: row["val_miou"])
    assert (outcome.value, outcome.kept_step) == (best["val_miou"], best["step"])
    run = tiny_run(half_images(8), half_images(4), ema=0)
    run.learner.module.load_state_dict(outcome.weights)
    run.look()
    assert run.outcome.value == pytest.approx(best["val_miou"])


def test_without_validation_images_the_last_weights_are_kept(tmp_path: Path) -> None:
    run = tiny_run(half_images(8), None, patience=1)
    outcome = train_seed(run, WorkFolder("train", "digest", tmp_path), lambda *_: None)
    assert (outcome.value, outcome.kept_step, outcome.step) == (None, 30, 30)
    assert all(torch.equal(outcome.weights[name], tensor) for name, tensor in run.learner.weights().items())
    assert "val_miou" not in outcome.history[0]


def test_patience_ends_a_seed_early(tmp_path: Path) -> None:
    outcome = trained(tmp_path, validate_every=1, patience=2, learning_rate=1e-9)
    assert outcome.step < 30
    assert outcome.step - outcome.kept_step == 2


def test_learning_rate_warms_up_and_ends_at_zero() -> None:
    params = tiny_params(steps=100, learning_rate=1.0)
    rates = [learning_rate(step, params) for step in range(100)]
    assert rates[:6] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    assert all(a >= b for a, b in itertools.pairwise(rates[5:]))
    assert rates[-1] < 0.001


def test_the_average_moves_slower_than_the_weights() -> None:
    start = tiny_run(half_images(8), None, ema=0.9).learner.module.state_dict()["head.weight"]
    run = tiny_run(half_images(8), None, ema=0.9)
    for _ in range(3):
        run.step()
    fast, slow = run.learner.module.state_dict()["head.weight"], run.learner.weights()["head.weight"]
    assert 0 < (slow - start).norm() < (fast - start).norm()


def test_the_same_seed_gives_the_same_weights() -> None:
    first, again = tiny_run(half_images(8), None), tiny_run(half_images(8), None)
    for run in (first, again):
        run.step()
    other = again.learner.weights()
    assert all(torch.equal(tensor, other[name]) for name, tensor in first.learner.weights().items())


def test_checkpoints_are_evenly_spaced_and_end_with_the_last_weights(tmp_path: Path) -> None:
    assert tiny_params(steps=30, checkpoints=4).checkpoint_steps == (8, 15, 22, 30)
    assert tiny_params(steps=3, checkpoints=10).checkpoint_steps == (1, 2, 3)
    assert tiny_params().checkpoint_steps == ()
    outcome = trained(tmp_path, select="last", checkpoints=3)
    store = WorkFolder("train", "digest", tmp_path)
    kept = {step: store.load(checkpoint_name(0, step)) for step in (10, 20, 30)}
    assert all(kept.values())
    last = kept[30]
    assert last is not None
    assert all(torch.equal(last["weights"][name], tensor) for name, tensor in outcome.weights.items())
    assert not torch.equal(kept[10]["weights"]["head.weight"], last["weights"]["head.weight"])  # type: ignore[index]


def test_a_killed_run_leaves_the_same_checkpoints(tmp_path: Path) -> None:
    trained(tmp_path / "straight", checkpoints=3)
    with pytest.raises(KilledError):
        trained(tmp_path / "killed", 22, checkpoints=3)
    trained(tmp_path / "killed", checkpoints=3)
    for step in (10, 20, 30):
        one, other = (
            WorkFolder("train", "digest", tmp_path / name).load(checkpoint_name(0, step))
            for name in ("straight", "killed")
        )
        assert one is not None
        assert other is not None
        assert all(torch.equal(one["weights"][name], tensor) for name, tensor in other["weights"].items())
