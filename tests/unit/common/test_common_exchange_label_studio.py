import json
from xml.etree import ElementTree

import numpy as np
import pytest
from exchange_builders import CLASSES, SIZE, items, random_mask

from stages.common.errors import UserError
from stages.common.exchange import label_studio
from stages.common.exchange.brush_rle import decode_brush, encode_brush
from stages.common.exchange.label_studio_tasks import INTERFACE, TASKS

HEIGHT, WIDTH = SIZE


def plain_decoder(data) -> list[int]:
    """The values of rle-pack, read one bit after the other."""
    bits = [byte >> shift & 1 for byte in data for shift in range(7, -1, -1)]

    def number(width):
        value = 0
        for _ in range(width):
            value = 2 * value + bits.pop(0)
        return value

    count, width = number(32), number(5) + 1
    lengths = [number(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < count:
        repeated = number(1)
        length = number(lengths[number(2)]) + 1
        values += [number(width)] * length if repeated else [number(width) for _ in range(length)]
    assert len(values) == count
    assert len(bits) < 8
    return values


def packed(*fields) -> list[int]:
    """Bytes of (number, bits) pairs."""
    bits = "".join(f"{number:0{width}b}" for number, width in fields)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]


def brush(label, region, **values):
    value = {"format": "rle", "rle": encode_brush(region), "brushlabels": [label]}
    return shape("brushlabels", value, **values)


def polygon(label, points, **values):
    return shape("polygonlabels", {"points": points, "closed": True, "polygonlabels": [label]}, **values)


def shape(kind, value, **values):
    said = {"type": kind, "value": value, "original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    return {"id": "r1", "from_name": "brush", "to_name": "image", **said, **values}


def task(*annotations, image="/data/upload/1/0a1b2c3d-img-000.png"):
    return {"id": 1, "data": {"image": image}, "annotations": list(annotations), "predictions": []}


def read(tmp_path, *tasks, names=None):
    path = tmp_path / "export.json"
    path.write_text(json.dumps(tasks))
    return label_studio.read(path, SIZE, CLASSES, names)


def read_one(tmp_path, *results):
    return read(tmp_path, task({"result": list(results)}))["img-000"]


def refused(tmp_path, *results) -> str:
    with pytest.raises(UserError) as error:
        read_one(tmp_path, *results)
    assert "\n" not in str(error.value)
    return str(error.value)


def square(top, left, side):
    region = np.zeros(SIZE, bool)
    region[top : top + side, left : left + side] = True
    return region


@pytest.mark.parametrize("seed", range(4))
def test_a_plain_decoder_reads_the_brush_masks_that_are_written(seed):
    region = random_mask(seed) == seed % 4
    values = np.array(plain_decoder(encode_brush(region))).reshape(*SIZE, 4)
    np.testing.assert_array_equal(values, np.repeat(region[:, :, None] * 255, 4, axis=2))


def test_runs_of_every_kind_of_length():
    lengths = [1, 2, 2, 3, 4, 5, 64, 65, 16384, 16385, 40000]
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    for region in (flat[None], ~flat[None]):
        assert (np.array(plain_decoder(encode_brush(region)))[3::4] == 255 * region[0]).all()
        np.testing.assert_array_equal(decode_brush(encode_brush(region), region.shape), region)


def test_the_first_bytes_say_how_many_values_of_which_size():
    """Label Studio's own exports begin with the same fields."""
    data = encode_brush(np.zeros((2527, 3332), bool))
    assert data[:6] == [2, 1, 233, 240, 57, 27]
    assert data[6:10] == [255, 255, 255, 0]  # the bits of the fourth length, and a run of 65536 zeros


def test_values_one_by_one_and_other_lengths_are_read():
    header = [(2 * 4, 32), (7, 5), (0, 4), (1, 4), (2, 4), (3, 4)]
    mixed = packed(
        *header, (0, 1), (2, 2), (4, 3), *[(n, 8) for n in (9, 8, 7, 0, 9)], (1, 1), (1, 2), (2, 2), (200, 8)
    )
    assert plain_decoder(mixed) == [9, 8, 7, 0, 9, 200, 200, 200]
    assert decode_brush(mixed, (1, 2)).tolist() == [[False, True]]


def test_the_soft_edge_of_a_brush_counts_from_half():
    alphas = [0, 100, 127, 128, 255]
    fields = [(4 * len(alphas), 32), (7, 5), (2, 4), (3, 4), (7, 4), (15, 4)]
    for alpha in alphas:
        fields += [(1, 1), (0, 2), (3, 3), (alpha, 8)]
    assert decode_brush(packed(*fields), (1, 5)).tolist() == [[False, False, False, True, True]]


@pytest.mark.parametrize("size", [(1, 1), (3, 200)])
def test_an_empty_brush_mask_is_empty(size):
    assert not decode_brush(encode_brush(np.zeros(size, bool)), size).any()


def test_brush_masks_that_are_damaged_are_refused(tmp_path):
    whole = encode_brush(square(2, 3, 5))
    short = brush("head", square(0, 0, 1))
    short["value"]["rle"] = whole[:-2]
    assert "img-000, region 1: a brush mask that is cut off" in refused(tmp_path, short)
    short["value"]["rle"] = []
    assert "cut off" in refused(tmp_path, short)
    short["value"]["rle"] = encode_brush(np.ones((4, 4), bool))
    assert "a brush mask of 16 pixels, but the image has 1961" in refused(tmp_path, short)
    header = [(WIDTH * HEIGHT * 4, 32), (7, 5), (2, 4), (3, 4), (7, 4), (15, 4)]
    short["value"]["rle"] = packed(*header, (1, 1), (3, 2), (65535, 16), (0, 8))
    assert "beyond the last pixel" in refused(tmp_path, short)
    short["value"]["rle"] = packed(header[0], (15, 5), *header[2:], (0, 32))
    assert "16 bits a value" in refused(tmp_path, short)
    short["value"]["rle"] = [1, 2, 256]
    assert "rle" in refused(tmp_path, short)


def test_later_regions_lie_over_earlier_ones(tmp_path):
    mask = read_one(
        tmp_path, brush("head", square(0, 0, 9)), brush("tail", square(5, 5, 9)), brush("head", square(7, 7, 2))
    )
    wanted = np.zeros(SIZE, np.uint8)
    wanted[0:9, 0:9], wanted[5:14, 5:14], wanted[7:9, 7:9] = 1, 3, 1
    np.testing.assert_array_equal(mask, wanted)


def test_background_and_ignore_are_labels_too(tmp_path):
    mask = read_one(
        tmp_path, brush("head", square(0, 0, 9)), brush("background", square(1, 1, 3)), brush("ignore", square(5, 5, 2))
    )
    assert (mask[1:4, 1:4] == 0).all()
    assert (mask[5:7, 5:7] == 255).all()
    assert (mask == 1).sum() == 81 - 9 - 4


def test_polygons_are_in_percent_of_the_sides(tmp_path):
    corners = [(10, 20), (10, 30), (25, 30), (25, 20)]  # row, column of the corners, in pixels
    points = [[100 * column / WIDTH, 100 * row / HEIGHT] for row, column in corners]
    mask = read_one(tmp_path, polygon("tail", points))
    assert (mask[10:25, 20:30] == 3).all()
    assert (mask > 0).sum() == 15 * 10


def test_a_shape_and_its_label_may_come_from_two_tags(tmp_path):
    bare = brush("head", square(3, 3, 4))
    del bare["value"]["brushlabels"]
    labelled = {**bare, "type": "labels", "value": {**bare["value"], "labels": ["head"]}}
    mask = read_one(tmp_path, {**bare, "type": "brush"}, labelled)
    assert (mask == 1).sum() == 16
    assert "needs one label, but has none" in refused(tmp_path, bare)


def test_what_marks_no_pixels_is_passed_over(tmp_path):
    point = shape("keypointlabels", {"x": 1.0, "y": 2.0, "width": 0.3, "keypointlabels": ["nose"]})
    choice = {"type": "choices", "value": {"choices": ["blurred"]}, "from_name": "quality", "to_name": "image"}
    relation = {"type": "relation", "from_id": "r1", "to_id": "r2", "direction": "right"}
    mask = read_one(tmp_path, point, choice, relation, brush("head", square(3, 3, 4)))
    assert (mask == 1).sum() == (mask > 0).sum() == 16


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"original_width": 106, "original_height": 74}, "annotated at 74 x 106 pixels"),
        ({"original_width": None}, "no original_width and original_height"),
        ({"image_rotation": 90}, "the image was turned by 90 degrees"),
        ({"type": "rectanglelabels"}, "rectanglelabels is no mask; draw it with the brush or a polygon"),
        ({"value": {"format": "png", "rle": [1], "brushlabels": ["head"]}}, "a mask in the format png"),
        ({"value": {"rle": encode_brush(square(0, 0, 2)), "brushlabels": ["head", "tail"]}}, "has head, tail"),
        ({"value": {"rle": encode_brush(square(0, 0, 2)), "brushlabels": ["haed"]}}, "no class is called haed"),
        ({"value": {"points": [[1, 2], [3, 4]], "polygonlabels": ["head"]}}, "a polygon of 4 numbers"),
        ({"value": {"points": [[1, 2, 3]], "polygonlabels": ["head"]}}, "points"),
    ],
)
def test_regions_that_cannot_be_meant_are_refused(change, text, tmp_path):
    found = refused(tmp_path, brush("head", square(0, 0, 2)) | change)
    assert text in found
    assert "export.json" in found


