import numpy as np
import pytest
from released_builders import noise, refused, released, save

from stages.prepare.scan import scan
from stages.prepare.sources import open_source

MAN, WOMAN = "MEN-Denim-id_00000080", "WOMEN-Tees-id_00000080"
NAMES = (f"{MAN}-01_7_additional", f"{MAN}-02_1_front", f"{WOMAN}-01_4_full")
SIZE = (24, 16)


def write_people(root, keypoints=True):
    """Three people with masks, a class a row, and one without."""
    for number, name in enumerate((*NAMES, "WOMEN-Tees-id_00000099-01_3_back")):
        save(root / "images" / f"{name}.jpg", noise(SIZE, number))
    for name in NAMES:
        save(root / "segm" / f"{name}_segm.png", np.arange(24, dtype=np.uint8)[:, None].repeat(16, axis=1))
    if keypoints:
        write_points(root)
    return released("deepfashion", root, resize=list(SIZE))


def write_points(root, seen="0 1 2", names=NAMES[:2]):
    """Points 3, 4 (seen), 5, 6 (hidden), one that is not there, and 18 that are outside of the image."""
    (root / "keypoints").mkdir(exist_ok=True)
    places = "3 4 5 6 -1 -1" + " 99 7" * 18
    for file, text in (("keypoints_loc.txt", places), ("keypoints_vis.txt", seen + " 0" * 18)):
        (root / "keypoints" / file).write_text("".join(f"{name}.jpg {text}\n" for name in names))


def test_people_with_a_mask_are_read_and_the_others_left_out(tmp_path):
    source = open_source(write_people(tmp_path, keypoints=False))
    assert (len(source.spec.classes), source.spec.keypoints) == (24, 0)
    assert [one.source_id for one in source.records] == list(NAMES)
    assert {one.pool for one in source.records} == {"labeled"}
    pixels = source.records[0].read()
    assert pixels.mask[:, 0].tolist() == list(range(24))
    assert pixels.keypoints is None
    assert len(scan(source, quarantine=False).records) == 3


def test_one_person_in_the_same_clothes_is_a_group(tmp_path):
    params = write_people(tmp_path)
    groups = [one.group for one in open_source(params).records]
    assert groups == [MAN, MAN, WOMAN]
    by_sex = open_source(params.model_copy(update={"group_pattern": "^([A-Z]+)"})).records
    assert [one.group for one in by_sex] == ["MEN", "MEN", "WOMEN"]


def test_keypoints_come_with_their_visibility_and_are_unknown_where_no_line_names_the_image(tmp_path):
    source = open_source(write_people(tmp_path))
    assert (source.spec.keypoints, source.spec.flip) == (21, ())
    points = source.records[0].read().keypoints
    assert points[:3].tolist() == [[3, 4, 2], [5, 6, 1], [-1, -1, 0]]
    assert (points[3:] == [99, 7, 1]).all()
    assert (source.records[2].read().keypoints[:, 2] == 0).all()


@pytest.mark.parametrize(
    ("name", "top", "skirt", "ring"),
    [("articles", "upper clothes", "lower clothes", "skin"), ("articles-10", "top", "lower clothes", "skin")],
)
def test_the_articles_merge_classes(tmp_path, name, top, skirt, ring):
    source = open_source(write_people(tmp_path).model_copy(update={"classes": name}))
    rows = [source.spec.classes[one] for one in source.records[0].read().mask[:, 0]]
    assert (rows[0], rows[1], rows[3], rows[16]) == ("background", top, skirt, ring)


def test_keypoints_and_mask_are_resized_with_the_image(tmp_path):
    pixels = open_source(write_people(tmp_path).model_copy(update={"resize": (12, 8)})).records[0].read()
    assert pixels.image.shape[:2] == pixels.mask.shape == (12, 8)
    assert pixels.keypoints[0].tolist() == [1.25, 1.75, 2]


def test_every_mistake_is_one_sentence(tmp_path):
    empty = released("deepfashion", tmp_path)
    assert refused(empty).startswith(f"{tmp_path}/segm: no <name>_segm.png; put the parsing labels")
    params, folder = write_people(tmp_path), tmp_path / "keypoints"
    write_points(tmp_path, seen="0 1 3")
    assert refused(params).startswith(f"{folder}/keypoints_vis.txt: {NAMES[0]}.jpg has no 21 numbers of 0, 1 and 2")
    (folder / "keypoints_loc.txt").write_text(f"{NAMES[0]}.jpg 1 2 x\n")
    assert refused(params).startswith(f"{folder}/keypoints_loc.txt: {NAMES[0]}.jpg: no 42 numbers; put the data set's")
    (folder / "keypoints_loc.txt").unlink()
    assert refused(params).startswith(f"{folder}/keypoints_loc.txt: no such file")
    write_points(tmp_path)
    mask = tmp_path / "segm" / f"{NAMES[1]}_segm.png"
    save(mask, np.full(SIZE, 24, np.uint8))
    assert refused(params).startswith(f"{mask}: class id 24, but the data set's own are 0 to 23")
    save(mask, np.zeros((5, 5), np.uint8))
    assert refused(params) == f"{mask}: the mask is 5 x 5 pixels, but its image is 24 x 16"
