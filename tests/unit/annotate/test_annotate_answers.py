"""What comes back is bound to the images that went out; each mistake is one sentence."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from annotate_builders import (
    CLASSES,
    DEPTH,
    MASKS,
    POINTS,
    SIZE,
    annotate,
    exported,
    metrics,
    some_masks,
    write_masks,
    write_project,
)
from PIL import Image

from stages.annotate.export import kind_of
from stages.annotate.naming import image_name
from stages.common.errors import UserError
from stages.common.exchange import FORMATS, POINT_FORMATS, Annotated, Pointed
from stages.common.exchange.points import numbered
from stages.common.samples import read_index, read_set
from stages.common.weights import load_weights, save_weights
from stages.invert.storage import read_inverted
from stages.label.labelling import load_label_generator
from stages.pretrain.build import load_generator

EXPORT, ANNOTATED, MINE = Path("data/annotate/export"), Path("data/annotate/annotated"), Path("mine")


@pytest.fixture
def taken(tmp_path, monkeypatch) -> list[str]:
    """A project whose export a person has copied to `mine`; the names of its images."""
    monkeypatch.chdir(tmp_path)
    write_project(MASKS)
    annotate()
    shutil.copytree(EXPORT, MINE)
    return exported()


def test_without_annotations_the_export_is_written_and_the_stage_says_what_is_next(taken, capsys):
    annotate()
    said = capsys.readouterr().out
    assert "nothing is annotated yet; copy data/annotate/export to a folder of yours" in said
    assert len(read_index(ANNOTATED)) == 0
    assert metrics() == {"annotate/candidates": 12, "annotate/exported": 4, "annotate/images": 0}
    assert len(taken) == 4
    for name in taken:
        pixels = np.asarray(Image.open(EXPORT / "images" / f"{name}.png"))[:, :, None]
        assert image_name(pixels) == name
    assert sorted(load_weights(EXPORT / "latents.safetensors")[0]) == taken
    assert {path.name for path in EXPORT.iterdir()} == {"images", "latents.safetensors", *FORMATS}
    assert Path("reports/annotate/pictures/selected.png").is_file()


def test_tools_start_from_what_the_label_generator_of_gan_says(taken):
    generator = load_generator(Path("models/pretrain/generator.safetensors"))
    labeler = load_label_generator(Path("models/label/gan/ensemble.safetensors"), generator)
    latents, _ = load_weights(MINE / "latents.safetensors")
    images, labels = labeler(torch.stack([latents[name] for name in taken]))
    guessed = FORMATS["voc_masks"].read(MINE / "voc_masks", SIZE, CLASSES, taken)
    assert sorted(guessed) == taken
    agree = [np.mean(guessed[name] == mask.numpy()) for name, mask in zip(taken, labels.values, strict=True)]
    assert min(agree) > 0.98  # another batch may round a pixel at a border otherwise
    assert images.shape[0] == 4


@pytest.mark.parametrize("tool", sorted(FORMATS))
def test_each_format_comes_back_bound_to_its_latents(taken, tool):
    masks = some_masks(taken)
    FORMATS[tool].write(MINE / "done", [Annotated(name, SIZE, mask) for name, mask in masks.items()], CLASSES)
    if tool == "label_studio":
        submit(MINE / "done" / "label_studio.json")
    if tool == "cvat":
        change(MINE / "done" / "annotations.xml")
    annotate(answers=MINE / "done")
    samples, ws, facts = read_inverted(ANNOTATED)
    assert samples.index["source_id"].tolist() == taken
    assert samples.index["annotator"].unique().tolist() == ["person"]
    assert facts["annotator"] == "person"
    for row, name in enumerate(taken):
        assert np.array_equal(samples.require_masks()[row], masks[name])
        assert torch.equal(ws[row], load_weights(EXPORT / "latents.safetensors")[0][name])
        pixels = np.asarray(Image.open(EXPORT / "images" / f"{name}.png"))[:, :, None].astype(int)
        assert np.abs(samples.images[row] - pixels).max() <= 1
    assert metrics()["annotate/images"] == 4
    assert metrics()["annotate/by_oracle"] == 0
    assert 0 <= metrics()["annotate/guess_miou"] <= 1


def submit(path: Path) -> None:
    """Label Studio's tasks after somebody accepted every prediction."""
    tasks = json.loads(path.read_text())
    for number, task in enumerate(tasks):
        results = [prediction["result"] for prediction in task.pop("predictions")]
        task |= {"id": number, "annotations": [{"id": number, "result": result} for result in results]}
    path.write_text(json.dumps(tasks))


