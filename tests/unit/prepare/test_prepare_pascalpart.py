import numpy as np
import pytest
from released_builders import noise, refused, released, save
from scipy.io import savemat

from stages.prepare.cropping import Box
from stages.prepare.scan import scan
from stages.prepare.sources import open_source
from stages.prepare.sources.object_crops import box_of

SIZE = (120, 160)


def shown(left, top, right, bottom):
    mask = np.zeros(SIZE, np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


def listed(structs):
    """A MATLAB row of structs, or an empty array of none."""
    if not structs:
        return np.zeros((0, 0))
    found = np.zeros((1, len(structs)), [(name, object) for name in structs[0]])
    for number, struct in enumerate(structs):
        found[0, number] = tuple(struct.values())
    return found


def thing(name, mask, parts=()):
    rows = [{"part_name": part, "mask": pixels} for part, pixels in parts]
    return {"class": name, "class_ind": 7, "mask": mask, "parts": listed(rows)}


# The wheel is listed before the side that it lies on.
PARTS = [("wheel_1", shown(30, 60, 50, 80)), ("leftside", shown(20, 40, 100, 80)), ("window_2", shown(60, 42, 70, 50))]
CAR = thing("car", shown(20, 30, 120, 80), PARTS)
OTHER = thing("car", shown(125, 40, 159, 60))
DOG = thing("dog", shown(0, 90, 100, 119), [("head", shown(0, 90, 20, 100))])


def write_car(root, name="2008_000008", objects=(CAR, OTHER, DOG), home="VOCdevkit/VOC2010"):
    (root / "Annotations_Part").mkdir(parents=True, exist_ok=True)
    anno = {"imname": name, "objects": listed(list(objects))}
    savemat(root / "Annotations_Part" / f"{name}.mat", {"anno": anno})
    save(root / home / "JPEGImages" / f"{name}.jpg", noise(SIZE, int(name[-2:])))
    return released("pascalpart", root, resize=[60, 60])


def test_every_car_that_is_large_enough_is_a_labelled_image(tmp_path):
    params = write_car(tmp_path)
    write_car(tmp_path, "2008_000011", [DOG])
    source = open_source(params)
    assert (len(source.spec.classes), source.spec.channels) == (15, 3)
    assert [(one.source_id, one.pool) for one in source.records] == [("2008_000008-0", "labeled")]
    assert len(scan(source, quarantine=False).records) == 1


def test_the_box_has_the_margin_and_the_proportions_of_the_frame():
    # 100 x 50 pixels from 20, 30 on, around 69.5, 54.5; the margin is 10 on each side.
    assert box_of(shown(20, 30, 120, 80) > 0, (60, 60)) == Box(10, -5, 120, 120)
    assert box_of(shown(20, 30, 120, 80) > 0, (60, 120)) == Box(0, 20, 140, 70)
    assert box_of(shown(0, 0, 63, 63) > 0, (60, 60)) is None
    assert box_of(shown(0, 0, 20, 64) > 0, (60, 60)) is not None
    assert box_of(np.zeros(SIZE, bool), (60, 60)) is None


def test_parts_lie_on_the_car_and_the_smaller_ones_on_the_larger(tmp_path):
    source = open_source(write_car(tmp_path))
    mask, names = source.records[0].read().mask, source.spec.classes
    # A box of 120 from 10, -5 on at 60 pixels: x = (column - 10) / 2, y = (row + 5) / 2.
    places = {(70, 35): "car", (80, 60): "leftside", (40, 70): "wheel", (65, 46): "window", (50, 100): "background"}
    for (column, row), name in places.items():
        assert names[mask[(row + 5) // 2, (column - 10) // 2]] == name
    assert "head" not in names


def test_other_cars_in_the_crop_are_labelled_too(tmp_path):
    source = open_source(write_car(tmp_path))
    mask = source.records[0].read().mask
    assert source.spec.classes[mask[(50 + 5) // 2, (127 - 10) // 2]] == "car"


def test_the_articles_merge_parts(tmp_path):
    source = open_source(write_car(tmp_path).model_copy(update={"classes": "articles"}))
    assert source.spec.classes == ("background", "body", "wheel", "light", "window")
    assert set(np.unique(source.records[0].read().mask)) == {0, 1, 2, 4}


def test_cars_of_one_image_are_a_group(tmp_path):
    params = write_car(tmp_path, objects=(CAR, thing("car", shown(0, 0, 80, 60))))
    records = open_source(params).records
    assert [one.source_id for one in records] == ["2008_000008-0", "2008_000008-1"]
    assert len({one.group for one in records}) == 1


def test_vocs_own_list_says_which_files_to_open(tmp_path):
    params = write_car(tmp_path)
    (tmp_path / "Annotations_Part/2008_000099.mat").write_bytes(b"never opened")
    path = tmp_path / "VOCdevkit/VOC2010/ImageSets/Main/car_trainval.txt"
    path.parent.mkdir(parents=True)
    path.write_text("2008_000008  1\n2008_000099 -1\n")
    assert len(open_source(params).records) == 1
    path.unlink()
    assert "2008_000099.mat: not a whole MATLAB file" in refused(params)


@pytest.mark.parametrize("home", [".", "VOC2010", "VOCdevkit/VOC2010"])
def test_the_images_lie_beside_or_in_vocs_folder(tmp_path, home):
    params = write_car(tmp_path, home=home)
    assert open_source(params).records[0].read().image.shape == (60, 60, 3)


def test_every_mistake_is_one_sentence(tmp_path):
    params, file = write_car(tmp_path), tmp_path / "Annotations_Part/2008_000008.mat"
    write_car(tmp_path, objects=[thing("car", shown(20, 30, 120, 80), [("beak", shown(30, 40, 50, 60))])])
    assert refused(params).startswith(f"{file}: beak is no part of a car, or of another size than the car")
    write_car(tmp_path, objects=[thing("car", shown(20, 30, 120, 80)[:90])])
    assert refused(params) == f"{file}: the mask is 90 x 160 pixels, but its image is 120 x 160"
    write_car(tmp_path, objects=[{"class": "car", "parts": np.zeros((0, 0))}])
    assert refused(params).startswith(f"{file}: an object or part without mask; put PASCAL-Part's own file there")
    write_car(tmp_path, objects=[DOG])
    assert refused(params).startswith(f"{file.parent}: no file in it shows a car")
    savemat(file, {"other": 1})
    assert refused(params).startswith(f"{file}: holds no anno;")
    assert refused(released("pascalpart", file.parent)).endswith("put those of VOC 2010 beside Annotations_Part/")
