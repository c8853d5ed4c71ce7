import json

import numpy as np
import pytest
from released_builders import noise, refused, released, save

from stages.common.spec import IGNORE
from stages.prepare.scan import scan
from stages.prepare.sources import open_source

SIZE = (120, 200)
NUMBERS = {
    "car, auto, automobile, machine, motorcar": 401,
    "car, railcar, railway car, railroad car": 402,
    "building, edifice": 312,
    "wheel": 3035,
    "rim": 2122,
    "door": 774,
    "window": 3050,
    "antenna, aerial, transmitting aerial": 30,
}
MOTOR_CAR, RAILWAY_CAR, *_ = NUMBERS


def rectangle(left, top, right, bottom):
    return {"x": [left, right, right, left], "y": [top, top, bottom, bottom], "click_date": []}


def listed(name, box, level=0, has_parts=()):
    """An object or part as the list has it; an empty list stands for none, and a single number for one."""
    parts = {"hasparts": list(has_parts) if len(has_parts) != 1 else has_parts[0], "part_level": level}
    return {"name": name, "name_ndx": NUMBERS[name], "polygon": rectangle(*box), "parts": parts, "occluded": "no"}


# A car with parts, one without that hides its right end, a railway car with a wheel, and a building with a window.
OBJECTS = [
    (MOTOR_CAR, (20, 30, 120, 80), 0, (4, 6, 7)),
    (MOTOR_CAR, (110, 50, 190, 90), 0, ()),
    (RAILWAY_CAR, (0, 95, 100, 119), 0, (8,)),
    ("building, edifice", (0, 0, 200, 25), 0, (9,)),
    ("wheel", (30, 60, 50, 80), 1, (5,)),
    ("rim", (36, 66, 44, 74), 2, ()),
    ("door", (60, 40, 90, 75), 1, ()),
    ("antenna, aerial, transmitting aerial", (100, 32, 104, 48), 1, ()),
    ("wheel", (10, 100, 20, 110), 1, ()),
    ("window", (10, 5, 30, 20), 1, ()),
]


def coded(objects, level):
    """The picture of a level: the class in red and green, the object in blue."""
    picture = np.zeros((*SIZE, 3), np.uint8)
    for number, (name, (left, top, right, bottom), own, _) in enumerate(objects):
        if own == level:
            red, green = divmod(NUMBERS[name], 256)
            picture[top:bottom, left:right] = (10 * red, green, 20 * number + 5)
    return picture


def write_street(root, name="ADE_train_00000001", split="training", objects=OBJECTS):
    base = root / f"ADE20K_2021_17_01/images/ADE/{split}/urban/street" / name
    save(base.with_suffix(".jpg"), noise(SIZE, int(name[-2:])))
    for level, ending in enumerate(("_seg.png", "_parts_1.png", "_parts_2.png")):
        save(base.with_name(name + ending), coded(objects, level))
    annotation = {"filename": f"{name}.jpg", "imsize": [*SIZE, 3], "object": [listed(*one) for one in objects]}
    text = json.dumps({"annotation": annotation | {"source": "caf\u00e9"}}, ensure_ascii=False)
    base.with_suffix(".json").write_bytes(text.encode("latin-1"))
    return base


@pytest.fixture
def params(tmp_path):
    write_street(tmp_path)
    return released("ade20k", tmp_path, resize=[60, 60])


def test_cars_with_parts_are_labelled_images_and_those_of_validation_are_tested_on(tmp_path, params):
    write_street(tmp_path, "ADE_val_00000002", "validation")
    write_street(tmp_path, "ADE_train_00000003", objects=OBJECTS[2:])
    source = open_source(params)
    assert (len(source.spec.classes), source.spec.channels) == (16, 3)
    assert [(one.source_id, one.pool) for one in source.records] == [
        ("ADE_train_00000001-0", "labeled"),
        ("ADE_val_00000002-0", "test"),
    ]
    assert len(scan(source, quarantine=False).records) == 2


def test_parts_and_parts_of_parts_lie_on_the_car(params):
    source = open_source(params)
    mask, names = source.records[0].read().mask, source.spec.classes
    # A box of 120 from 10, -5 on at 60 pixels: x = (column - 10) / 2, y = (row + 5) / 2.
    places = {
        (70, 35): "car",
        (32, 62): "wheel",
        (40, 70): "rim",
        (70, 60): "door",
        (102, 40): "car",  # ADE20K names antennas, this project does not
        (15, 105): "background",  # the wheel of the railway car
        (15, 10): "background",  # the window of the building
    }
    for (column, row), name in places.items():
        assert names[mask[(row + 5) // 2, (column - 10) // 2]] == name


def test_cars_whose_parts_nobody_marked_are_ignored(params):
    mask = open_source(params).records[0].read().mask
    assert mask[(70 + 5) // 2, (125 - 10) // 2] == IGNORE
    assert mask[(60 + 5) // 2, (115 - 10) // 2] == IGNORE
    assert mask[(40 + 5) // 2, (115 - 10) // 2] == 1


def test_small_cars_are_left_out_and_cars_of_one_image_are_a_group(tmp_path):
    small, large = (MOTOR_CAR, (0, 0, 63, 40), 0, (2, 3)), (MOTOR_CAR, (70, 40, 190, 110), 0, (4,))
    wheels = [("wheel", (left, 10, left + 9, 20), 1, ()) for left in (5, 30)]
    other = (MOTOR_CAR, (0, 50, 68, 110), 0, (5,))
    write_street(tmp_path, objects=[small, large, other, *wheels])
    records = open_source(released("ade20k", tmp_path, resize=[60, 60])).records
    assert [one.source_id for one in records] == ["ADE_train_00000001-1", "ADE_train_00000001-2"]
    assert len({one.group for one in records}) == 1


@pytest.mark.parametrize(
    ("name", "classes", "rim"), [("articles", 12, "wheel hub"), ("articles-5", 5, "wheel")], ids=["12", "5"]
)
def test_the_articles_merge_parts(params, name, classes, rim):
    source = open_source(params.model_copy(update={"classes": name}))
    assert len(source.spec.classes) == classes
    mask = source.records[0].read().mask
    assert source.spec.classes[mask[(70 + 5) // 2, (40 - 10) // 2]] == rim


def test_every_mistake_is_one_sentence(tmp_path, params):
    base = write_street(tmp_path)
    parts, seg = base.with_name(base.name + "_parts_1.png"), base.with_name(base.name + "_seg.png")
    save(parts, np.zeros((9, 9, 3), np.uint8))
    assert refused(params) == f"{parts}: the mask is 9 x 9 pixels, but its image is 120 x 200"
    save(seg, np.zeros(SIZE, np.uint8))
    assert refused(params) == f"{seg}: mode L, but ADE20K's are RGB; put its own file there"
    seg.unlink()
    assert refused(params) == f"{seg}: no such file; put ADE20K's own there"
    write_street(tmp_path, objects=[OBJECTS[3]])
    assert refused(params).startswith(f"{tmp_path}: no image in images/ADE/training/ shows a car with parts")
    base.with_suffix(".json").write_text('{"annotation": {"name": "car, auto"}}')
    assert refused(params).startswith(f"{base}.json: no list of ADE20K's of 2021 (KeyError('imsize'))")