def change(path: Path, count: int = -1) -> Path:
    """CVAT's annotations after somebody changed the first guesses, or all."""
    path.write_text(path.read_text().replace('source="auto"', 'source="semi-auto"', count))
    return path


def test_guesses_of_cvat_that_nobody_touched_are_no_annotations(taken, capsys):
    items = [Annotated(name, SIZE, mask) for name, mask in some_masks(taken).items()]
    FORMATS["cvat"].write(MINE / "done", items, CLASSES)
    annotate(answers=change(MINE / "done" / "annotations.xml", count=3))
    said = capsys.readouterr().out
    assert "images left out, for nobody changed their guesses: 1" in said
    assert "3 images annotated by a person, 1 left out" in said
    assert read_set(ANNOTATED).index["source_id"].tolist() == taken[:3]


@pytest.mark.parametrize("tool", ["coco", "voc_masks"])
def test_masks_that_are_still_the_guesses_are_no_annotations(taken, tool, capsys):
    masks = FORMATS["voc_masks"].read(MINE / "voc_masks", SIZE, CLASSES, taken)
    masks |= some_masks(taken[:3])
    assert masks[taken[3]].any()  # COCO does not list an image that is all background
    FORMATS[tool].write(MINE / "done", [Annotated(name, SIZE, mask) for name, mask in masks.items()], CLASSES)
    annotate(answers=MINE / "done")
    said = capsys.readouterr().out
    assert "images left out, for their masks are still the guesses: 1" in said
    assert read_set(ANNOTATED).index["source_id"].tolist() == taken[:3]


def test_guesses_that_were_corrected_where_they_lie_are_annotations(taken):
    for place in (MINE / "voc_masks", MINE / "voc_masks/SegmentationClass"):
        annotate(answers=place)
        assert read_set(ANNOTATED).index["source_id"].tolist() == taken


def test_some_of_the_images_are_enough(taken, capsys):
    masks = some_masks(taken[1:3])
    annotate(answers=write_masks(MINE / "masks", masks))
    assert "2 images annotated by a person, 2 left out" in capsys.readouterr().out
    assert read_set(ANNOTATED).index["source_id"].tolist() == taken[1:3]


def test_answers_to_an_older_export_keep_its_latents(taken):
    answers = write_masks(MINE / "masks", some_masks(taken))
    annotate(answers=answers, select="random", images=3)
    assert exported() != taken
    assert read_inverted(ANNOTATED)[0].index["source_id"].tolist() == taken


def test_without_a_copy_the_present_export_holds_the_latents(taken):
    annotate(answers=write_masks(Path("elsewhere/far/masks"), some_masks(taken)))
    assert read_inverted(ANNOTATED)[0].index["source_id"].tolist() == taken


def test_keypoints_come_back_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_project(POINTS)
    annotate()
    assert {path.name for path in EXPORT.iterdir()} == {"images", "latents.safetensors", *POINT_FORMATS}
    shutil.copytree(EXPORT, MINE)
    table = np.array([[number, 2 * number, 2] for number in range(5)], np.float32)
    POINT_FORMATS["cvat"].write(MINE / "done", [Pointed(name, SIZE, table) for name in exported()], numbered(5))
    annotate(answers=change(MINE / "done" / "annotations.xml"))
    found = read_set(ANNOTATED)
    np.testing.assert_allclose(found.require_keypoints(), np.stack([table] * 4), atol=0.01)
    assert found.masks is None
    assert metrics()["annotate/guess_distance_px"] >= 0


