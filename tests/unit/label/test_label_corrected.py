"""Corrected annotations come back as a folder that `prepare` reads."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.common.errors import UserError
from stages.common.exchange import FORMATS, POINT_FORMATS, Annotated, Pointed, coco_points
from stages.common.exchange.points import numbered
from stages.common.spec import DatasetSpec, write_spec
from stages.label.corrected import take_in
from stages.prepare.sources.keypoint_json import read_keypoints

SIZE, CLASSES = (6, 8), ("background", "leaf", "stem")
MASKED = DatasetSpec(name="plants", size=SIZE, channels=3, classes=CLASSES)
POINTED = DatasetSpec(name="plants", size=SIZE, channels=3, keypoints=2, flip=(0, 1))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three images in more/, and the spec of masks."""
    monkeypatch.chdir(tmp_path)
    write_spec(MASKED)
    Path("more").mkdir()
    random = np.random.default_rng(0)
    for name in ("a.png", "b.png", "c.jpg"):
        Image.fromarray(random.integers(0, 256, (*SIZE, 3), dtype=np.uint8)).save(Path("more", name))
    return tmp_path


def mask(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 3, SIZE).astype(np.uint8)


def change(path: Path, count: int = -1) -> None:
    """CVAT's annotations after somebody changed the first guesses, or all."""
    path.write_text(path.read_text().replace('source="auto"', 'source="semi-auto"', count))


@pytest.mark.parametrize("tool", ["cvat", "coco"])
@pytest.mark.usefixtures("project")
def test_annotated_images_come_back_with_the_same_pixels(tool: str) -> None:
    FORMATS[tool].write(Path("tool"), [Annotated("a", SIZE, mask(1)), Annotated("c", SIZE, mask(2))], CLASSES)
    if tool == "cvat":
        change(Path("tool/annotations.xml"))
    assert take_in(Path("tool"), Path("more"), Path("mine/labeled")) == 2
    assert sorted(path.name for path in Path("mine/labeled/images").iterdir()) == ["a.png", "c.png"]
    for name, number in (("a", 1), ("c", 2)):
        assert np.array_equal(np.asarray(Image.open(f"mine/labeled/masks/{name}.png")), mask(number))
    assert np.array_equal(np.asarray(Image.open("mine/labeled/images/a.png")), np.asarray(Image.open("more/a.png")))


