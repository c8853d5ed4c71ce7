import json

import numpy as np
import pytest
from exchange_builders import CLASSES, SIZE, items, masks_of, random_mask
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from stages.common.errors import UserError
from stages.common.exchange import coco

HEIGHT, WIDTH = SIZE


def content(*annotations, **values):
    """A file of two images, of which annotations are given as (category, segmentation)."""
    return {
        "images": [
            {"id": 7, "file_name": "part/img-000.png", "height": HEIGHT, "width": WIDTH},
            {"id": 8, "file_name": "img-001.png", "height": HEIGHT, "width": WIDTH},
        ],
        "categories": [{"id": 5, "name": "tail"}, {"id": 6, "name": "head"}, {"id": 9, "name": "never used"}],
        "annotations": [
            {"id": number, "image_id": 7, "category_id": category, "segmentation": segmentation, "iscrowd": 0}
            for number, (category, segmentation) in enumerate(annotations, start=1)
        ],
    } | values


def read(tmp_path, found, names=None):
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(found))
    return coco.read(path, SIZE, CLASSES, names)


def refused(tmp_path, found) -> str:
    with pytest.raises(UserError) as error:
        read(tmp_path, found)
    assert "\n" not in str(error.value)
    return str(error.value)


def box(left, top, right, bottom):
    return [[left, top, right, top, right, bottom, left, bottom]]


def test_pycocotools_finds_the_masks_that_are_written(tmp_path):
    coco.write(tmp_path, items(), CLASSES)
    found = COCO(str(tmp_path / coco.INSTANCES))
    labels = {one["id"]: one["name"] for one in found.loadCats(found.getCatIds())}
    assert labels == {1: "head", 2: "left hand", 3: "tail", 255: "ignore"}
    assert len(found.getImgIds()) == len(items())
    for image in found.loadImgs(found.getImgIds()):
        mask = np.zeros((image["height"], image["width"]), np.uint8)
        for one in found.loadAnns(found.getAnnIds(imgIds=[image["id"]])):
            region = found.annToMask(one).astype(bool)
            assert one["area"] == region.sum()
            left, top, width, height = map(int, one["bbox"])
            assert region[top : top + height, left : left + width].sum() == region.sum()
            mask[region] = one["category_id"]
        wanted = masks_of(items()).get(image["file_name"].removesuffix(".png"), np.zeros(SIZE))
        np.testing.assert_array_equal(mask, wanted)


def test_run_lengths_of_pycocotools_are_read(tmp_path):
    regions = [random_mask(1) == 1, random_mask(2) == 2]
    packed = [coco_mask.encode(np.asfortranarray(region.astype(np.uint8))) for region in regions]
    texts = [{"size": one["size"], "counts": one["counts"].decode()} for one in packed]
    mask = read(tmp_path, content((5, texts[0]), (6, texts[1])))["img-000"]
    wanted = np.where(regions[1], 1, np.where(regions[0], 3, 0))
    np.testing.assert_array_equal(mask, wanted)


def test_plain_run_lengths_go_down_the_columns(tmp_path):
    counts = [HEIGHT + 2, 3, WIDTH * HEIGHT - HEIGHT - 5]
    mask = read(tmp_path, content((6, {"size": [HEIGHT, WIDTH], "counts": counts})))["img-000"]
    assert np.argwhere(mask).tolist() == [[2, 1], [3, 1], [4, 1]]


def test_polygons_on_the_edges_of_pixels_are_those_of_pycocotools(tmp_path):
    polygons = [*box(3, 4, 20, 9), [30, 10, 40, 10, 40, 30, 35, 30, 35, 20, 30, 20]]
    mask = read(tmp_path, content((5, polygons)))["img-000"]
    merged = coco_mask.merge(coco_mask.frPyObjects(polygons, HEIGHT, WIDTH))
    np.testing.assert_array_equal(mask == 3, coco_mask.decode(merged).astype(bool))


def test_other_polygons_differ_from_those_of_pycocotools_at_the_outline_alone(tmp_path):
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    circle = np.column_stack([26.3 + 12 * np.cos(angles), 18.7 + 12 * np.sin(angles)]).ravel().tolist()
    mask = read(tmp_path, content((5, [circle])))["img-000"] == 3
    (packed,) = coco_mask.frPyObjects([circle], HEIGHT, WIDTH)
    rows, columns = np.nonzero(mask != coco_mask.decode(packed).astype(bool))
    distances = np.hypot(columns + 0.5 - 26.3, rows + 0.5 - 18.7)
    assert (np.abs(distances - 12) < 1).all()
    assert abs(mask.sum() - np.pi * 144) < 10