@pytest.mark.parametrize(
    "address",
    [
        "/data/local-files/?d=images/img-000.png",
        "/data/local-files/?d=some%20where%5Cimg-000.png",
        "/data/upload/1/0a1b2c3d-img-000.png",
        "http://localhost:8080/data/upload/12/ffffffff-img-000.jpg",
        "s3://bucket/folder/img-000.png",
        "https://example.com/img-000.png?token=abc",
    ],
)
def test_images_are_found_by_the_name_of_their_file(address, tmp_path):
    annotation = {"result": [brush("head", square(0, 0, 2))]}
    assert list(read(tmp_path, task(annotation, image=address))) == ["img-000"]
    assert list(read(tmp_path, task(annotation, image=address), names=["img-000"])) == ["img-000"]


def test_a_name_may_look_like_the_prefix_of_an_upload(tmp_path):
    annotation = {"result": [brush("head", square(0, 0, 2))]}
    local = task(annotation, image="/data/local-files/?d=images/0a1b2c3d-a.png")
    assert list(read(tmp_path, local, names=["0a1b2c3d-a"])) == ["0a1b2c3d-a"]
    assert list(read(tmp_path, local)) == ["0a1b2c3d-a"]


def test_which_of_several_annotations_counts(tmp_path):
    def said(label, **values):
        return {"result": [brush(label, square(0, 0, 2))], **values}

    old, new = (said(label, updated_at=f"2025-01-0{day}T00:00:00Z") for label, day in (("head", 1), ("tail", 2)))
    skipped = said("left hand", updated_at="2025-01-03T00:00:00Z", was_cancelled=True)
    assert read(tmp_path, task(new, old, skipped))["img-000"].max() == 3
    assert read(tmp_path, task(new, old | {"ground_truth": True}, skipped))["img-000"].max() == 1
    assert read(tmp_path, task(said("head"), said("tail")))["img-000"].max() == 3


