import shutil
import zipfile

import numpy as np
import pytest
from exchange_builders import CLASSES, SIZE, assert_same, change, items, masks_of, random_mask, submit
from PIL import Image

from stages.common.errors import UserError
from stages.common.exchange import FORMATS, Annotated, coco, format_of, read, voc_masks, write_images
from stages.common.exchange.cvat_xml import ANNOTATIONS, LABELS
from stages.common.exchange.label_studio_tasks import INTERFACE, TASKS

FILES = {"label_studio": TASKS, "cvat": ANNOTATIONS, "coco": coco.INSTANCES, "voc_masks": ""}
PERSON = {"label_studio": submit, "cvat": change}


def exported(name, folder, given):
    """The file or folder that comes back of these images when nobody changes a pixel."""
    FORMATS[name].write(folder, given, CLASSES)
    return PERSON.get(name, lambda path: path)(folder / FILES[name])


def refused(path, **values) -> str:
    with pytest.raises(UserError) as error:
        read(path, **{"size": SIZE, "classes": CLASSES} | values)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", FORMATS)
def test_masks_come_back_to_the_pixel(name, tmp_path):
    given = items()
    path = exported(name, tmp_path, given)
    assert format_of(path) == name
    names = [item.name for item in given]
    assert_same(FORMATS[name].read(path, SIZE, CLASSES, names), masks_of(given))
    assert_same(read(path, SIZE, CLASSES, names), masks_of(given))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [(1, 1), (1, 90), (90, 1), (256, 256)])
def test_masks_of_any_size_come_back(name, size, tmp_path):
    mask = np.random.default_rng(size[1]).integers(0, len(CLASSES), size).astype(np.uint8)
    mask[-1, -1] = 1
    path = exported(name, tmp_path, [Annotated("noise", size, mask)])
    assert_same(read(path, size, CLASSES), {"noise": mask})


@pytest.mark.parametrize("name", FORMATS)
def test_a_mask_of_one_class_alone_comes_back(name, tmp_path):
    mask = np.full(SIZE, 2, np.uint8)
    assert_same(read(exported(name, tmp_path, [Annotated("full", SIZE, mask)]), SIZE, CLASSES), {"full": mask})


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_masks_give_the_same_bytes(name, tmp_path):
    for folder in ("one", "two"):
        FORMATS[name].write(tmp_path / folder, items(), CLASSES)
    one, two = (sorted(path for path in (tmp_path / part).rglob("*.*")) for part in ("one", "two"))
    assert [path.name for path in one] == [path.name for path in two]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("name", FORMATS)
def test_images_that_are_not_known_are_refused(name, tmp_path):
    path = exported(name, tmp_path, items())
    assert "img-002: no image is called that" in refused(path, names=["img-000", "img-001", "new"])


@pytest.mark.parametrize("name", FORMATS)
def test_classes_that_are_not_known_are_refused(name, tmp_path):
    path = exported(name, tmp_path, items())
    text = refused(path, classes=("background", "head", "tail"))
    assert "img-000" in text
    assert "no class is called left hand; rename it to one of head, tail, ignore" in text


@pytest.mark.parametrize("name", FORMATS)
def test_masks_of_another_size_are_refused(name, tmp_path):
    path = exported(name, tmp_path, items())
    text = refused(path, size=(74, 106))
    assert "img-000" in text
    assert "37 x 53" in text
    assert "74 x 106" in text


@pytest.mark.parametrize("name", FORMATS)
def test_classes_are_told_by_name_not_by_number(name, tmp_path):
    path = exported(name, tmp_path, items())
    other = ("background", "tail", "nose", "left hand", "head")
    ids = np.array([0, 4, 3, 1, *[0] * 251, 255], np.uint8)
    assert_same(read(path, SIZE, other), {key: ids[mask] for key, mask in masks_of(items()).items()})


@pytest.mark.parametrize("name", FORMATS)
def test_a_mask_that_does_not_fit_is_not_written(name, tmp_path):
    for mask in (np.full(SIZE, 9, np.uint8), np.zeros((4, 4), np.uint8)):
        with pytest.raises(ValueError, match="img-0"):
            FORMATS[name].write(tmp_path, [Annotated("img-0", SIZE, mask)], CLASSES)


@pytest.mark.parametrize("name", FORMATS)
def test_an_archive_or_a_folder_is_read_as_the_tool_gives_it(name, tmp_path):
    source = tmp_path / "source"
    exported(name, source, items())
    for extra in (INTERFACE, LABELS):
        (source / extra).unlink(missing_ok=True)
    archive = shutil.make_archive(str(tmp_path / "export"), "zip", source)
    assert_same(read(source, SIZE, CLASSES), masks_of(items()))
    assert_same(read(tmp_path / "export.zip", SIZE, CLASSES), masks_of(items()))
    assert str(archive) in refused(tmp_path / "export.zip", names=["other"])


def test_what_is_no_export_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("none")
    (tmp_path / "half.json").write_text('[{"data": {')
    (tmp_path / "half.xml").write_text("<annotations><image")
    (tmp_path / "empty").mkdir()
    with zipfile.ZipFile(tmp_path / "broken.zip", "w") as archive:
        archive.writestr("annotations.xml", "<annotations/>" * 99)
    content = bytearray((tmp_path / "broken.zip").read_bytes())
    content[50:60] = bytes(10)
    (tmp_path / "broken.zip").write_bytes(content)
    assert "no such file" in refused(tmp_path / "gone")
    assert "cannot be read" in refused(tmp_path / "gone.xml")
    assert "no export that is known" in refused(tmp_path / "notes.txt")
    assert "not valid JSON" in refused(tmp_path / "half.json")
    assert "not valid XML" in refused(tmp_path / "half.xml")
    assert "no .png masks" in refused(tmp_path / "empty")
    assert "cannot be unpacked" in refused(tmp_path / "broken.zip")
    assert "several files may hold the annotations" in refused(tmp_path)


def test_entities_of_xml_are_not_unfolded(tmp_path):
    path = tmp_path / "annotations.xml"
    path.write_text('<!DOCTYPE a [<!ENTITY b "bbbb">]><annotations>&b;</annotations>')
    assert "declares a document type" in refused(path)


def test_images_are_written_beside_the_annotations(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    write_images(tmp_path, {"colour": colours, "grey": colours[:, :, :1]})
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "images/colour.png")), colours)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "images/grey.png")), colours[:, :, 0])


def test_a_class_called_ignore_is_a_class(tmp_path):
    classes = ("background", "ignore", "head")
    mask = np.where(random_mask(0) < 3, random_mask(0), 0).astype(np.uint8)
    for name, module in FORMATS.items():
        module.write(tmp_path / name, [Annotated("a", SIZE, mask)], classes)
        path = PERSON.get(name, lambda path: path)(tmp_path / name / FILES[name])
        assert_same(read(path, SIZE, classes), {"a": mask})


def test_masks_in_the_layout_of_voc_need_no_more_than_their_folder(tmp_path):
    given = items()
    voc_masks.write(tmp_path, given, CLASSES)
    assert_same(read(tmp_path / voc_masks.MASKS, SIZE, CLASSES), masks_of(given))