def test_keypoints_that_were_submitted_empty_are_no_annotations(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_project(POINTS)
    annotate()
    names, table = exported(), np.array([[number, 2 * number, 2] for number in range(5)], np.float32)
    tables = [table, table, np.zeros_like(table), table]
    items = [Pointed(name, SIZE, found) for name, found in zip(names, tables, strict=True)]
    POINT_FORMATS["label_studio"].write(MINE, items, numbered(5))
    submit(MINE / "label_studio.json")
    annotate(answers=MINE)
    said = capsys.readouterr().out
    assert "label_studio.json: images left out, for none of their points is known: 1" in said
    assert "3 images annotated by a person, 1 left out" in said
    assert read_set(ANNOTATED).index["source_id"].tolist() == [names[0], names[1], names[3]]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("generator", r"mine/latents\.safetensors: latents of another generator than models/pretrain holds now"),
        ("reencode", r"latents\.safetensors: drawn with annotate\.reencode: true; set it to that"),
        ("not_latents", r"latents\.safetensors: not the latents of an export"),
        ("name", r"gan-0123456789abcdef: no image is called that"),
        ("size", r"the mask is 8 x 8 pixels, but its image is 16 x 16"),
        ("class", r"class id 9 is out of range"),
        ("none", r"done: none of the 4 images is annotated; submit annotations of at least 2"),
        ("one", r"masks: 1 of the 4 images is annotated; submit annotations of at least 2"),
        ("missing", r"mine/masks: no such file"),
        ("swapped", r"latents\.safetensors: the latent of gan-[0-9a-f]+ makes another image"),
        ("painted", r"\.png: the image was changed after the export"),
        ("without_images", r"\.png: not there; the generator draws gan-[0-9a-f]+ a little differently than"),
    ],
)
def test_each_mistake_is_a_sentence_and_nothing_is_written(taken, wrong, words):
    before = sorted(path.name for path in Path("data/annotate").rglob("*"))
    answers, changes = spoil(wrong, taken)
    with pytest.raises(UserError, match=words) as caught:
        annotate(answers=answers, **changes)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in Path("data/annotate").rglob("*")) == before


def spoil(wrong: str, names: list[str]) -> tuple[Path, dict[str, object]]:
    """Answers with one mistake, and the changed params that go with it."""
    masks, file, changes = some_masks(names), MINE / "latents.safetensors", dict[str, object]()
    tensors, origin = load_weights(file)
    if wrong == "generator":
        save_weights(file, tensors, origin | {"generator": "0" * 64})
    if wrong == "reencode":
        changes["reencode"] = False
    if wrong == "not_latents":
        save_weights(file, tensors, {})
    if wrong == "name":
        masks["gan-0123456789abcdef"] = masks[names[0]]
    if wrong == "size":
        masks[names[1]] = np.zeros((8, 8), np.uint8)
    if wrong == "class":
        masks[names[1]][0, 0] = 9
    if wrong == "none":
        FORMATS["coco"].write(MINE / "done", [Annotated(name, SIZE) for name in names], CLASSES)
        return MINE / "done", changes
    if wrong == "one":
        masks = {names[0]: masks[names[0]]}
    if wrong in ("swapped", "painted", "without_images"):
        save_weights(file, tensors | {names[0]: tensors[names[1]], names[1]: tensors[names[0]]}, origin)
    if wrong == "painted":
        Image.fromarray(np.full(SIZE, 7, np.uint8)).save(MINE / "images" / f"{names[0]}.png")
    if wrong == "without_images":
        shutil.rmtree(MINE / "images")
    return MINE / "masks" if wrong == "missing" else write_masks(MINE / "masks", masks), changes


def test_rounding_of_another_machine_makes_no_other_image(taken):
    tensors, origin = load_weights(MINE / "latents.safetensors")
    moved = {name: ws * 1.002 for name, ws in tensors.items()}
    save_weights(MINE / "latents.safetensors", moved, origin)
    annotate(answers=write_masks(MINE / "masks", some_masks(taken)))
    images = read_set(ANNOTATED).images
    assert any(image_name(image) != name for image, name in zip(images, taken, strict=True))
    assert len(images) == 4


def test_depth_is_for_an_oracle_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_project(DEPTH)
    with pytest.raises(UserError, match="depth cannot be annotated by hand"):
        annotate()
    assert not Path("data/annotate").exists()


def test_disagreement_needs_a_label_generator(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_project(MASKS, labeler=False)
    with pytest.raises(UserError, match=r"annotate\.select: disagreement, but models/label/gan/ensemble"):
        annotate(select="disagreement")
    annotate(select="coverage")
    assert FORMATS["coco"].read(EXPORT / "coco" / "instances_default.json", SIZE, CLASSES) == {}


def test_labels_that_no_label_generator_learns_are_refused():
    boxes = MASKS.model_copy(update={"labels": "boxes"})
    with pytest.raises(UserError, match="take recipes without annotated"):
        kind_of(boxes)
    assert [kind_of(spec) for spec in (MASKS, POINTS, DEPTH)] == ["mask", "keypoints", "depth"]
