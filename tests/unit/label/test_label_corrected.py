"""Corrected annotations come back as a folder that `prepare` reads."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.common.errors import UserError
from stages.common.exchange import FORMATS, POINT_FORMATS, Annotated, Pointed
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


@pytest.mark.parametrize("tool", ["cvat", "coco"])
@pytest.mark.usefixtures("project")
def test_annotated_images_come_back_with_the_same_pixels(tool: str) -> None:
    FORMATS[tool].write(Path("tool"), [Annotated("a", SIZE, mask(1)), Annotated("c", SIZE, mask(2))], CLASSES)
    assert take_in(Path("tool"), Path("more"), Path("mine/labeled")) == 2
    assert sorted(path.name for path in Path("mine/labeled/images").iterdir()) == ["a.png", "c.png"]
    for name, number in (("a", 1), ("c", 2)):
        assert np.array_equal(np.asarray(Image.open(f"mine/labeled/masks/{name}.png")), mask(number))
    assert np.array_equal(np.asarray(Image.open("mine/labeled/images/a.png")), np.asarray(Image.open("more/a.png")))


@pytest.mark.usefixtures("project")
def test_keypoints_come_back_as_the_file_that_prepare_reads() -> None:
    write_spec(POINTED)
    points = np.array([[1, 2, 2], [5, 4, 1]], np.float32)
    POINT_FORMATS["cvat"].write(Path("tool"), [Pointed("b", SIZE, points)], numbered(2))
    take_in(Path("tool"), Path("more"), Path("mine"))
    found = read_keypoints(Path("mine/keypoints.json"), 2)["b.png"]
    assert found.points is not None
    assert found.points[:, :2].tolist() == [[1, 2], [5, 4]]


@pytest.mark.usefixtures("project")
def test_mistakes_leave_nothing_behind() -> None:
    FORMATS["coco"].write(Path("none"), [Annotated("a", SIZE, None)], CLASSES)
    FORMATS["coco"].write(Path("other"), [Annotated("z", SIZE, mask(0))], CLASSES)
    for tool, words in (("none", "none of the 3 images of more is annotated"), ("other", "z: no image is called that")):
        with pytest.raises(UserError, match=words):
            take_in(Path(tool), Path("more"), Path("mine"))
    FORMATS["coco"].write(Path("tool"), [Annotated("a", SIZE, mask(0))], CLASSES)
    with pytest.raises(UserError, match="more: is there already"):
        take_in(Path("tool"), Path("more"), Path("more"))
    write_spec(MASKED.model_copy(update={"labels": "image"}))
    with pytest.raises(UserError, match="neither masks nor keypoints"):
        take_in(Path("tool"), Path("more"), Path("mine"))
    assert not Path("mine").exists()