def test_images_that_nobody_annotated_are_absent_and_empty_ones_are_background(tmp_path):
    skipped = {"result": [], "was_cancelled": True}
    local = "/data/local-files/?d=images/b.png"
    assert read(tmp_path, task(), task(skipped, image=local)) == {}
    assert not read(tmp_path, task({"result": []}))["img-000"].any()


def test_an_image_that_comes_twice_is_refused(tmp_path):
    with pytest.raises(UserError, match="img-000: annotated twice"):
        read(tmp_path, task({"result": []}), task({"result": []}))


@pytest.mark.parametrize("content", [{"image": "a.png"}, [{"image": "a.png", "tag": []}], [3]])
def test_other_json_is_refused(content, tmp_path):
    path = tmp_path / "export.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="export the project of Label Studio as JSON"):
        label_studio.read(path, SIZE, CLASSES)


def test_tasks_without_an_image_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"tasks.0.data: no image"):
        read(tmp_path, {"data": {"photo": "a.png"}, "annotations": [{"result": []}]})


def test_the_interface_offers_every_label_for_brush_and_polygon(tmp_path):
    label_studio.write(tmp_path, items(), CLASSES)
    view = ElementTree.fromstring((tmp_path / INTERFACE).read_text())
    assert view.find("Image").attrib["value"] == "$image"
    for tag in ("BrushLabels", "PolygonLabels"):
        labels = view.findall(f"{tag}/Label")
        assert [label.attrib["value"] for label in labels] == ["head", "left hand", "tail", "ignore"]
        assert len({label.attrib["background"] for label in labels}) == 4


def test_images_without_a_mask_are_tasks_without_a_prediction(tmp_path):
    label_studio.write(tmp_path, items(), CLASSES)
    tasks = json.loads((tmp_path / TASKS).read_text())
    assert [len(one["predictions"]) for one in tasks] == [1, 1, 1, 1, 0]
    assert tasks[-1]["data"] == {"image": "/data/local-files/?d=images/new.png"}
