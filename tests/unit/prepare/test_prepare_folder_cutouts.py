from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import yaml
from PIL import Image

from stages.common.errors import UserError
from stages.prepare.cutouts import background_records, foreground_records
from stages.prepare.cutouts.canvas import solid_box
from stages.prepare.cutouts.checking import Inspection
from stages.prepare.duplicates import HeldOut
from stages.prepare.params import PrepareParams
from stages.prepare.records import Record
from stages.prepare.sources import open_source

SIZE = (24, 32)
CLASSES = ["background", "cup", "pen"]


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def cut_out(height: int = 20, width: int = 10, colour=(200, 10, 10), margin: int = 3) -> np.ndarray:
    """An opaque rectangle with a transparent margin of another colour."""
    pixels = np.full((height + 2 * margin, width + 2 * margin, 4), (0, 0, 255, 0), np.uint8)
    pixels[margin : margin + height, margin : margin + width] = (*colour, 255)
    return pixels


@pytest.fixture
def root(tmp_path) -> Path:
    """Labelled images and no cut-outs yet."""
    random = np.random.default_rng(0)
    for pool in ("labeled", "test"):
        for number in range(4):
            save(tmp_path / pool / "images" / f"{number}.png", random.integers(0, 256, (*SIZE, 3)).astype(np.uint8))
            mask = np.zeros(SIZE, np.uint8)
            mask[2:10, 2:10] = number % 2 + 1
            save(tmp_path / pool / "masks" / f"{number}.png", mask)
    save(tmp_path / "unlabeled" / "u.png", random.integers(0, 256, (*SIZE, 3)).astype(np.uint8))
    describe(tmp_path, CLASSES)
    return tmp_path


def describe(root: Path, classes: list[str], channels: int = 3) -> None:
    content = {"name": "toy", "image": {"size": list(SIZE), "channels": channels}, "classes": classes}
    (root / "dataset.yaml").write_text(yaml.safe_dump(content))


class Cutouts(NamedTuple):
    foregrounds: list[Record]
    backgrounds: list[Record]
    bad: list[tuple[str, str]]


def cut(root: Path, quarantine: bool = False, **values) -> Cutouts:
    params = PrepareParams.model_validate({"source": "folder", "path": root} | values)
    source = open_source(params)
    labeled = [record for record in source.records if record.pool == "labeled"]
    fronts, grounds = foreground_records(params, source, labeled), background_records(params, source, 0)
    look = Inspection(source.spec, quarantine, HeldOut([], [], [], np.zeros((0, 768), np.uint8), 0.02))
    found = [[record for record, _ in read] for read in (look.foregrounds(list(fronts)), look.backgrounds(grounds))]
    return Cutouts(*found, look.bad)


def refused(root: Path, **values) -> str:
    with pytest.raises(UserError) as error:
        cut(root, **values)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_folder_without_either_has_none(root):
    assert cut(root) == Cutouts([], [], [])


def test_sub_folders_name_the_class(root):
    save(root / "foregrounds/cup/a.png", cut_out())
    save(root / "foregrounds/pen/a.png", cut_out(4, 18))
    cup, pen = cut(root).foregrounds
    assert (cup.source_id, pen.source_id) == ("cup/a", "pen/a")
    pixels = cup.read()
    assert pixels.class_id == 1
    assert pixels.alpha is not None
    assert pixels.image.shape == (*SIZE, 3)
    assert solid_box(pixels.alpha) == (11, 2, 10, 20)
    assert (pixels.image == (200, 10, 10)).all()
    assert pen.read().class_id == 2


def test_a_table_names_the_class_and_grey_data_takes_grey_cut_outs(root):
    describe(root, CLASSES, channels=1)
    save(root / "foregrounds/a.png", cut_out(colour=(90, 90, 90)))
    save(root / "foregrounds/b.png", cut_out())
    (root / "foregrounds/labels.csv").write_text("file,class\na.png,pen\nb.png,cup\n")
    first, second = (record.read() for record in cut(root).foregrounds)
    assert (first.class_id, second.class_id) == (2, 1)
    assert first.image.shape == (*SIZE, 1)
    assert (first.image == 90).all()


def test_the_only_foreground_class_needs_no_name_and_a_palette_may_be_transparent(root):
    describe(root, CLASSES[:2])
    for pool in ("labeled", "test"):
        for path in (root / pool / "masks").iterdir():
            save(path, np.minimum(np.asarray(Image.open(path)), 1))
    save(root / "foregrounds/a.png", cut_out())
    Image.open(root / "foregrounds/a.png").quantize(8).save(root / "foregrounds/b.png")
    assert [record.read().class_id for record in cut(root).foregrounds] == [1, 1]


def test_a_large_cut_out_is_scaled_down_to_the_share_that_is_allowed(root):
    for name in CLASSES[1:]:
        save(root / "foregrounds" / name / "a.png", cut_out(120, 60))
    alpha = cut(root, foregrounds={"largest": 0.5}).foregrounds[0].read().alpha
    assert alpha is not None
    assert solid_box(alpha) == (13, 6, 6, 12)


