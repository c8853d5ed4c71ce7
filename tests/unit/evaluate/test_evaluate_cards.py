import json

import pandas as pd
import pytest
import yaml
from evaluate_builders import gaze_findings, gaze_scored, made_findings, pck_scored, scored

from stages.common.recipes import RECIPES
from stages.common.spec import DatasetSpec
from stages.evaluate.cards import cell, dataset_card, model_card, size_category, summary
from stages.evaluate.provenance import Provenance
from stages.evaluate.wording import recipe_lines


def scores():
    return [scored("real", [0.50, 0.52], 50, eye=[0.1, 0.2]), scored("gan", [0.70, 0.72], 1500, eye=[0.5, 0.6])]


def header(card: str) -> dict:
    _, text, _ = card.split("---\n", 2)
    return yaml.safe_load(text)


def test_dataset_card_has_a_readable_header_and_the_quality_of_the_labels(tmp_path):
    (tmp_path / "reports/label/gan").mkdir(parents=True)
    quality = {"label/miou_cv": 0.803, "label/iou_cv/eye": 0.4}
    (tmp_path / "reports/label/gan/metrics.json").write_text(json.dumps(quality))
    (tmp_path / "reports/validate/gan").mkdir(parents=True)
    (tmp_path / "reports/validate/gan/metrics.json").write_text('{"validate/no_training_copy": 3}')
    (tmp_path / "data/validate/gan").mkdir(parents=True)
    table = pd.DataFrame({"key": ["a", "b"], "reasons": ["no_noise", "no_noise; label_aligned"]})
    table.to_parquet(tmp_path / "data/validate/gan/quarantine.parquet")
    card = dataset_card(made_findings(tmp_path, scores()))
    assert header(card) == {
        "pretty_name": "digits",
        "license": "cc-by-4.0",
        "task_categories": ["image-segmentation"],
        "size_categories": ["1K<n<10K"],
        "tags": ["synthetic"],
    }
    assert "mean IoU 0.803" in card
    assert "`gan`: 3 samples were closer to a training image" in card
    assert "Class eye has the weakest labels in `gan`: IoU 0.400" in card
    assert "`gan`: most samples were set aside for no_noise (2)" in card
    assert "| gan | 1,500 | 2 | - |" in card


def test_the_quality_of_other_labels_has_its_own_figure_and_unit(tmp_path):
    (tmp_path / "reports/label/gan").mkdir(parents=True)
    (tmp_path / "reports/label/gan/metrics.json").write_text('{"label/distance_px_cv": 1.75}')
    card = dataset_card(made_findings(tmp_path, scores()))
    assert "labels of `gan`: mean distance 1.750 (pixels, lower is better), by cross-validation on" in card
    assert "(`label/distance_px_cv`)" in card


def test_recipes_of_real_images_alone_have_no_line_about_copies(tmp_path):
    for recipe in ("real", "transfer", "gan"):
        (tmp_path / f"reports/validate/{recipe}").mkdir(parents=True)
        (tmp_path / f"reports/validate/{recipe}/metrics.json").write_text('{"validate/no_training_copy": 0}')
    found = [scored(recipe, [0.5, 0.6]) for recipe in ("real", "transfer", "gan")]
    copies = dataset_card(made_findings(tmp_path, found)).partition("## Copies")[2].partition("## Known")[0]
    assert "`gan`: 0 samples" in copies
    assert "`transfer`" not in copies
    assert "`real`" not in copies


def test_dataset_card_says_what_was_not_measured(tmp_path):
    card = dataset_card(made_findings(tmp_path, scores(), license="other"))
    assert "was not measured" in card
    assert "Not tested: validate has not run." in card
    assert "The licence is not set." in card


def test_model_card_holds_the_figures_with_their_spread(tmp_path):
    card = model_card(made_findings(tmp_path, scores()))
    assert header(card)["pipeline_tag"] == "image-segmentation"
    assert "| gan | 0.710 ± 0.014 | 2 | 1,500 |" in card
    assert "| eye | 0.150 ± 0.071 | 0.550 ± 0.071 |" in card
    assert "Seed 0 of 2 of `gan`" in card
    assert "| train.steps | 800 |" in card
    assert "digest `unknown`" in card


def test_summary_is_a_table_for_review(tmp_path):
    lines = summary(made_findings(tmp_path, scores(), missing=("gan+real",))).splitlines()
    assert "| real | 50 | 2 | 0.510 ± 0.014 |" in lines
    assert "| gan | 1,500 | 2 | 0.710 ± 0.014 |" in lines
    assert any("gan+real is not in this comparison" in line for line in lines)
    assert lines[lines.index("| IoU of class | real | gan |") + 1] == "|---|---:|---:|"


