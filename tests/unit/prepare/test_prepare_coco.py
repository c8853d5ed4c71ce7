import json

import numpy as np
import pytest
from PIL import Image
from voc_builders import coco_tree

from stages.common.errors import UserError
from stages.common.params import SharedParams
from stages.common.samples import read_set
from stages.common.tracking import Tracker
from stages.prepare.__main__ import main
from stages.prepare.cutouts import background_records, foreground_records
from stages.prepare.cutouts.canvas import solid_box
from stages.prepare.params import PrepareParams
from stages.prepare.records import Record
from stages.prepare.sources import open_source


@pytest.fixture
def root(tmp_path):
    coco_tree(tmp_path)
    return coco_tree(tmp_path, "val2017", first=11)


def coco(root, **values) -> PrepareParams:
    return PrepareParams.model_validate({"source": "coco", "path": root, "resize": [60, 80]} | values)


def test_labelled_images_show_a_class_and_test_images_need_not(root):
    source = open_source(coco(root))
    assert [(r.pool, r.source_id) for r in source.records] == [
        ("labeled", "1"),
        ("labeled", "2"),
        *(("test", str(number)) for number in range(11, 16)),
    ]
    boxes = [record.read().boxes for record in source.records]
    assert [None if found is None else found.tolist() for found in boxes[:3]] == [
        [[8, 4, 24, 44, 1]], [[40, 10, 42, 40, 1]], [[8, 4, 24, 44, 1]],
    ]  # fmt: skip
    assert boxes[5] is not None
    assert boxes[5].shape == (0, 5)
    crowd = source.records[4].read()
    assert crowd.boxes is not None
    assert (crowd.boxes.shape, crowd.ignored.tolist()) == ((0, 5), [[0, 0, 80, 60, 1]])
    assert all(record.read().ignored is None for record in source.records if record.source_id != "13")


def test_foregrounds_are_cut_by_polygons_and_run_lengths(root):
    params = coco(root)
    source = open_source(params)
    found = list(foreground_records(params, source, source.records[:2]))
    assert [one.source_id for one in found] == ["1-0", "2-0"]
    first, second = (one.read() for one in found)
    assert first.alpha is not None
    assert second.alpha is not None
    assert solid_box(first.alpha)[2:] == (16, 40)
    assert solid_box(second.alpha)[2:] == (2, 30)
    original = np.asarray(Image.open(root / "train2017/000000000001.jpg"))
    np.testing.assert_array_equal(first.image[10:50, 32:48], original[4:44, 8:24])


def test_backgrounds_show_no_chosen_class_nor_a_crowd_of_it(root):
    params = coco(root, backgrounds={"count": None, "crop": "middle"})
    grounds = background_records(params, open_source(params), 0)
    assert [one.source_id for one in grounds] == [f"{number:012d}" for number in (4, 5)]
    np.testing.assert_array_equal(grounds[0].read().image, np.asarray(Image.open(root / "train2017/000000000004.jpg")))
    assert background_records(coco(root, resize=[61, 80]), open_source(coco(root, resize=[61, 80])), 0) == []


def test_images_may_lie_in_a_folder_of_their_own(root):
    (root / "images").mkdir()
    (root / "train2017").rename(root / "images/train2017")
    assert open_source(coco(root)).records[0].read().image.shape == (60, 80, 3)


def test_the_stage_writes_boxes_and_cut_outs(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = {"labeled": None, "val": 0, "near_duplicate_rms": 0, "coco": {"classes": ["person", "dog"]}}
    main(coco(root, **settings, backgrounds={"count": 3}), SharedParams(), Tracker(None))
    labeled = read_set(tmp_path / "data/prepare/labeled")
    by_id = dict(zip(labeled.index["source_id"], labeled.require_boxes(), strict=True))
    assert sorted(by_id) == ["1", "2", "4"]
    assert by_id["2"].tolist() == [[40, 10, 42, 40, 1], [50, 30, 70, 50, 2]]
    fronts = read_set(tmp_path / "data/prepare/foregrounds")
    assert sorted(zip(fronts.index["source_id"], fronts.require_class_ids().tolist(), strict=True)) == [
        ("1-0", 1), ("2-0", 1), ("2-1", 2), ("4-0", 2),
    ]  # fmt: skip
    assert read_set(tmp_path / "data/prepare/backgrounds").index["source_id"].tolist() == [
        f"{5:012d}-{turn}" for turn in range(3)
    ]


def cut(params: PrepareParams) -> list[Record]:
    source = open_source(params)
    return list(foreground_records(params, source, source.records[:1]))


def test_every_mistake_is_one_sentence(root):
    def refused(**values) -> str:
        with pytest.raises(UserError) as error:
            cut(coco(root, **values))
        assert "\n" not in str(error.value)
        return str(error.value)

    assert refused(resize=None).startswith("prepare.resize: not set; source coco needs the [height, width]")
    assert "no class human in" in refused(coco={"classes": ["human"]})
    assert "instances_test.json: no such file" in refused(coco={"test": "test"})
    file = root / "annotations/instances_train2017.json"
    content = json.loads(file.read_text())
    content["annotations"][0]["segmentation"] = {"size": [60, 80], "counts": [4799]}
    file.write_text(json.dumps(content))
    assert "annotation 0: run lengths do not add up to 60 x 80 pixels" in refused()
    content["annotations"][0]["bbox"] = [1, 2]
    file.write_text(json.dumps(content))
    assert "annotation 0 has no bbox of 4 numbers" in refused()
    content["annotations"][0]["bbox"] = [1, 2, "3", 4]
    file.write_text(json.dumps(content))
    assert "annotation 0 has no bbox of 4 numbers" in refused()
    content["annotations"][0]["image_id"] = 999
    file.write_text(json.dumps(content))
    assert "annotations name image 999, which images does not list" in refused()
    file.write_text(file.read_text()[:-40])
    assert "not whole COCO annotations" in refused()
    file.write_text("[]")
    assert "not whole COCO annotations" in refused()
