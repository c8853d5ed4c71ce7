"""The training loop: every part learns, a run in two pieces equals a run in one, processes divide the batch."""

import copy

import pytest
import torch

from stages.common.errors import UserError
from stages.pretrain.params import AugmentParams, NetworkParams, PenaltyParams, PretrainParams
from stages.pretrain.run import due, make_accelerator
from stages.pretrain.state import new_state
from stages.pretrain.training import Trainer

PARAMS = PretrainParams(
    network=NetworkParams(z_dim=8, w_dim=8, channel_base=64, channel_limit=16),
    images=80,
    batch=8,
    penalty=PenaltyParams(gamma=1.0, every=2),
    style_mixing=0.5,
    mirror=True,
)
ADAPTIVE = PARAMS.model_copy(
    update={"loss": "nonsaturating", "augment": AugmentParams(policy="ada", ada_images=200, ada_target=0.01)}
)
both = pytest.mark.parametrize("params", [PARAMS, ADAPTIVE], ids=["relativistic", "adaptive"])


@pytest.fixture(scope="module")
def images():
    return torch.rand(20, 1, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


def make(images, params=PARAMS):
    trainer = Trainer(images, params, 0, make_accelerator("cpu", "fp32"))
    return trainer, new_state(params, (16, 16), 1, 0, torch.device("cpu"))


def weights(state):
    return torch.cat(
        [p.flatten() for net in (state.generator, state.discriminator, state.average) for p in net.parameters()]
    )


@both
def test_a_run_in_two_pieces_equals_a_run_in_one(images, params):
    trainer, whole = make(images, params)
    list(trainer.run(whole))
    trainer, first = make(images, params)
    for _, _ in zip(range(4), trainer.run(first), strict=False):
        pass
    saved = copy.deepcopy(first.save())
    trainer, second = make(images, params)
    second.restore(saved)
    list(trainer.run(second))
    assert second.step == whole.step == 10
    assert torch.equal(weights(second), weights(whole))


@both
def test_every_parameter_moves_and_every_term_is_there(images, params):
    trainer, state = make(images, params)
    before = weights(state)
    terms = [set(t) for t in trainer.run(state)]
    assert {"generator", "discriminator", "r1", "r2", "real_logit", "fake_logit"} == terms[0]
    assert "r1" not in terms[1]
    for name, network in (("generator", state.generator), ("discriminator", state.discriminator)):
        fresh = dict(getattr(make(images, params)[1], name).named_parameters())
        stuck = [n for n, p in network.named_parameters() if torch.equal(p, fresh[n])]
        # A relativistic loss sees differences of logits alone, so their common offset has no gradient.
        relativistic = params.loss == "relativistic"
        assert stuck == (["logit.bias"] if relativistic and name == "discriminator" else [])
    assert not torch.equal(before, weights(state))
    assert state.augment_p == 1.0 if params is PARAMS else 0 < state.augment_p < 1


def test_accumulation_splits_the_same_batch_into_parts(images):
    plain = PARAMS.model_copy(update={"mirror": False})
    split, whole = make(images, plain.model_copy(update={"accumulate": 2}))[0], make(images, plain)[0]
    assert torch.equal(torch.cat(split._reals(3)), torch.cat(whole._reals(3)))
    assert [len(p) for p in split._reals(0)] == [4, 4]


def test_each_pass_shows_every_image_once(images):
    trainer, _ = make(images, PARAMS.model_copy(update={"batch": 5, "mirror": False}))
    seen = torch.cat([torch.cat(trainer._reals(step)) for step in range(4)])
    assert torch.equal(seen.sum(dim=(1, 2, 3)).sort().values, images.sum(dim=(1, 2, 3)).sort().values)


def test_a_batch_that_does_not_divide_is_refused(images):
    with pytest.raises(UserError, match="not a multiple"):
        _ = make(images, PARAMS.model_copy(update={"accumulate": 3}))[0].part_size


def test_events_are_due_when_their_multiple_is_crossed():
    assert [i for i in range(8, 81, 8) if due(i, 8, 20)] == [24, 40, 64, 80]