def test_later_annotations_lie_over_earlier_ones(tmp_path):
    mask = read(tmp_path, content((5, box(0, 0, 9, 9)), (6, box(5, 5, 14, 14)), (5, box(7, 7, 9, 9))))["img-000"]
    wanted = np.zeros(SIZE, np.uint8)
    wanted[0:9, 0:9], wanted[5:14, 5:14], wanted[7:9, 7:9] = 3, 1, 3
    np.testing.assert_array_equal(mask, wanted)


def test_images_without_an_annotation_are_absent_and_counted(tmp_path, capsys):
    assert list(read(tmp_path, content((5, box(0, 0, 9, 9))), names=["img-000", "img-001"])) == ["img-000"]
    said = "instances.json: images left out, for they have no annotation, and COCO does not tell whether that is one: 1"
    assert said in capsys.readouterr().out


def test_shapes_beside_the_image_alone_are_refused(tmp_path):
    beside = box(WIDTH + 5, 0, WIDTH + 20, 9)
    with pytest.raises(UserError, match=r"img-000: none of its 1 shapes covers a pixel of the image; draw them on it"):
        read(tmp_path, content((5, beside)))
    assert read(tmp_path, content((5, beside), (5, box(0, 0, 9, 9))))["img-000"].any()


def test_the_prefix_of_an_uploaded_file_is_passed_over_when_the_rest_is_known(tmp_path):
    images = [{"id": 7, "file_name": "images/1/0a1b2c3d-img-000.png"}]
    found = content((5, box(0, 0, 9, 9)), images=images)
    assert list(read(tmp_path, found, names=["img-000"])) == ["img-000"]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ([], "no mapping with images, annotations and categories"),
        ({"images": [], "annotations": []}, "categories"),
        (content((5, {"size": [WIDTH, HEIGHT], "counts": "11"})), r"img-000, annotation 1 (tail): run lengths for"),
        (content((5, {"size": [HEIGHT, WIDTH], "counts": "11"})), "do not add up to 37 x 53"),
        (content((5, {"size": [HEIGHT, WIDTH], "counts": "\u007f"})), "packed run lengths hold"),
        (content((5, [[1, 2, 3, 4]])), "a polygon of 4 numbers"),
        (content((5, [["a"] * 6])), "img-000, annotation 1 (tail)"),
        (content((5, [1, 2, 3, 4, 5, 6])), "img-000, annotation 1 (tail): a polygon that is no list of numbers"),
        (content((5, [None])), "a polygon that is no list of numbers"),
        (content((5, [[float("nan")] * 6])), "(tail): a polygon with numbers that are not finite"),
        (content((5, {"size": 5, "counts": "11"})), "(tail): run lengths for 5, but the image is"),
        (content((5, {"size": None, "counts": "11"})), "run lengths for None, but the image is"),
        (content((5, {"size": [HEIGHT, WIDTH], "counts": None})), "run lengths that are no list of whole numbers"),
        (content((5, {"size": [HEIGHT, WIDTH], "counts": [[1]]})), "run lengths that are no list of whole numbers"),
        (content((5, {"size": [HEIGHT, WIDTH], "counts": [1 << 70]})), "do not add up to 37 x 53"),
        (content((5, "all")), "neither polygons nor run lengths"),
        (content((5, [])), "no segmentation"),
        (content((5, None)), "no segmentation"),
        (content((9, box(0, 0, 9, 9))), "no class is called never used"),
        (content((4, box(0, 0, 9, 9))), "annotations.0.category_id: 4 is not listed"),
        (content((5, box(0, 0, 9, 9)), images=[]), "annotations.0.image_id: 7 is not listed"),
        (
            content((5, box(0, 0, 9, 9)), images=[{"id": 7, "file_name": "a.png", "height": 74, "width": 106}]),
            "a: annotated at 74 x 106 pixels",
        ),
    ],
)
def test_files_that_cannot_be_meant_are_refused(found, text, tmp_path):
    message = refused(tmp_path, found)
    assert text in message
    assert "instances.json" in message
