import numpy as np
import pytest
from PIL import Image
from voc_builders import annotation, coco_tree, palette_png, voc_tree

from stages.common.errors import UserError
from stages.prepare.cutouts import background_records, foreground_records
from stages.prepare.cutouts.canvas import solid_box
from stages.prepare.params import PrepareParams
from stages.prepare.records import Record
from stages.prepare.sources import open_source
from stages.prepare.sources.voc_xml import read_objects


def voc(root, **values) -> PrepareParams:
    return PrepareParams.model_validate({"source": "voc", "path": root, "resize": [30, 40]} | values)


def cut(params: PrepareParams) -> list[Record]:
    source = open_source(params)
    return list(foreground_records(params, source, source.records[:2]))


def refused(root, **values) -> str:
    with pytest.raises(UserError) as error:
        cut(voc(root, **values))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_images_and_boxes_of_the_chosen_classes_at_the_size_asked_for(tmp_path):
    source = open_source(voc(voc_tree(tmp_path)))
    assert (source.spec.classes, source.spec.labels, source.spec.size) == (("background", "person"), "boxes", (30, 40))
    assert [(r.pool, r.source_id) for r in source.records] == [
        ("labeled", "VOC2007-000001"),
        ("labeled", "VOC2007-000003"),
        ("labeled", "VOC2007-000004"),
        ("test", "VOC2007-000005"),
        ("test", "VOC2007-000006"),
    ]
    first, _, _, test, empty = (record.read() for record in source.records)
    assert first.image.shape == (30, 40, 3)
    assert first.boxes is not None
    assert first.boxes.tolist() == [[4, 2, 12, 22, 1]]
    assert test.boxes is not None
    assert test.boxes.tolist() == [[5, 5, 25, 25, 1]]
    assert empty.boxes is not None
    assert empty.boxes.shape == (0, 5)


def test_difficult_objects_are_ignored_unless_asked_for(tmp_path):
    root = voc_tree(tmp_path)
    hard = open_source(voc(root, voc={"difficult": True})).records[1].read()
    easy = open_source(voc(root)).records[1].read()
    assert hard.boxes.tolist() == [[0, 5, 40, 30, 1], [0.5, 1, 2, 2.5, 1]]
    assert hard.ignored is None
    assert (easy.boxes.tolist(), easy.ignored.tolist()) == ([[0, 5, 40, 30, 1]], [[0.5, 1, 2, 2.5, 1]])
    assert open_source(voc(root)).records[0].read().ignored is None


def test_foregrounds_are_the_instances_of_the_labelled_images_given(tmp_path):
    root = voc_tree(tmp_path)
    params = voc(root, resize=[60, 80])
    source = open_source(params)
    (person,) = foreground_records(params, source, [source.records[0], source.records[2]])
    pixels = person.read()
    assert person.source_id == "VOC2007-000001-0"
    assert pixels.class_id == 1
    assert pixels.alpha is not None
    assert solid_box(pixels.alpha) == (32, 10, 16, 40)
    original = np.asarray(Image.open(root / "VOC2007/JPEGImages/000001.jpg"))
    np.testing.assert_array_equal(pixels.image[10:50, 32:48], original[4:44, 8:24])


def test_objects_too_small_to_be_seen_are_left_out_and_two_classes_are_told_apart(tmp_path):
    params = voc(voc_tree(tmp_path), voc={"classes": ["dog", "person"]})
    source = open_source(params)
    labeled = [record for record in source.records if record.pool == "labeled"]
    found = foreground_records(params, source, labeled)
    assert [(one.source_id, one.read().class_id) for one in found] == [
        ("VOC2007-000001-0", 2),
        ("VOC2007-000001-1", 1),
        ("VOC2007-000002-0", 1),
        ("VOC2007-000003-0", 2),
    ]


def test_backgrounds_are_images_of_coco_without_the_classes(tmp_path):
    root, coco = voc_tree(tmp_path / "voc"), coco_tree(tmp_path / "coco")
    params = voc(root, backgrounds={"path": coco, "count": None})
    grounds = background_records(params, open_source(params), 0)
    assert [record.source_id for record in grounds] == [f"{number:012d}" for number in (4, 5)]
    assert all(record.read().image.shape == (*open_source(params).spec.size, 3) for record in grounds)
    assert background_records(voc(root), open_source(voc(root)), 0) == []


def test_several_years_are_read_together(tmp_path):
    voc_tree(tmp_path / "VOCdevkit")
    (tmp_path / "VOCdevkit/VOC2012").mkdir()
    (tmp_path / "VOCdevkit/VOC2007/ImageSets/Main/trainval.txt").write_text("000002\n000004 1\n")
    names = [r.source_id for r in open_source(voc(tmp_path, voc={"labeled": "Main/trainval"})).records]
    assert names == ["VOC2007-000004", "VOC2007-000005", "VOC2007-000006"]
    own = open_source(voc(tmp_path / "VOCdevkit/VOC2007"))
    assert len(own.records) == 5


def test_a_document_type_is_refused_before_it_unfolds(tmp_path):
    bomb = (
        '<?xml version="1.0"?><!DOCTYPE annotation [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
        "<annotation><object><name>&b;</name></object></annotation>"
    )
    for encoding in ("utf-8", "utf-16"):
        (tmp_path / "x.xml").write_bytes(bomb.replace("?>", f' encoding="{encoding}"?>', 1).encode(encoding))
        with pytest.raises(UserError, match=r"x\.xml: no annotation of VOC \(declares a document type, annotation\)"):
            read_objects(tmp_path / "x.xml")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<annotation><object>", "no element found|not well-formed|unclosed"),
        ("<annotation><object><name>person</name></object></annotation>", "an object without name or bndbox"),
        (annotation([("person", 9, 5, 3, 44, 0)]), r"the box of person is 9\.0, 5\.0, 3\.0, 44\.0"),
        (annotation([("person", "x", 5, 3, 44, 0)]), "could not convert string to float"),
        (annotation([("person", "", 5, 3, 44, 0)]), "the box of person is nan"),
    ],
)
def test_a_damaged_annotation_is_one_sentence(tmp_path, text, reason):
    (tmp_path / "x.xml").write_text(text)
    with pytest.raises(UserError, match=rf"x\.xml: no annotation of VOC \(.*({reason})"):
        read_objects(tmp_path / "x.xml")


def test_every_mistake_is_one_sentence(tmp_path):
    root = voc_tree(tmp_path)
    assert refused(None).startswith("prepare.path: not set; source voc needs")
    assert refused(root, resize=None).startswith("prepare.resize: not set; source voc needs the [height, width]")
    assert refused(root, voc={"classes": ["human"]}).startswith("prepare.voc.classes: no class human; VOC has aero")
    assert "no VOC folder in it has ImageSets/Main/val.txt" in refused(root, voc={"test": "Main/val"})
    assert "000001.jpg is in both" in refused(root, voc={"test": "Segmentation/trainval"})
    palette_png(root / "VOC2007/SegmentationClass/000001.png", np.zeros((9, 9), np.uint8))
    assert "000001.png: not of the size of SegmentationObject/000001.png" in refused(root)
    (root / "VOC2007/SegmentationClass/000001.png").unlink()
    assert "000001.png: no such file; VOC has one for each in SegmentationObject/" in refused(root)
    (root / "VOC2007/Annotations/000003.xml").unlink()
    assert "000003.xml: no such file; every image needs its annotation" in refused(root)