def test_prepare_resize_is_the_size_of_cut_outs_and_backgrounds_too(root):
    for name in CLASSES[1:]:
        save(root / "foregrounds" / name / "a.png", cut_out(8, 8))
    save(root / "backgrounds/a.png", np.full((40, 60, 3), 9, np.uint8))
    found = cut(root, resize=[16, 16], backgrounds={"count": 2})
    front = found.foregrounds[0].read()
    assert front.alpha is not None
    assert solid_box(front.alpha) == (4, 4, 8, 8)
    assert [record.read().image.shape for record in found.backgrounds] == [(16, 16, 3)] * 2


def test_backgrounds_take_turns_until_there_are_enough(root):
    for name in ("a", "b"):
        save(root / f"backgrounds/{name}.png", np.random.default_rng(0).integers(0, 256, (48, 96, 3)).astype(np.uint8))
    found = cut(root, backgrounds={"count": 5}).backgrounds
    assert [record.source_id for record in found] == ["a-0", "a-1", "a-2", "b-0", "b-1"]
    parts = [record.read().image for record in found]
    assert all(part.shape == (*SIZE, 3) for part in parts)
    assert (parts[0] != parts[1]).any()
    assert [r.source_id for r in cut(root, backgrounds={"count": 5, "crop": "middle"}).backgrounds] == ["a", "b"]
    assert [r.source_id for r in cut(root, backgrounds={"count": None}).backgrounds] == ["a", "b"]


def test_labelled_objects_serve_where_there_are_no_cut_outs(root):
    found = cut(root, foregrounds={"source": "labeled"}).foregrounds
    assert [record.read().class_id for record in found] == [1, 2, 1, 2]
    original = np.asarray(Image.open(root / "labeled/images/0.png"))
    np.testing.assert_array_equal(found[0].read().image[8:16, 12:20], original[2:10, 2:10])


def test_every_mistake_is_one_sentence(root):
    assert "foregrounds: no .png images" in refused(root, foregrounds={"source": "folder"})
    assert "backgrounds: no .png or .jpg images" in refused(root, backgrounds={"source": "folder"})
    save(root / "foregrounds/cup/a.png", cut_out())
    assert refused(root).startswith("class pen: no foreground shows it; add a cut-out of it")
    save(root / "foregrounds/pencil/a.png", cut_out())
    assert "no class pencil; the foreground classes of dataset.yaml are cup, pen" in refused(root)
    (root / "foregrounds/pencil").rename(root / "foregrounds/background")
    assert "no class background" in refused(root)
    (root / "foregrounds/background").rename(root / "foregrounds/pen")
    assert len(cut(root).foregrounds) == 2
    save(root / "foregrounds/b.png", cut_out())
    assert "b.png: nothing says its class" in refused(root)
    (root / "foregrounds/labels.csv").write_text("file,class\na.png,cup\n")
    assert "labels.csv: b.png is not listed" in refused(root)
    (root / "foregrounds/labels.csv").write_text("file,kind\nb.png,cup\n")
    assert "labels.csv: no column class; it has file, kind" in refused(root)
    (root / "foregrounds/labels.csv").write_text("file,class\nb.png,cup\nb.png,pen\n")
    assert "labels.csv: b.png is listed twice; remove one of its rows" in refused(root)
    (root / "foregrounds/labels.csv").write_text("file,class\nb.png,\n")
    assert "labels.csv: b.png has no class; write it beside the name" in refused(root)
    (root / "foregrounds/labels.csv").write_text("file;class\nb.png;cup\n")
    assert "labels.csv: its columns are separated with semicolons; separate them with commas" in refused(root)
    (root / "foregrounds/labels.csv").write_text("file,class\nb,cup\n")
    assert "labels.csv: b has no suffix; give whole names, such as b.png" in refused(root)


def test_bad_cut_outs_and_backgrounds_are_refused_or_left_out(root):
    for name in CLASSES[1:]:
        save(root / "foregrounds" / name / "a.png", cut_out())
    save(root / "foregrounds/cup/b.png", cut_out()[:, :, :3])
    assert "b.png: no alpha channel (mode RGB)" in refused(root)
    save(root / "foregrounds/cup/b.png", cut_out() * np.array([1, 1, 1, 0], np.uint8))
    assert "b.png: its alpha channel is empty" in refused(root)
    assert [Path(file).name for file, _ in cut(root, quarantine=True).bad] == ["b.png"]
    (root / "foregrounds/cup/b.png").unlink()
    save(root / "backgrounds/small.png", np.zeros((24, 31, 3), np.uint8))
    assert "small.png: 24 x 31 pixels (height x width), smaller than the frame, 24 x 32" in refused(root)


def test_a_path_of_backgrounds_that_a_folder_does_not_read_is_named(root, capsys):
    open_source(PrepareParams.model_validate({"source": "folder", "path": root, "backgrounds": {"path": root}}))
    said = f"note: prepare.backgrounds.path is not read for source folder; put the images in {root / 'backgrounds'}"
    assert said in capsys.readouterr().out
    assert cut(root) == Cutouts([], [], [])
    assert "note" not in capsys.readouterr().out
