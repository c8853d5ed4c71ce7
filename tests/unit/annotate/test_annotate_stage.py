"""The stage with an oracle, and what the stages after it make of annotated images, or of none."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from annotate_builders import DEPTH, MASKS, POINTS, annotate, exported, metrics, write_project

from stages.common.params import SharedParams
from stages.common.samples import read_index, read_set
from stages.common.tracking import Tracker
from stages.common.weights import load_weights
from stages.evaluate.predict import find_models
from stages.generate.__main__ import main as generate
from stages.generate.params import GenerateParams
from stages.invert.storage import read_inverted
from stages.label.__main__ import main as label
from stages.label.params import LabelParams
from stages.pretrain.build import load_generator
from stages.train.__main__ import main as train
from stages.train.params import TrainParams
from stages.validate.__main__ import main as validate
from stages.validate.params import ValidateParams

ANNOTATED, SHARED = Path("data/annotate/annotated"), SharedParams(device="cpu")
QUICK = {"members": 2, "steps": 4, "batch": 8, "pixels_per_image": 8, "folds": 2, "fold_members": 1, "hidden": [8, 8]}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


@pytest.mark.parametrize("select", ["random", "coverage", "disagreement"])
def test_an_oracle_annotates_digits_and_is_called_one(project, capsys, select):
    write_project(MASKS, digits=30)
    annotate(select=select)
    assert "4 images annotated by an oracle, not by a person" in capsys.readouterr().out
    samples, ws, facts = read_inverted(ANNOTATED)
    assert (len(samples), len(ws)) == (4, 4)
    assert sorted(samples.index["source_id"]) == exported()
    assert samples.index["annotator"].unique().tolist() == ["oracle"] == [facts["annotator"]]
    assert metrics()["annotate/by_oracle"] == 1
    assert 0 <= metrics()["annotate/oracle_accuracy"] <= 1
    ink = samples.images[:, :, :, 0] >= 128
    assert np.array_equal(samples.require_masks() > 0, ink)


@pytest.mark.parametrize(("spec", "name"), [(POINTS, "keypoints"), (DEPTH, "depth")], ids=["keypoints", "depth"])
def test_rules_alone_label_keypoints_and_depth(project, spec, name):
    write_project(spec, digits=4)
    annotate()
    samples = read_inverted(ANNOTATED)[0]
    assert samples.masks is None
    assert len(getattr(samples, name)) == 4
    assert "annotate/oracle_accuracy" not in metrics()
    assert metrics()["annotate/by_oracle"] == 1


def test_the_same_seed_selects_the_same_images_and_another_others(project):
    write_project(MASKS, digits=10)
    annotate()
    first = exported()
    annotate()
    assert exported() == first


def test_latents_are_led_through_the_encoder_when_asked(project):
    write_project(MASKS, digits=10)
    annotate(select="random")
    led = read_inverted(ANNOTATED)
    annotate(select="random", reencode=False)
    plain = read_inverted(ANNOTATED)
    assert (led[2]["reencode"], plain[2]["reencode"]) == (True, False)
    assert not (plain[1] - plain[1][:, :1]).any()  # a drawn latent is the same at every layer
    assert (led[1] - led[1][:, :1]).abs().max() > 1e-3


@pytest.mark.parametrize("reencode", [True, False])
def test_a_label_generator_learns_from_annotated_images_and_labels_the_dataset(project, reencode):
    write_project(MASKS, digits=10)
    annotate(reencode=reencode)
    label(LabelParams.model_validate(QUICK), SHARED, Tracker(None), "annotated")
    assert Path("models/label/annotated/encoder.safetensors").exists() == reencode
    assert load_weights(Path("models/label/annotated/ensemble.safetensors"))[1]["annotator"] == "oracle"
    # generate.reencode is of the recipe gan: what taught the labels decides here.
    generate(GenerateParams(samples=6, batch=4, reencode=not reencode), SHARED, Tracker(None), "annotated")
    made = read_set(Path("data/generate/annotated"))
    assert made.index["recipe"].unique().tolist() == ["annotated"]
    assert made.index["annotator"].unique().tolist() == ["oracle"]
    assert made.index["labeler"].str.len().tolist() == [16] * 6
    drawn = drawn_images(6)
    assert (np.abs(made.images.astype(int) - drawn).max() <= 1) == (not reencode)


def drawn_images(count: int) -> np.ndarray:
    """The first images that a dataset draws, by latents as they are drawn."""
    from stages.common.tensors import to_arrays
    from stages.invert.latents import LatentSource

    generator = load_generator(Path("models/pretrain/generator.safetensors"))
    with torch.no_grad():
        images = generator.synthesis(LatentSource(generator, None, 0.7, 0)(range(count)))
    return to_arrays(images).astype(int)


def test_without_annotations_the_recipe_ends_without_models_and_without_an_error(project, capsys):
    write_project(MASKS)
    annotate()
    label(LabelParams.model_validate(QUICK), SHARED, Tracker(None), "annotated")
    for recipe in ("annotated", "annotated+real"):
        generate(GenerateParams(samples=6), SHARED, Tracker(None), recipe)
        validate(ValidateParams(), SHARED, Tracker(None), recipe)
        train(TrainParams(), SHARED, Tracker(None), recipe)
        assert len(read_index(Path("data/generate", recipe))) == 0
        assert len(pd.read_parquet(Path("data/validate", recipe, "accepted.parquet"))) == 0
        assert find_models(Path("models/train", recipe)) == {}
        assert Path("reports/train", recipe, "history.csv").read_text().startswith("seed,step,loss,")
        for left in ("validate/{}/pictures", "validate/{}/validation.json", "train/{}/metrics.json"):
            assert Path("reports", left.format(recipe)).exists()
    said = capsys.readouterr().out
    for words in ("nothing is annotated yet", "gets no label generator", "nothing to judge", "nothing to train on"):
        assert words in said
