"""The training loop: every part learns, a run in two pieces equals a run in one, processes divide the batch."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from stages.common.errors import UserError
from stages.common.tensors import ImageBank
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
CLUSTERED = PARAMS.model_copy(update={"network": PARAMS.network.model_copy(update={"clusters": 3})})
every = pytest.mark.parametrize("params", [PARAMS, ADAPTIVE, CLUSTERED], ids=["relativistic", "adaptive", "clustered"])


@pytest.fixture(scope="module")
def images():
    arrays = np.random.default_rng(1).integers(0, 256, (20, 16, 16, 1), dtype=np.uint8)
    return ImageBank(arrays, torch.device("cpu"))


def make(images, params=PARAMS):
    clusters = torch.arange(2 * len(images)).view(2, -1) % max(params.network.clusters, 1)
    trainer = Trainer(images, params, 0, make_accelerator("cpu", "fp32"), clusters)
    return trainer, new_state(params, (16, 16), 1, 0, torch.device("cpu"))


def weights(state):
    return torch.cat(
        [p.flatten() for net in (state.generator, state.discriminator, state.average) for p in net.parameters()]
    )


def taken(trainer, step):
    return torch.cat([reals.images for reals in trainer._reals(step)])


@every
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


@every
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
    assert state.augment_p == 1.0 if params is not ADAPTIVE else 0 < state.augment_p < 1


def test_accumulation_splits_the_same_batch_into_parts(images):
    plain = PARAMS.model_copy(update={"mirror": False})
    split, whole = make(images, plain.model_copy(update={"accumulate": 2}))[0], make(images, plain)[0]
    assert torch.equal(taken(split, 3), taken(whole, 3))
    assert [len(p.images) for p in split._reals(0)] == [4, 4]


def test_each_pass_shows_every_image_once(images):
    trainer, _ = make(images, PARAMS.model_copy(update={"batch": 5, "mirror": False}))
    seen = torch.cat([taken(trainer, step) for step in range(4)])
    assert torch.equal(seen.sum(dim=(1, 2, 3)).sort().values, images[:].sum(dim=(1, 2, 3)).sort().values)


def test_a_mirrored_image_takes_the_cluster_of_its_mirror_image(images):
    trainer, _ = make(images, CLUSTERED.model_copy(update={"batch": 20}))
    trainer = dataclasses.replace(trainer, clusters=torch.stack([torch.arange(20), torch.arange(20) + 20]))
    for reals in trainer._reals(0):
        for image, cluster in zip(reals.images, reals.cluster, strict=True):
            (source,) = images[cluster[None] % 20]
            assert torch.equal(image, source.flip(2) if cluster >= 20 else source)


def test_a_batch_that_does_not_divide_is_refused(images):
    with pytest.raises(UserError, match="not a multiple"):
        _ = make(images, PARAMS.model_copy(update={"accumulate": 3}))[0].part_size


def test_events_are_due_when_their_multiple_is_crossed():
    assert [i for i in range(8, 81, 8) if due(i, 8, 20)] == [24, 40, 64, 80]
