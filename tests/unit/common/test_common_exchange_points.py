import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from exchange_builders import SIZE, change, submit
from pycocotools.coco import COCO

from stages.common.errors import UserError
from stages.common.exchange import POINT_FORMATS, read_points
from stages.common.exchange.coco_points import KEYPOINTS
from stages.common.exchange.cvat_xml import ANNOTATIONS, LABELS
from stages.common.exchange.label_studio_tasks import INTERFACE, TASKS
from stages.common.exchange.points import Pointed

POINTS = ("nose", "left eye", "right eye", "chin")
FILES = {"coco": KEYPOINTS, "cvat": ANNOTATIONS, "label_studio": TASKS}
HEIGHT, WIDTH = SIZE


def table(seed: int) -> np.ndarray:
    """Points at quarters of pixels, one hidden, one unknown, one in a corner."""
    rng = np.random.default_rng(seed)
    found = np.column_stack(
        [rng.integers(0, 4 * WIDTH - 4, 4) / 4, rng.integers(0, 4 * HEIGHT - 4, 4) / 4, [2, 1, 0, 2]]
    )
    found[2] = 0
    found[3, :2] = WIDTH - 0.5, -0.5
    return found.astype(np.float32)


def items() -> list[Pointed]:
    return [*(Pointed(f"img-{seed}", SIZE, table(seed)) for seed in range(3)), Pointed("new", SIZE)]


def exported(name, folder):
    POINT_FORMATS[name].write(folder, items(), POINTS)
    path = folder / FILES[name]
    return {"label_studio": submit, "cvat": change}.get(name, lambda path: path)(path)


def refused(name, path, **values) -> str:
    with pytest.raises(UserError) as error:
        POINT_FORMATS[name].read(path, **{"size": SIZE, "points": POINTS} | values)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", POINT_FORMATS)
def test_keypoints_come_back(name, tmp_path):
    found = POINT_FORMATS[name].read(exported(name, tmp_path), SIZE, POINTS, ["img-0", "img-1", "img-2", "new"])
    assert sorted(found) == ["img-0", "img-1", "img-2"]
    for seed in range(3):
        wanted = table(seed)
        if name == "label_studio":
            wanted[1, 2] = 2
        assert found[f"img-{seed}"].dtype == np.float32
        np.testing.assert_allclose(found[f"img-{seed}"], wanted, atol=1e-5)


@pytest.mark.parametrize("name", POINT_FORMATS)
def test_points_are_told_by_name_not_by_order(name, tmp_path):
    other = ("chin", "ear", "right eye", "left eye", "nose")
    found = POINT_FORMATS[name].read(exported(name, tmp_path), SIZE, other)["img-0"]
    np.testing.assert_allclose(found[[4, 3, 2, 0], :2], table(0)[:, :2], atol=1e-5)
    assert not found[1].any()


@pytest.mark.parametrize("name", POINT_FORMATS)
def test_what_does_not_fit_is_refused(name, tmp_path):
    path = exported(name, tmp_path)
    assert "img-1: no image is called that" in refused(name, path, names=["img-0"])
    assert "no point is called nose; rename it to one of" in refused(name, path, points=POINTS[1:])
    assert "37 x 53" in refused(name, path, size=(74, 106))


@pytest.mark.parametrize("name", POINT_FORMATS)
def test_keypoints_of_another_number_are_not_written(name, tmp_path):
    with pytest.raises(ValueError, match="for 3 points"):
        POINT_FORMATS[name].write(tmp_path, items(), POINTS[1:])


def test_pycocotools_finds_the_keypoints_that_are_written(tmp_path):
    found = COCO(str(exported("coco", tmp_path)))
    (category,) = found.loadCats(found.getCatIds())
    assert category["keypoints"] == list(POINTS)
    for image in found.loadImgs(found.getImgIds())[:3]:
        (one,) = found.loadAnns(found.getAnnIds(imgIds=[image["id"]]))
        wanted = table(int(image["file_name"][4]))
        np.testing.assert_allclose(np.reshape(one["keypoints"], (-1, 3)), wanted)
        assert one["num_keypoints"] == 3
        seen = wanted[wanted[:, 2] > 0]
        np.testing.assert_allclose(one["bbox"], [*seen[:, :2].min(0), *np.ptp(seen[:, :2], axis=0)])


def test_label_studio_counts_in_percent_from_the_corner(tmp_path):
    keypoints = np.array([[0, 0, 2], [26, 18, 2], [0, 0, 0], [0, 0, 0]], np.float32)
    POINT_FORMATS["label_studio"].write(tmp_path, [Pointed("a", SIZE, keypoints)], POINTS)
    (task,) = json.loads((tmp_path / TASKS).read_text())
    first, middle = (one["value"] for one in task["predictions"][0]["result"])
    assert (first["x"], first["y"]) == pytest.approx((50 / WIDTH, 50 / HEIGHT))
    assert (middle["x"], middle["y"]) == pytest.approx((50, 50))


