"""How report and cards speak of classification and detection."""

from pathlib import Path

import numpy as np
import pytest
import torch
from evaluate_builders import made_findings, target_of

from stages.common.spec import DatasetSpec
from stages.evaluate.cards import dataset_card, model_card, summary
from stages.evaluate.findings import Findings
from stages.evaluate.glossary import meaning_of
from stages.evaluate.html import render
from stages.evaluate.images import picture_rows
from stages.evaluate.scores import collect
from stages.evaluate.wording import labels_of, task_categories

CLASSES = ("nothing", "cat", "dog")
BOXES = DatasetSpec(name="pets", size=(16, 16), channels=1, classes=CLASSES, labels="boxes")
IMAGES = BOXES.model_copy(update={"labels": "image"})
EXTRA = {"boxes": {"map_50": 0.9, "voc07_ap": 0.8}, "image": {}}


def found(root: Path, spec: DatasetSpec) -> Findings:
    """Two recipes of two seeds each."""
    target = target_of(spec)
    name, part = target.metric.name, target.metric.part
    scores = []
    for recipe, value in (("real", 0.4), ("gan", 0.6)):
        by_seed = {
            seed: {name: value + seed / 100, f"{part}cat": value, f"{part}dog": value + 0.1} | EXTRA[spec.labels]
            for seed in (0, 1)
        }
        scores.append(collect(recipe, 20, target.metric, by_seed))
    return made_findings(root, scores, spec=spec, task=target.task)


def tiles(spec: DatasetSpec) -> dict[str, list[dict[str, object]]]:
    """Three images with their labels as predictions."""
    target, images = target_of(spec), np.full((3, 16, 16, 1), 90, np.uint8)
    truth = torch.tensor([[[1.0, 2, 9, 9, 1]], [[3, 2, 9, 12, 2]], [[0, 0, 0, 0, -1]]])
    sure = torch.cat([truth, torch.ones(3, 1, 1)], dim=2)
    if spec.labels == "image":
        truth = sure = torch.tensor([1, 2, 1])
    return picture_rows(images, truth, ["a", "b", "c"], {"real": sure, "gan": sure}, "gan", target, 1)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (BOXES, ["mAP", "AP of each class", "VOC 2007 AP", "mean average precision on that image", "2 classes"]),
        (IMAGES, ["accuracy of each class", "accuracy on that image (0 to 1)", "2 classes"]),
    ],
    ids=["boxes", "image"],
)
def test_the_report_names_score_and_classes(tmp_path, spec, words):
    text = render(found(tmp_path, spec), tiles(spec))
    assert [word for word in words if word not in text] == []
    assert "gan leads real" in text or "gan wins" in text
    assert '<i class="key" style="background:' in text  # the colours of boxes and frames
    assert '<th scope="row">dog</th>' in text


def test_the_cards_of_boxes(tmp_path):
    text = model_card(found(tmp_path, BOXES))
    assert "pipeline_tag: object-detection" in text
    assert "# Detection of pets, trained on `gan`" in text
    assert "3 + 4) class scores and box offsets" in text
    assert "Class cat is its weakest: AP" in text
    data = dataset_card(found(tmp_path, BOXES))
    assert "- object-detection" in data
    assert "boxes for each: left, top, right, bottom in pixels" in data
    assert "mAP (0 to 1) on 40 real test images" in summary(found(tmp_path, BOXES))


def test_the_cards_of_classes(tmp_path):
    text = model_card(found(tmp_path, IMAGES))
    assert "pipeline_tag: image-classification" in text
    assert "(N, 2) class scores; the highest in column k, counted from 0, means class k + 1" in text
    assert "- image-classification" in dataset_card(found(tmp_path, IMAGES))


@pytest.mark.parametrize("spec", [BOXES, IMAGES])
def test_without_masks_no_masks_are_spoken_of(spec):
    assert "mask" not in labels_of(spec)
    assert "image-segmentation" not in task_categories(spec)


@pytest.mark.parametrize("name", ["target/accuracy", "target/map", "target/map_50", "target/voc07_ap"])
def test_the_glossary_knows_the_scores(name):
    assert meaning_of(name).meaning
