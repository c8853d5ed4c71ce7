from pathlib import Path

import pytest

from stages.common.errors import UserError
from stages.common.params import SharedParams
from stages.common.samples import read_set
from stages.common.tracking import Tracker
from stages.prepare.__main__ import main
from stages.prepare.later import check_folds, without_source
from stages.prepare.params import PrepareParams


def test_a_misspelt_recipe_to_compare_ends_the_first_stage_before_it_reads_an_image(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("evaluate: {recipes: [real, composit]}\n")
    params = PrepareParams.model_validate({"source": "folder", "path": tmp_path / "nowhere"})
    with pytest.raises(UserError, match=r"^params\.yaml: evaluate\.recipes\.1: .*found 'composit'"):
        main(params, SharedParams(), Tracker(None))
    Path("params.yaml").write_text("evaluate: {recipes: [real, composite]}\n")
    with pytest.raises(UserError, match=r"nowhere is no folder"):
        main(params, SharedParams(), Tracker(None))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("train: {stps: 3}", r"^params\.yaml: train\.stps is not a known key; did you mean steps"),
        ("pretrain: {images: lots}", r"^params\.yaml: pretrain\.images: .*found 'lots'"),
        ("train: {seeds: [0, 1, 0]}", r"^params\.yaml: train\.seeds: each seed once"),
    ],
)
def test_a_mistake_in_a_section_of_a_later_stage_ends_the_first_one(tmp_path, monkeypatch, content, sentence):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(content)
    params = PrepareParams.model_validate({"source": "folder", "path": tmp_path / "nowhere"})
    with pytest.raises(UserError, match=sentence):
        main(params, SharedParams(), Tracker(None))


def test_a_target_that_cannot_learn_the_labels_ends_the_first_stage(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = {"labeled": 10, "val": 0, "test": 10, "unlabeled": 20, "near_duplicate_rms": 0, "simulator": "none"}
    params = PrepareParams.model_validate(settings)
    Path("params.yaml").write_text("train: {target: hourglass, steps: 3}\n")
    with pytest.raises(UserError, match=r"train\.target: hourglass learns keypoints, but digits has labels: masks"):
        main(params, SharedParams(), Tracker(None))
    assert not Path("data/prepare").exists()
    Path("params.yaml").write_text("train: {target: [hourglass]}\n")
    with pytest.raises(UserError, match=r"^params\.yaml: train\.target: input should be a valid string"):
        main(params, SharedParams(), Tracker(None))
    Path("params.yaml").write_text("train: {target: hourglass}\n")
    main(params.model_copy(update={"learn": "keypoints"}), SharedParams(), Tracker(None))
    assert Path("data/prepare/labeled").is_dir()


@pytest.mark.parametrize("learn", ["keypoints", "depth"])
def test_classes_that_are_not_learnt_ask_for_no_images(tmp_path, monkeypatch, learn):
    monkeypatch.chdir(tmp_path)
    settings = {"labeled": 3, "val": 2, "test": 4, "unlabeled": 20, "near_duplicate_rms": 0, "simulator": "none"}
    params = PrepareParams.model_validate(settings)
    with pytest.raises(UserError, match=r"^prepare\.labeled: 3 labelled images for 10 classes"):
        main(params, SharedParams(), Tracker(None))
    main(params.model_copy(update={"learn": learn}), SharedParams(), Tracker(None))
    counts = {name: len(read_set(Path("data/prepare") / name)) for name in ("labeled", "val", "test", "foregrounds")}
    assert counts == {"labeled": 3, "val": 2, "test": 4, "foregrounds": 3}


def test_more_folds_than_groups_of_test_images_end_the_first_stage(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = {"labeled": 10, "val": 0, "test": 10, "unlabeled": 20, "near_duplicate_rms": 0, "simulator": "none"}
    params = PrepareParams.model_validate(settings)
    Path("params.yaml").write_text("evaluate: {folds: 11}\ntrain: {checkpoints: 2}\n")
    with pytest.raises(UserError) as error:
        main(params, SharedParams(), Tracker(None))
    assert str(error.value) == (
        "params.yaml: evaluate.folds: 11 folds, but the 10 test images are of 10 groups, and a fold holds whole ones; "
        "set it to at most 10, or 0 for none, or name smaller groups by prepare.group_pattern"
    )
    Path("params.yaml").write_text("evaluate: {folds: 10}\ntrain: {checkpoints: 2}\n")
    main(params, SharedParams(), Tracker(None))


def test_folds_hold_whole_groups_of_test_images():
    cities = ["frankfurt"] * 267 + ["lindau"] * 59 + ["munster"] * 174
    with pytest.raises(UserError, match=r"5 folds, but the 500 test images are of 3 groups.*; set it to at most 3, or"):
        check_folds(5, cities)
    check_folds(3, cities)
    check_folds(0, [])
    with pytest.raises(UserError, match=r"2 folds, but the 267 test images are of 1 group, .*; set it to 0 for none"):
        check_folds(2, cities[:267])


def test_recipes_without_a_source_are_told_of_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipes = ["real", "simulated", "refined+real", "composite", "full"]
    assert without_source(recipes, {"simulated": 5, "foregrounds": 1, "full": 1}) == []
    simulated, full = without_source(recipes, {"simulated": 0, "foregrounds": 1, "full": 0})
    assert "no images in simulated, so simulated and refined+real will be left out of the comparison" in simulated
    assert "no images in full, so full will be" in full
    assert without_source(["real", "gan"], {"simulated": 0, "foregrounds": 0, "full": 0}) == []
