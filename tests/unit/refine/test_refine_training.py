import numpy as np
import pytest
import torch

from stages.common.tensors import ImageBank
from stages.refine.params import RefineParams
from stages.refine.state import RefineState, new_state
from stages.refine.training import Trainer, as_stored

SMALL = {
    "batch": 4,
    "steps": 6,
    "refiner": {"width": 4, "blocks": 1},
    "discriminator": {"layers": [{"kernel": 3, "stride": 2, "width": 4}, {"kernel": 1, "width": 4}]},
    "pretraining": {"refiner": 3, "discriminator": 2},
    "history": {"capacity": 8},
    "optimiser": {"kind": "adam", "learning_rate": 0.001, "momentum": 0.5},
}
FAST = {"kind": "adam", "learning_rate": 0.01, "momentum": 0.5}


def trainer(**changes: object) -> Trainer:
    random = np.random.default_rng(0)
    coarse = random.integers(0, 2, (2, 12, 2, 2, 1)) * np.array([255, 180]).reshape(2, 1, 1, 1, 1)
    piles = coarse.repeat(4, axis=2).repeat(4, axis=3).astype(np.uint8)
    banks = [ImageBank(pile, torch.device("cpu")) for pile in piles]
    return Trainer(banks[0], banks[1], RefineParams.model_validate({**SMALL, **changes}), seed=1)


def fresh(of: Trainer) -> RefineState:
    return new_state(of.params, 1, 1, torch.device("cpu"))


def test_the_three_phases_move_the_networks_that_they_name():
    run = trainer()
    state = fresh(run)
    seen = [set(terms) for terms in run.run(state)]
    alone, critic = {"self_reg", "change"}, {"discriminator_real", "discriminator_refined"}
    assert seen[:3] == [alone] * 3
    assert all(critic <= names and "self_reg" not in names for names in seen[3:5])
    assert all({"adversarial", "self_reg", "change"} <= names for names in seen[5:])
    # K_g = 2 and K_d = 1: the discriminator learns at every second step.
    assert [critic <= names for names in seen[5:]] == [False, True] * 3


def test_pretraining_brings_the_refiner_to_its_input():
    run = trainer(pretraining={"refiner": 150, "discriminator": 0}, steps=1, optimiser=FAST)
    state = fresh(run)
    changes = [float(terms["change"]) for terms in run.run(state)]
    assert changes[149] < 0.05 * changes[0]


def test_the_first_adversarial_step_is_no_leap():
    # With Adam's memory of the small gradients before, it once moved every pixel by 1.7 of 2.
    run = trainer(pretraining={"refiner": 150, "discriminator": 5}, steps=4, optimiser=FAST, self_regularisation=8.0)
    state = fresh(run)
    changes = [float(terms["change"]) for terms in run.run(state) if "change" in terms]
    assert max(changes[150:]) < 0.1


def test_the_history_is_full_before_the_discriminator_sees_it():
    run = trainer()
    state = fresh(run)
    for _ in run.run(state):
        if state.step > run.starts[1]:
            assert len(state.history) == 8


def test_a_restored_run_ends_in_the_same_weights():
    run = trainer()
    whole, half = fresh(run), fresh(run)
    list(run.run(whole))
    for _ in run.run(half):
        if half.step == 8:
            break
    again = fresh(run)
    again.restore(half.save())
    list(run.run(again))
    for one, other in zip(whole.average.parameters(), again.average.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    "changes",
    [{"history": {"capacity": 0}}, {"psi": "gradients"}, {"psi": "channel_mean"}, {"self_regularisation": 0.0}],
    ids=str,
)
def test_the_ablations_run(changes):
    run = trainer(**changes)
    state = fresh(run)
    assert all(np.isfinite(float(v)) for terms in run.run(state) for v in terms.values())


def test_odd_batches_and_tiny_histories_are_refused():
    for changes in ({"batch": 5}, {"history": {"capacity": 1}}):
        with pytest.raises(ValueError, match="half"):
            RefineParams.model_validate({**SMALL, **changes})


def test_images_are_judged_as_they_are_stored_and_gradients_pass():
    images = torch.tensor([-0.9999, -0.5, 0.2, 1.0]).view(1, 1, 2, 2).requires_grad_()
    stored = as_stored(images)
    steps = (stored.detach() + 1) * 127.5
    assert torch.allclose(steps, steps.round(), atol=1e-4)
    assert stored[0, 0, 0, 0].item() == pytest.approx(-1.0, abs=1e-6)
    stored.sum().backward()
    assert images.grad is not None
    assert (images.grad == 1).all()