@pytest.mark.parametrize(("name", "why"), [("coco", "no annotation"), ("cvat", "neither shapes nor a tag")])
def test_images_without_points_are_counted(name, why, tmp_path, capsys):
    POINT_FORMATS[name].read(exported(name, tmp_path), SIZE, POINTS)
    assert f"images left out, for they have {why}" in capsys.readouterr().out


def test_skeletons_of_cvat_are_read(tmp_path):
    path = tmp_path / "annotations.xml"
    path.write_text(
        f'<annotations><image id="0" name="a.png" width="{WIDTH}" height="{HEIGHT}"><skeleton label="face" z_order="0">'
        '<points label="nose" outside="0" occluded="0" points="10.50,20.50"></points>'
        '<points label="chin" outside="0" occluded="1" points="0.00,37.00"></points>'
        '<points label="left eye" outside="1" occluded="0" points="5.00,5.00"></points>'
        "</skeleton></image></annotations>"
    )
    assert POINT_FORMATS["cvat"].read(path, SIZE, POINTS)["a"].tolist() == [
        [10, 20, 2],
        [0, 0, 0],
        [0, 0, 0],
        [-0.5, 36.5, 1],
    ]
    text = path.read_text()
    path.write_text(text.replace("10.50,20.50", "10.50,20.50;11.00,21.00"))
    assert "a, points nose: needs one place" in refused("cvat", path)
    path.write_text(text.replace('label="chin"', 'label="nose"'))
    assert "a: point nose is marked twice" in refused("cvat", path)
    path.write_text(text.replace("10.50,20.50", "10.50,38.50"))
    assert "a: point nose is outside of the image" in refused("cvat", path)
    path.write_text(text.replace("10.50,20.50", "here"))
    assert "a, points nose: points that are not x,y;x,y" in refused("cvat", path)


def test_points_that_nobody_touched_are_left_out_of_cvat(tmp_path, capsys):
    POINT_FORMATS["cvat"].write(tmp_path, items(), POINTS)
    path = tmp_path / ANNOTATIONS
    assert POINT_FORMATS["cvat"].read(path, SIZE, POINTS) == {}
    assert "images left out, for nobody changed their guesses: 3" in capsys.readouterr().out
    path.write_text(path.read_text().replace('source="auto"', 'source="semi-auto"', 1))
    assert sorted(POINT_FORMATS["cvat"].read(path, SIZE, POINTS)) == ["img-0"]
    skeleton = '<skeleton label="face" source="auto"><points label="nose" {} points="3.00,3.00"></points></skeleton>'
    size = f'width="{WIDTH}" height="{HEIGHT}"'
    for source, found in (("", []), ('source="auto"', []), ('source="manual"', ["a"])):
        path.write_text(f'<annotations><image name="a.png" {size}>{skeleton.format(source)}</image></annotations>')
        assert sorted(POINT_FORMATS["cvat"].read(path, SIZE, POINTS)) == found


def test_files_of_coco_that_cannot_be_meant_are_refused(tmp_path):
    path = exported("coco", tmp_path)
    whole = json.loads(path.read_text())

    def changed(part, **values):
        content = json.loads(json.dumps(whole))
        content[part][0] |= values
        path.write_text(json.dumps(content))
        return refused("coco", path)

    assert "11 numbers, but 4 points need 12" in changed("annotations", keypoints=[0] * 11)
    assert "image_id 99" in changed("annotations", image_id=99)
    assert "img-1: annotated twice" in changed("annotations", image_id=2)
    assert "0 points" in changed("categories", keypoints=[])
    path.write_text("[]")
    assert "no mapping with images" in refused("coco", path)


@pytest.mark.parametrize("name", POINT_FORMATS)
def test_the_format_is_found_out_in_files_folders_and_archives(name, tmp_path):
    source = tmp_path / "source"
    path = exported(name, source)
    for extra in (INTERFACE, LABELS):
        (source / extra).unlink(missing_ok=True)
    archive = shutil.make_archive(str(tmp_path / "export"), "zip", source)
    wanted = POINT_FORMATS[name].read(path, SIZE, POINTS)
    for place in (path, source, Path(archive)):
        found = read_points(place, SIZE, POINTS)
        assert found.keys() == wanted.keys()
        assert all((found[key] == wanted[key]).all() for key in wanted)


def test_masks_hold_no_keypoints(tmp_path):
    with pytest.raises(UserError, match="a folder of masks holds no keypoints"):
        read_points(tmp_path, SIZE, POINTS)
