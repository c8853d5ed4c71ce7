"""Ensemble training: members are apart, folds hold out, runs resume, separable pixels are learned."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch

from stages.common.errors import UserError
from stages.common.samples import SampleSet
from stages.label.__main__ import fitting_folds
from stages.label.ensemble import Ensemble
from stages.label.heads import KeypointHead, SegmentationHead
from stages.label.params import LabelParams
from stages.label.pixels import PixelBank
from stages.label.quality import fold_pools, make_folds, pooled_iou, predict_held_out
from stages.label.results import usable
from stages.label.training import hidden_units, new_ensemble, train_ensemble
from stages.pretrain.build import build_generator
from stages.pretrain.params import NetworkParams

PARAMS = LabelParams(hidden=(16, 8), steps=60, batch=64, learning_rate=0.01)


@pytest.fixture
def bank():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (600,), generator=generator)
    features = torch.randn(600, 5, generator=generator) + 4 * torch.eye(5)[labels]
    return PixelBank(features, labels, torch.arange(600) // 60)


def run(bank, members=2, seed=0, steps=None):
    head = SegmentationHead(3)
    state = new_ensemble(bank, members, head, PARAMS, seed)
    pools = [torch.arange(600)] * members
    for _, _ in zip(range(steps or PARAMS.steps), train_ensemble(state, bank, pools, head, PARAMS, seed), strict=False):
        pass
    return state


def flat(state):
    return torch.cat([p.flatten() for p in state.ensemble.parameters()])


def test_separable_pixels_are_learned_by_every_member(bank):
    ensemble = run(bank).ensemble.eval()
    right = ensemble(bank.features.expand(2, -1, -1)).argmax(-1) == bank.labels
    assert right.float().mean(dim=1).min() > 0.95


def test_a_run_in_two_pieces_equals_a_run_in_one(bank):
    whole, first = run(bank), run(bank, steps=25)
    second = new_ensemble(bank, 2, SegmentationHead(3), PARAMS, 0)
    second.restore(copy.deepcopy(first.save()))
    assert second.step == 25
    list(train_ensemble(second, bank, [torch.arange(600)] * 2, SegmentationHead(3), PARAMS, 0))
    assert torch.equal(flat(second), flat(whole))


def test_members_differ(bank):
    weight = run(bank).ensemble.first.weight
    assert not torch.allclose(weight[0], weight[1])


def test_hidden_layers_are_those_of_the_release_unless_they_are_given(bank):
    assert [hidden_units("auto", count) for count in (2, 31, 32, 68)] == [(128, 32), (128, 32), (256, 128), (256, 128)]
    assert hidden_units((7, 5), 40) == (7, 5)
    for hidden, found in (("auto", (128, 32)), ([16, 8], (16, 8))):
        params = LabelParams.model_validate({"hidden": hidden})
        assert new_ensemble(bank, 2, SegmentationHead(3), params, 0).ensemble.hidden == found


def test_folds_are_even_and_pools_leave_out_their_images(bank):
    folds = make_folds(10, 3, seed=0)
    assert sorted(np.bincount(folds)) == [3, 3, 4]
    pools = fold_pools(bank, folds, members=2)
    assert len(pools) == 6
    for fold in range(3):
        images = set(bank.group[pools[2 * fold]].tolist())
        assert images == set(np.flatnonzero(folds != fold).tolist())


def test_with_fewer_images_than_folds_each_image_is_a_fold(capsys):
    assert [fitting_folds(5, groups) for groups in (5, 6, 50)] == [5, 5, 5]
    assert [fitting_folds(0, groups) for groups in (1, 2)] == [0, 0]
    assert capsys.readouterr().out == ""
    assert [fitting_folds(5, groups) for groups in (2, 4)] == [2, 4]
    assert "label: note: 4 folds, not label.folds: 5" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"label\.folds: 1 leaves nothing to learn from; choose 0"):
        fitting_folds(1, 4)
    with pytest.raises(UserError, match=r"label\.folds: 5, but the labelled images kept are of one group; choose 0"):
        fitting_folds(5, 1)


def test_pooled_iou_by_hand():
    truth = np.array([[[0, 0, 1, 1]], [[2, 2, 255, 0]]])
    guess = np.array([[[0, 1, 1, 1]], [[2, 0, 2, 0]]])
    assert np.isnan(pooled_iou(np.full_like(guess, 3), truth, [3])[3])  # predicted, but no mask shows it
    iou = pooled_iou(guess, truth, range(4))
    assert iou[0] == pytest.approx(2 / 4)
    assert iou[1] == pytest.approx(2 / 3)
    assert iou[2] == pytest.approx(1 / 2)
    assert np.isnan(iou[3])


def test_a_fold_without_unmoved_images_is_passed_over():
    torch.manual_seed(0)
    network = NetworkParams(z_dim=8, w_dim=8, channel_base=64, channel_limit=8)
    generator = build_generator(network, (16, 16), 1).eval()
    ensemble = Ensemble(3, sum(generator.synthesis.feature_channels) + 1, (8, 8), 3).eval()
    ws = generator.broadcast(torch.randn(2, 8)).detach()
    found = predict_held_out(generator, ensemble, SegmentationHead(3), ws, np.array([0, 2]), 1, False)
    assert found.predictions.shape == (2, 16, 16)
    assert found.predictions.max() < 3


def test_views_carry_the_group_of_their_image_and_flagged_ones_are_left_out():
    index = pd.DataFrame(
        {
            "source_key": ["a", "b", "c", "a"],
            "group": ["person1", "person2", "person1", "person1"],
            "flagged": [False, False, False, True],
        }
    )
    views = SampleSet(np.zeros((4, 2, 2, 1), np.uint8), np.zeros((4, 2, 2), np.uint8), index)
    kept = usable(views, torch.zeros(4, 2, 3), drop_flagged=True)
    assert kept.group.tolist() == [0, 1, 0]
    assert len(usable(views, torch.zeros(4, 2, 3), drop_flagged=False).group) == 4
    with pytest.raises(UserError, match="fewer than two labelled images"):
        usable(SampleSet(views.images, views.masks, index.assign(source_key="a")), torch.zeros(4, 2, 3), True)


def test_a_short_training_on_heat_maps_does_better_than_empty_ones():
    head = KeypointHead(20, (16, 16), 1.5)
    generator = torch.Generator().manual_seed(0)
    places = torch.randint(0, 16, (40, 20, 2), generator=generator).float()
    labels = torch.cat([places, torch.full((40, 20, 1), 2.0)], dim=2).numpy()
    maps = torch.cat([torch.from_numpy(head.targets(label, np.arange(256))) for label in labels])
    # What is at a place can be told from its features, beside others that say nothing.
    features = torch.cat([maps, torch.randn(len(maps), 40, generator=generator)], dim=1)
    bank = PixelBank(features, maps, torch.arange(len(maps)) // 256)
    params = LabelParams(hidden=(64, 32), steps=100, batch=128)
    state = new_ensemble(bank, 2, head, params, 0)
    list(train_ensemble(state, bank, [torch.arange(len(maps))] * 2, head, params, 0))
    outputs = state.ensemble.eval()(features.expand(2, -1, -1))
    empty = maps.square().mean()
    assert (head.loss(outputs, maps.expand(2, -1, -1)) < 0.8 * empty).all()
