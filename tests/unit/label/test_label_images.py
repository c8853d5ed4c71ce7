"""Labelling a folder of images: labels of images that the GAN drew come back, formats agree, mistakes are said."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml
from label_images_builders import (
    CLASSES,
    ENSEMBLE,
    PARAMS,
    SIZE,
    drawn,
    make_project,
    save_images,
    table_of,
    true_labels,
)
from PIL import Image

from stages.common.errors import UserError
from stages.common.exchange import read
from stages.common.samples import read_index
from stages.label.__main__ import command
from stages.label.images import beside, depth_unit, label_images
from stages.prepare.params import PrepareParams
from stages.pretrain.build import load_generator

COUNT = 6


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project with a folder of drawn images and one of noise, labelled once."""
    root = make_project(tmp_path_factory.mktemp("project"))
    generator = load_generator(root / "models/pretrain/generator.safetensors")
    ws, images = drawn(generator, COUNT, seed=2)
    save_images(root / "photos", images)
    noise = np.random.default_rng(0).integers(0, 2, SIZE).astype(np.uint8) * 255
    Image.fromarray(noise).save(root / "photos/noise.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        label_images(Path("photos"), None, ENSEMBLE)
    return root, true_labels(root, generator, ws)


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    """A copy to make mistakes in."""
    shutil.copytree(made[0], tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def written_masks(root):
    return read(root / "photos-labelled", SIZE, CLASSES)


def refused(folder="photos", into="out"):
    with pytest.raises(UserError) as error:
        label_images(Path(folder), Path(into), ENSEMBLE)
    assert "\n" not in str(error.value)
    assert not Path(into).exists() or into != "out"
    assert not list(Path().glob(".*.partial"))
    return str(error.value)


def test_drawn_images_get_the_labels_of_their_latents(made):
    root, truth = made
    found = written_masks(root)
    assert len(np.unique(truth)) == len(CLASSES)
    agreement = [(found[f"photo-{i}"] == truth[i]).mean() for i in range(COUNT)]
    assert min(agreement) > 0.8
    assert np.mean(agreement) > 0.85
    assert max((found[f"photo-{i}"] == truth[i - 1]).mean() for i in range(COUNT)) < 0.7  # of another image


def test_the_image_that_the_gan_cannot_draw_is_flagged_and_first(made):
    table = table_of(made[0] / "photos-labelled")
    assert table["file"][0] == "noise.png"
    assert table["flagged"].tolist() == [True] + [False] * COUNT
    assert sorted(table["file"][1:]) == [f"photo-{i}.png" for i in range(COUNT)]
    assert table["score"][1:].is_monotonic_decreasing
    assert table["reconstruction_error"][0] > 2.5 * read_index(made[0] / "data/invert")["error"].median()


def test_all_formats_hold_the_same_masks(made):
    folder = made[0] / "photos-labelled"
    masks = written_masks(made[0])
    assert len(masks) == COUNT + 1
    tasks = json.loads((folder / "label_studio.json").read_text())
    accepted = [task | {"annotations": [{"result": one["result"]} for one in task["predictions"]]} for task in tasks]
    (made[0] / "accepted.json").write_text(json.dumps(accepted))
    changed = (folder / "annotations.xml").read_text().replace('source="auto"', 'source="semi-auto"')
    (made[0] / "changed.xml").write_text(changed)
    for path in (made[0] / "accepted.json", made[0] / "changed.xml", folder / "instances_default.json"):
        found = read(path, SIZE, CLASSES)
        assert sorted(found) == sorted(masks)
        assert all((found[name] == masks[name]).all() for name in masks), path
    assert Path(tasks[0]["data"]["image"]).stem == "noise"


def test_images_and_masks_fit_the_layout_of_a_folder_of_labelled_images(made):
    folder = made[0] / "photos-labelled"
    for name, mask in written_masks(made[0]).items():
        given, kept = (np.asarray(Image.open(path / f"{name}.png")) for path in (made[0] / "photos", folder / "images"))
        assert (given == kept).all()
        assert (np.asarray(Image.open(folder / f"SegmentationClass/{name}.png")) == mask).all()


def test_the_overview_shows_four_rows_of_all_images(made):
    with Image.open(made[0] / "photos-labelled/overview.png") as picture:
        assert picture.size == (1 + 65 * (COUNT + 1), 1 + 65 * 4)


def test_classes_of_whole_images_are_a_column_of_the_table(tmp_path, monkeypatch):
    root = make_project(tmp_path, labels="image")
    generator = load_generator(root / "models/pretrain/generator.safetensors")
    save_images(root / "photos", drawn(generator, 4, seed=2)[1])
    monkeypatch.chdir(root)
    label_images(Path("photos"), None, ENSEMBLE)
    table = table_of(root / "photos-labelled").sort_values("file")
    assert table["file"].tolist() == [f"photo-{number}.png" for number in range(4)]
    assert set(table["class"]) <= set(CLASSES[1:])
    for shown in ("overview.png", "uncertainty/photo-0.png"):
        assert Image.open(root / "photos-labelled" / shown).size >= SIZE


def test_batches_and_their_sizes_do_not_matter(made, project):
    params = PARAMS | {"invert": PARAMS["invert"] | {"optimise": {"steps": 50, "batch": 100}}}
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    label_images(Path("photos"), Path("again"), ENSEMBLE)
    again, before = read(Path("again"), SIZE, CLASSES), written_masks(made[0])
    assert np.mean([(again[name] == mask).mean() for name, mask in before.items() if name != "noise"]) > 0.99


def test_the_labels_lie_beside_the_images(tmp_path, monkeypatch):
    (tmp_path / "photos/more").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "photos")
    assert beside(Path("more/")) == Path("more-labelled")
    assert beside(Path("a/more")) == Path("a/more-labelled")
    assert beside(Path(".")) == tmp_path / "photos-labelled"


def test_depth_is_written_in_the_unit_of_the_users_own_data(tmp_path):
    assert depth_unit(PrepareParams()) == 0.001
    folder = PrepareParams(source="folder", path=tmp_path)
    assert depth_unit(folder) == 0.001
    described = {"name": "hands", "image": {"size": [16, 16], "channels": 1}, "depth": {"unit_m": 0.0005}}
    (tmp_path / "dataset.yaml").write_text(yaml.safe_dump(described))
    assert depth_unit(folder) == 0.0005


def test_nothing_is_overwritten(project):
    text = refused(into="photos-labelled")
    assert "photos-labelled: is there already" in text
    assert (project / "photos-labelled/labels.csv").is_file()
    with pytest.raises(UserError, match="photos: is there already"):
        label_images(Path("photos"), Path("photos"), ENSEMBLE)


def test_an_empty_folder_is_refused(project):
    (project / "empty").mkdir()
    assert "empty: no .png or .jpg images" in refused("empty")
    assert "nowhere: no such folder" in refused("nowhere")


def test_two_files_of_one_name_are_refused(project):
    Image.new("L", SIZE).save(project / "photos/photo-0.jpg")
    assert "photo-0.jpg has the same name; rename one of them" in refused()


def test_an_unreadable_file_is_refused(project):
    (project / "photos/photo-3.png").write_bytes(b"no image")
    assert "photo-3.png: not a readable image" in refused()


def test_images_of_another_size_are_refused_or_resized(project):
    with Image.open("photos/photo-0.png") as picture:
        picture.resize((48, 32)).save("photos/photo-0.png")
    text = refused()
    assert text.startswith("photos/photo-0.png: 32 x 48 pixels (height x width), but the generator draws 16 x 16")
    assert "prepare.resize to [16, 16]" in text
    (project / "params.yaml").write_text(yaml.safe_dump(PARAMS | {"prepare": {"resize": [16, 16]}}))
    label_images(Path("photos"), Path("out"), ENSEMBLE)
    with Image.open("out/images/photo-0.png") as picture:
        assert picture.size == (16, 16)


@pytest.mark.parametrize(
    ("missing", "stage"),
    [
        ("data/prepare/spec.json", "prepare"),
        ("models/pretrain/generator.safetensors", "pretrain"),
        ("models/invert", "invert"),
        ("data/invert", "invert"),
        ("models/label", "label"),
    ],
)
def test_a_missing_model_names_its_stage(missing, stage, project):
    path = project / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert f"not there yet; run `dvc repro {stage}` first" in refused()


def test_models_that_do_not_belong_together_are_refused(project):
    spec = json.loads(Path("data/prepare/spec.json").read_text())
    Path("data/prepare/spec.json").write_text(json.dumps(spec | {"classes": ["background", "grey"]}))
    assert f"{ENSEMBLE}: was trained for other images or labels than data/prepare has" in refused()
    Path("data/prepare/spec.json").write_text(json.dumps(spec))
    ENSEMBLE.with_name("encoder.safetensors").write_bytes(b"another")
    assert f"{ENSEMBLE}: was trained with another encoder" in refused()


def test_a_mistake_leaves_with_code_two_and_one_sentence(project, capsys):
    for arguments in ({"into": Path("out")}, {"images": Path("nowhere")}):
        with pytest.raises(typer.Exit) as left:
            command(**arguments)
        assert left.value.exit_code == 2
        said = capsys.readouterr().err.strip()
        assert said.startswith("error: ")
        assert "\n" not in said