def eye_scores():
    return [gaze_scored("simulated", [9.0, 9.2], 4000), gaze_scored("refined", [6.0, 6.4], 4000)]


def test_dataset_card_of_eyes_speaks_of_gaze_and_of_the_simulator(tmp_path):
    (tmp_path / "reports/refine").mkdir(parents=True)
    (tmp_path / "reports/refine/metrics.json").write_text('{"refine/label_shift_px": 0.514}')
    card = dataset_card(gaze_findings(tmp_path, eye_scores()))
    assert header(card)["task_categories"] == ["other"]
    assert "grey values, and a direction of gaze for each: pitch and yaw in radians" in card
    assert "- `simulated`: the simulator's images with their exact labels.\n- `refined`: the same, made to look" in card
    assert "what a label shows moved by 0.51 pixels on average" in card
    assert "its gaze error is 2.90° below that of simulated (0.68 of it)" in card
    for word in ("mask", "Classes", "GAN", "uncertainty", "IoU"):
        assert word not in card


def test_model_card_of_gaze_has_its_unit_and_no_classes(tmp_path):
    card = model_card(gaze_findings(tmp_path, eye_scores()))
    assert "pipeline_tag" not in header(card)
    assert "# Gaze of eyes, trained on `refined`" in card
    assert "| recipe | gaze error, mean ± standard deviation over seeds | seeds | samples |" in card
    assert "| refined | 6.20 ± 0.28° | 2 | 4,000 |" in card
    assert "Gaze error (°, lower is better) on 40 real test images" in card
    assert "Output: (N, 3) directions x, y, z" in card
    assert "class" not in card
    assert "IoU" not in card


def test_summary_of_gaze_has_no_table_of_classes(tmp_path):
    lines = summary(gaze_findings(tmp_path, eye_scores())).splitlines()
    assert "| recipe | samples | seeds | gaze error |" in lines
    assert "| simulated | 4,000 | 2 | 9.10 ± 0.14° |" in lines
    assert sum(line.startswith("|---") for line in lines) == 1


def test_cards_of_keypoints_name_the_weakest_and_the_heat_maps(tmp_path):
    spec = DatasetSpec(name="hands", size=(64, 48), channels=1, keypoints=2)
    scores = [pck_scored("real", [0.5, 0.6], k0=[0.4, 0.5], k1=[0.6, 0.7])]
    findings = made_findings(tmp_path, scores, spec=spec, task="keypoints")
    card = model_card(findings)
    assert header(card)["pipeline_tag"] == "keypoint-detection"
    assert "| PCK of keypoint | real |" in card
    assert "- Keypoint 0 is its weakest: PCK 0.450 ± 0.071." in card
    assert "Output: (N, stacks, 2, height, width) heat maps" in card
    assert "Scores from 0 to 1 on 40 real test images" in card
    assert header(dataset_card(findings))["task_categories"] == ["keypoint-detection"]
    assert "2 keypoints for each: x and y in pixels" in dataset_card(findings)


def test_names_stay_in_their_cell():
    assert cell("<b>x</b> | y\nz") == "&lt;b&gt;x&lt;/b&gt; \\| y z"


@pytest.mark.parametrize(
    ("samples", "name"), [(999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (10**6, "n>1M")]
)
def test_size_category(samples, name):
    assert size_category(samples) == name


@pytest.mark.parametrize("by_oracle", [True, False])
def test_the_cards_name_who_annotated(tmp_path, by_oracle):
    (tmp_path / "reports/annotate").mkdir(parents=True)
    (tmp_path / "reports/annotate/metrics.json").write_text(json.dumps({"annotate/by_oracle": float(by_oracle)}))
    (tmp_path / "reports/label/annotated").mkdir(parents=True)
    (tmp_path / "reports/label/annotated/metrics.json").write_text('{"label/miou_cv": 0.7}')
    provenance = Provenance({}, {}, {}, "feed", {"real": "beef", "annotated": "cafe"})
    scores = [scored("real", [0.5, 0.6]), scored("annotated", [0.7, 0.8])]
    findings = made_findings(tmp_path, scores, provenance=provenance)
    card = dataset_card(findings)
    assert "- `annotated`: the same, but its labels were learned from images that the GAN draws" in card
    assert "Estimate of the labels of `annotated`: mean IoU 0.700 (0 to 1), by cross-validation on" in card
    for text in (card, summary(findings)):
        assert ("by an oracle, not by a person" in text) == by_oracle


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_has_a_sentence(recipe):
    names = [name for name, _ in recipe_lines([recipe])]
    assert recipe in names
    assert all(text for _, text in recipe_lines([recipe]))