@pytest.mark.usefixtures("project")
def test_guesses_that_nobody_touched_stay_behind(capsys: pytest.CaptureFixture[str]) -> None:
    FORMATS["cvat"].write(Path("tool"), [Annotated("a", SIZE, mask(1)), Annotated("c", SIZE, mask(2))], CLASSES)
    change(Path("tool/annotations.xml"), count=1)
    assert take_in(Path("tool"), Path("more"), Path("mine")) == 1
    assert [path.name for path in Path("mine/masks").iterdir()] == ["a.png"]
    said = capsys.readouterr().out
    assert "images left out, for nobody changed their guesses: 1" in said
    assert "label: mine: 1 annotated images with their labels" in said
    assert "label: 2 other images of more are left out: tool has no annotation of theirs" in said


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("tool", ["coco", "voc_masks"])
def test_masks_that_are_still_the_guesses_stay_behind(tool: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("labelled").mkdir()
    Path("more").rename("labelled/images")
    guesses = [Annotated(name, SIZE, mask(number)) for number, name in enumerate("abc")]
    FORMATS["voc_masks"].write(Path("labelled"), guesses, CLASSES)
    FORMATS[tool].write(Path("tool"), [*guesses[:2], Annotated("c", SIZE, mask(9))], CLASSES)
    assert take_in(Path("tool"), Path("labelled/images"), Path("all")) == 3  # no folder that --images wrote
    Path("labelled/scales.json").write_text("{}")
    assert take_in(Path("tool"), Path("labelled/images"), Path("mine")) == 1
    assert "images left out, for their masks are still the guesses: 2" in capsys.readouterr().out
    assert np.array_equal(np.asarray(Image.open("mine/masks/c.png")), mask(9))
    assert take_in(Path("labelled/SegmentationClass"), Path("labelled/images"), Path("in-place")) == 3


@pytest.mark.usefixtures("project")
def test_an_image_with_nothing_in_it_comes_back_from_cvat() -> None:
    FORMATS["cvat"].write(Path("tool"), [Annotated("a", SIZE, mask(1)), Annotated("c", SIZE)], CLASSES)
    path = Path("tool/annotations.xml")
    size = f'width="{SIZE[1]}" height="{SIZE[0]}"'
    bare = f'name="c.png" {size} />'
    assert bare in path.read_text()
    path.write_text(path.read_text().replace(bare, f'name="c.png" {size}><tag label="empty" source="manual"/></image>'))
    assert take_in(Path("tool"), Path("more"), Path("mine")) == 1
    assert not np.asarray(Image.open("mine/masks/c.png")).any()


@pytest.mark.usefixtures("project")
def test_keypoints_come_back_as_the_file_that_prepare_reads() -> None:
    write_spec(POINTED)
    points = np.array([[1, 2, 2], [5, 4, 1]], np.float32)
    POINT_FORMATS["cvat"].write(Path("tool"), [Pointed("b", SIZE, points)], numbered(2))
    change(Path("tool/annotations.xml"))
    take_in(Path("tool"), Path("more"), Path("mine"))
    found = read_keypoints(Path("mine/keypoints.json"), 2)["b.png"]
    assert found.points is not None
    assert found.points[:, :2].tolist() == [[1, 2], [5, 4]]


@pytest.mark.usefixtures("project")
def test_files_of_keypoints_can_be_joined() -> None:
    write_spec(POINTED)
    points, joined = np.array([[1, 2, 2], [5, 4, 1]], np.float32), dict[str, list[dict[str, object]]]()
    for name, moved in (("a", 0), ("b", 1)):
        table = points + np.array([[0, 0, 0], [moved, moved, moved]], np.float32)
        coco_points.write(Path(f"tool-{name}"), [Pointed(name, SIZE, table)], numbered(2))
        take_in(Path(f"tool-{name}"), Path("more"), Path(f"mine-{name}"))
        for key, entries in json.loads(Path(f"mine-{name}/keypoints.json").read_text()).items():
            joined[key] = joined.get(key, []) + entries
    assert len({entry["id"] for entry in joined["annotations"]}) == 2
    Path("joined.json").write_text(json.dumps(joined))
    found = {name: one.points for name, one in read_keypoints(Path("joined.json"), 2).items()}
    assert sorted(found) == ["a.png", "b.png"]
    assert found["a.png"] is not None
    assert found["b.png"] is not None
    assert found["a.png"][1].tolist() == [5, 4, 1]
    assert found["b.png"][1].tolist() == [6, 5, 2]


@pytest.mark.usefixtures("project")
def test_images_without_a_known_point_are_left_out() -> None:
    write_spec(POINTED)
    tables = (np.array([[1, 2, 2], [0, 0, 0]], np.float32), np.zeros((2, 3), np.float32))
    items = [Pointed(name, SIZE, points) for name, points in zip("ab", tables, strict=True)]
    POINT_FORMATS["label_studio"].write(Path("tool"), items, numbered(2))
    tasks = json.loads(Path("tool/label_studio.json").read_text())
    for task in tasks:  # as the tool exports what a person submitted
        task["annotations"] = task.pop("predictions", []) or [{"result": []}]
    Path("done.json").write_text(json.dumps(tasks))
    assert take_in(Path("done.json"), Path("more"), Path("mine")) == 1
    assert list(read_keypoints(Path("mine/keypoints.json"), 2)) == ["a.png"]


@pytest.mark.usefixtures("project")
def test_images_are_read_as_prepare_reads_them() -> None:
    upright = np.random.default_rng(5).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    turned, note = Image.fromarray(np.rot90(upright).copy()), Image.Exif()
    note[0x0112] = 6  # to be turned right by 90 degrees
    turned.save("more/a.png", exif=note)
    palette = Image.fromarray(upright).quantize(8)
    palette.save("more/b.png")
    FORMATS["coco"].write(Path("tool"), [Annotated(name, SIZE, mask(1)) for name in "ab"], CLASSES)
    take_in(Path("tool"), Path("more"), Path("mine"))
    assert np.array_equal(np.asarray(Image.open("mine/images/a.png")), upright)
    assert np.array_equal(np.asarray(Image.open("mine/images/b.png")), np.asarray(palette.convert("RGB")))


@pytest.mark.usefixtures("project")
def test_mistakes_leave_nothing_behind() -> None:
    FORMATS["coco"].write(Path("none"), [Annotated("a", SIZE, None)], CLASSES)
    FORMATS["coco"].write(Path("other"), [Annotated("z", SIZE, mask(0))], CLASSES)
    for tool, words in (("none", "none of the 3 images of more is annotated"), ("other", "z: no image is called that")):
        with pytest.raises(UserError, match=words):
            take_in(Path(tool), Path("more"), Path("mine"))
    FORMATS["coco"].write(Path("tool"), [Annotated("a", SIZE, mask(0))], CLASSES)
    Path("large").mkdir()
    Image.new("RGB", (20, 10)).save("large/a.png")
    with pytest.raises(
        UserError, match=r"a\.png: 10 x 20 pixels \(height x width\), but its labels are 6 x 8; name the"
    ):
        take_in(Path("tool"), Path("large"), Path("mine"))
    for name in ("voc_masks", "cvat"):
        FORMATS[name].write(Path("both"), [Annotated("a", SIZE, mask(0))], CLASSES)
    with pytest.raises(
        UserError, match=r"^both: holds SegmentationClass/ and annotations\.xml, and one of them is not"
    ):
        take_in(Path("both"), Path("more"), Path("mine"))
    FORMATS["coco"].write(Path("tool"), [Annotated("a", SIZE, mask(0))], CLASSES)
    with pytest.raises(UserError, match="more: is there already"):
        take_in(Path("tool"), Path("more"), Path("more"))
    write_spec(MASKED.model_copy(update={"labels": "image"}))
    with pytest.raises(UserError, match="neither masks nor keypoints"):
        take_in(Path("tool"), Path("more"), Path("mine"))
    assert not Path("mine").exists()
