"""Sampling: exact drop, determinism whatever the order, joins."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from stages.common.masks import main_class
from stages.common.samples import Sample, read_set, write_set
from stages.common.tensors import to_arrays
from stages.generate import recipes
from stages.generate.params import GenerateParams
from stages.generate.sampling import draw, drawn_count, dropped_count, most_certain
from stages.generate.shards import draw_pieces, kept_samples, read_scores
from stages.invert.encoder import build_encoder
from stages.invert.latents import LatentSource
from stages.invert.params import EncoderParams
from stages.label.ensemble import Ensemble
from stages.label.factored import fold
from stages.label.heads import ClassHead, DepthHead, KeypointHead, SegmentationHead
from stages.label.labelling import LabelGenerator
from stages.pretrain.build import build_generator
from stages.pretrain.params import NetworkParams


@pytest.fixture(scope="module")
def labeler():
    torch.manual_seed(0)
    generator = build_generator(NetworkParams(z_dim=8, w_dim=8, channel_base=64, channel_limit=8), (16, 16), 1)
    ensemble = Ensemble(3, sum(generator.synthesis.feature_channels) + 1, (8, 8), 3).eval()
    return LabelGenerator(generator.eval().requires_grad_(False), fold(ensemble), SegmentationHead(3), context=False)


def source_of(labeler, seed):
    return LatentSource(labeler.generator, None, 1.0, seed)


@pytest.mark.parametrize(("samples", "share"), [(1, 0.0), (9, 0.1), (10, 0.1), (5000, 0.1), (7, 0.5), (100, 0.33)])
def test_enough_are_drawn_and_exactly_the_share_is_dropped(samples, share):
    drawn = drawn_count(samples, share)
    assert drawn - dropped_count(drawn, share) >= samples
    assert drawn - 1 - dropped_count(drawn - 1, share) < samples
    assert dropped_count(drawn, share) == int(np.floor(drawn * share + 1e-9))


def test_the_most_uncertain_are_dropped_and_none_else():
    scores = np.array([0.5, 0.1, 0.9, 0.9, 0.2, 0.3, 0.0, 0.4, 0.6, 0.7])
    assert np.flatnonzero(~most_certain(scores, 0.2)).tolist() == [2, 3]
    assert np.flatnonzero(~most_certain(scores, 0.1)).tolist() == [3]
    assert most_certain(scores, 0.0).all()


def test_within_classes_each_loses_its_most_uncertain():
    scores = np.array([0.1, 0.2, 0.3, 0.4, 5.0, 6.0, 7.0, 8.0])
    classes = np.array([1, 1, 1, 1, 2, 2, 2, 2])
    assert np.flatnonzero(~most_certain(scores, 0.5)).tolist() == [4, 5, 6, 7]
    assert np.flatnonzero(~most_certain(scores, 0.5, classes)).tolist() == [2, 3, 6, 7]
    assert (~most_certain(scores, 0.3, classes)).sum() == 2


def test_the_main_class_leaves_out_background_and_ignored_pixels():
    assert main_class(np.array([[0, 0, 0, 255, 255, 2, 2, 1]], np.uint8)) == 2
    assert main_class(np.zeros((2, 2), np.uint8)) == 0


def test_a_sample_is_the_same_in_any_batch(labeler):
    params = GenerateParams(batch=3)
    one = next(iter(draw(labeler, source_of(labeler, 7), range(5, 6), params)))
    many = list(draw(labeler, source_of(labeler, 7), range(8), params))
    images, scores = np.concatenate([b.images for b in many]), np.concatenate([b.scores for b in many])
    assert np.abs(images[5].astype(int) - one.images[0]).max() <= 1
    assert scores[5] == pytest.approx(one.scores[0], rel=1e-4)


def test_seeds_give_other_samples(labeler):
    a, b = (source_of(labeler, seed)(range(4)) for seed in (0, 1))
    assert not torch.allclose(a, b)
    assert torch.equal(a, source_of(labeler, 0)(range(4)))


def test_reencoded_latents_are_those_that_the_encoder_finds_for_the_drawn_image(labeler):
    torch.manual_seed(1)
    encoder = build_encoder(labeler.generator, EncoderParams(channel_base=64, channel_limit=8), 1).eval()
    torch.nn.init.constant_(encoder.layer_gain, 0.5)
    drawn = source_of(labeler, 0)(range(4))
    found = LatentSource(labeler.generator, encoder, 1.0, 0)(range(4))
    images = labeler.generator.synthesis(drawn).clamp(-1, 1)
    assert torch.allclose(found, encoder(images))
    assert not torch.allclose(found, drawn)
    labelled = next(iter(draw(labeler, lambda numbers: found, range(4), GenerateParams())))
    assert np.array_equal(labelled.images, to_arrays(labeler.generator.synthesis(found)))


def test_uncertain_pixels_become_ignored_by_param(labeler):
    source = source_of(labeler, 0)
    drawn = next(iter(draw(labeler, source, range(4), GenerateParams(ignore_above=1e-9))))
    assert (drawn.labels == 255).mean() > 0.5
    assert not (next(iter(draw(labeler, source, range(4), GenerateParams()))).labels == 255).any()


def test_a_join_holds_both_sets_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image, mask = np.full((4, 4, 1), 7, np.uint8), np.ones((4, 4), np.uint8)
    write_set(recipes.LABELED, [Sample(f"labeled-{i}", image, mask, {"source_id": f"s{i}"}) for i in range(3)])
    facts = {"recipe": "gan", "seed": 0, "generator": "g", "labeler": "l", "source_id": "x", "uncertainty": 0.5}
    write_set(recipes.GENERATED / "gan", [Sample(f"gan-{i}", image, mask, facts) for i in range(5)], shard_size=2)
    index = recipes.write_join(tmp_path / "joined", "gan+real", shard_size=2)
    assert index["recipe"].tolist() == ["gan"] * 5 + ["real"] * 3
    found = read_set(tmp_path / "joined")
    assert found.index["key"].tolist() == index["key"].tolist()
    assert len(found.require_masks()) == 8
    pd.testing.assert_frame_equal(found.index, index)


def test_a_join_with_nothing_is_nothing_and_not_the_labelled_images_under_another_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_set(recipes.LABELED, [Sample("labeled-0", np.zeros((4, 4, 1), np.uint8), facts={"source_id": "s"})])
    write_set(recipes.GENERATED / "composite", [])
    assert len(recipes.write_join(tmp_path / "joined", "composite+real", shard_size=2)) == 0


@pytest.mark.parametrize(
    ("head", "shape"), [(KeypointHead(3, (16, 16), 1.5), (3, 3)), (DepthHead(), (16, 16))], ids=["keypoints", "depth"]
)
def test_other_labels_are_drawn_kept_and_written_too(labeler, tmp_path, head, shape):
    ensemble = Ensemble(3, labeler.folded.first.shape[0], (8, 8), head.outputs).eval()
    other = replace(labeler, folded=fold(ensemble), head=head)
    params = GenerateParams(batch=4, shard_size=6)
    draw_pieces(other, source_of(other, 0), params, 8, tmp_path, range(2), lambda _: None)
    scores, classes = read_scores(tmp_path, 2, head.kind)
    assert scores.shape == (8,)
    assert not classes.any()
    samples = list(kept_samples(tmp_path, 2, most_certain(scores, 0.25), 100, head.kind, {"recipe": "gan"}))
    assert len(samples) == 6
    assert all(getattr(sample, head.kind).shape == shape and sample.mask is None for sample in samples)


def test_the_class_of_an_image_is_read_from_the_means_of_its_maps(labeler, tmp_path):
    generator = labeler.generator
    torch.manual_seed(1)
    ensemble = Ensemble(3, sum(generator.synthesis.feature_channels[1:]) + 1, (8, 8), 4).eval()
    whole = LabelGenerator(generator, fold(ensemble), ClassHead(4), context=False)
    draw_pieces(
        whole, source_of(whole, 0), GenerateParams(batch=4, shard_size=6), 6, tmp_path, range(1), lambda _: None
    )
    _, classes = read_scores(tmp_path, 1, "class_id")
    _, maps = generator.synthesis.features(source_of(whole, 0)(range(6)))
    images = generator.synthesis(source_of(whole, 0)(range(6))).clamp(-1, 1)
    means = torch.cat([m.mean(dim=(2, 3)) for m in (*maps[1:], images)], dim=1)
    votes = ensemble(means.expand(3, -1, -1)).argmax(dim=-1)
    assert classes.tolist() == [int(torch.bincount(v, minlength=4).argmax()) + 1 for v in votes.T]
    samples = kept_samples(tmp_path, 1, np.ones(6, bool), 6, "class_id", {"recipe": "gan"})
    assert [sample.class_id for sample in samples] == classes.tolist()
