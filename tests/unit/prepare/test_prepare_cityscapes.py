import json

import numpy as np
import pytest
from released_builders import noise, refused, released, save

from stages.prepare.scan import scan
from stages.prepare.sources import open_source
from stages.prepare.splits import Pile, choose_splits
from stages.train.metrics import segmentation_scores

CITIES = {"train": ("aachen", "bochum", "bremen"), "val": ("frankfurt",), "test": ("berlin",)}
# Four rows each of static, road, sidewalk, sky, person, car; half of Cityscapes' rows stand in between.
ROWS = (4, 7, 8, 23, 24, 26)
SIZE = (24, 48)


def write_streets(root, splits=("train", "val", "test"), depth=False, images=2):
    labels = np.repeat(np.array(ROWS, np.uint8), 4)[:, None].repeat(48, axis=1)
    for split in splits:
        for city in CITIES[split]:
            for number in range(images):
                name = f"{city}_{number:06d}_000019"
                place = f"{split}/{city}/{name}"
                save(root / f"leftImg8bit/{place}_leftImg8bit.png", noise(SIZE, len(city) + 50 * number))
                save(root / f"gtFine/{place}_gtFine_labelIds.png", labels)
                save(root / f"gtFine/{place}_gtFine_instanceIds.png", labels.astype(np.uint16) * 1000)
                if depth:
                    write_depth(root, place)
    return released("cityscapes", root, resize=list(SIZE))


def write_depth(root, place):
    values = np.full(SIZE, 256 * 32 + 1, np.uint16)  # a disparity of 32 pixels
    values[:4], values[4:8] = 0, 1
    save(root / f"disparity/{place}_disparity.png", values)
    path = root / f"camera/{place}_camera.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    camera = {"extrinsic": {"baseline": 0.2, "pitch": 0.03}, "intrinsic": {"fx": 2240.0, "fy": 2250.0}}
    path.write_text(json.dumps(camera))


def classes_of(params, **update):
    source = open_source(params.model_copy(update=update))
    return [source.spec.classes[one] for one in source.records[0].read().mask[::4, 0]]


def test_train_is_learned_from_and_val_tested_on_and_a_city_is_a_group(tmp_path):
    source = open_source(write_streets(tmp_path))
    assert [(one.pool, one.group) for one in source.records] == [
        *(("labeled", city) for city in CITIES["train"] for _ in range(2)),
        *(("test", "frankfurt"),) * 2,
    ]
    assert source.records[0].source_id == "aachen_000000_000019"
    np.testing.assert_array_equal(source.records[0].read().image, noise(SIZE, len("aachen")))
    assert len(scan(source, quarantine=False).records) == 8


def test_no_city_is_in_two_sets(tmp_path):
    params = write_streets(tmp_path, ("train",), images=4).model_copy(
        update={"labeled": 4, "val": 4, "test": 4, "classes": "articles"}
    )
    found = scan(open_source(params), quarantine=False)
    pools, groups = (np.array([getattr(one, name) for one in found.records]) for name in ("pool", "group"))
    pile = Pile(pools, groups, found.shows, np.zeros((0, 2), int), ("background", "road", "sky", "human", "vehicle"))
    splits = choose_splits(pile, params, seed=0)
    cities = [set(groups[splits[name]]) for name in ("test", "val", "labeled")]
    assert [len(one) for one in cities] == [1, 1, 1]
    assert len(set.union(*cities)) == 3


def test_the_classes_are_the_labels_the_categories_or_those_of_the_articles(tmp_path):
    params = write_streets(tmp_path)
    assert classes_of(params) == ["static", "road", "sidewalk", "sky", "person", "car"]
    assert classes_of(params, classes="categories") == ["void", "flat", "flat", "sky", "human", "vehicle"]
    assert classes_of(params, classes="articles") == ["background", "road", "background", "sky", "human", "vehicle"]


def test_what_cityscapes_does_not_evaluate_is_ignored(tmp_path):
    source = open_source(write_streets(tmp_path).model_copy(update={"classes": "evaluated"}))
    assert (source.spec.classes[0], len(source.spec.classes)) == ("void", 20)
    assert source.records[0].read().mask[::4, 0].tolist() == [255, 1, 2, 11, 12, 14]
    found = scan(source, quarantine=False)
    assert found.shows[0].nonzero()[0].tolist() == [1, 2, 11, 12, 14]
    # A model that is right wherever it counts has a mean of 1 over the classes that are there, whatever static is.
    truth = np.stack([record.read().mask for record in source.records[:2]])
    predicted = np.where(truth == 255, 1, truth).astype(np.uint8)
    scores = segmentation_scores(predicted, truth, source.spec.classes)
    assert scores == {"miou": 1} | {f"iou/{name}": 1 for name in ("road", "sidewalk", "sky", "person", "car")}


def test_depth_is_baseline_times_focal_length_by_disparity(tmp_path):
    source = open_source(write_streets(tmp_path, depth=True))
    assert source.spec.depth
    depth = source.records[0].read().depth
    assert depth.dtype == np.float32
    assert (depth[:8] == 0).all()
    assert depth[8:] == pytest.approx(np.full((16, 48), 0.2 * 2240 / 32))
    assert not open_source(write_streets(tmp_path / "flat")).spec.depth


def test_depths_beyond_80_metres_are_unknown(tmp_path):
    params = write_streets(tmp_path, depth=True)
    values = np.full(SIZE, 2, np.uint16)  # 448 metres times pixels by a disparity of 1 / 256: 114,688 m
    # 80 m are a disparity of 5.6 pixels, a grey value of 1434.6.
    values[1], values[2], values[3] = 1434, 1435, 257
    save(tmp_path / "disparity/train/aachen/aachen_000000_000019_disparity.png", values)
    depth = open_source(params).records[0].read().depth
    assert depth[:4, 0] == pytest.approx([0, 0, 448 * 256 / 1434, 0])


def test_resizing_takes_mask_and_depth_along(tmp_path):
    params = write_streets(tmp_path, depth=True).model_copy(update={"resize": (12, 24)})
    pixels = open_source(params).records[0].read()
    assert pixels.image.shape[:2] == pixels.mask.shape == pixels.depth.shape == (12, 24)
    assert pixels.mask[::2, 0].tolist() == list(ROWS)


def test_every_mistake_is_one_sentence(tmp_path):
    empty = released("cityscapes", tmp_path)
    assert refused(empty) == (
        f"{tmp_path}: no image in leftImg8bit/train/<city>/; unpack leftImg8bit and gtFine of Cityscapes there"
    )
    params = write_streets(tmp_path, depth=True)
    label = tmp_path / "gtFine/val/frankfurt/frankfurt_000001_000019_gtFine_labelIds.png"
    save(label, np.full(SIZE, 200, np.uint8))
    assert refused(params).startswith(f"{label}: class id 200, but the data set's own are 0 to 33")
    save(label, np.zeros((9, 9), np.uint8))
    assert refused(params) == f"{label}: the mask is 9 x 9 pixels, but its image is 24 x 48"
    label.unlink()
    assert refused(params).startswith(f"{label}: no such file; every image needs its own, so put Cityscapes' there")
    save(label, np.zeros(SIZE, np.uint8))
    camera = tmp_path / "camera/val/frankfurt/frankfurt_000001_000019_camera.json"
    camera.write_text("{}")
    assert refused(params) == f"{camera}: no camera of Cityscapes (KeyError('extrinsic')); put its own file there"
    camera.unlink()
    assert refused(params).startswith(f"{camera}: no such file")
    disparity = tmp_path / "disparity/train/aachen/aachen_000000_000019_disparity.png"
    save(disparity, np.zeros(SIZE, np.uint8))
    assert refused(params) == f"{disparity}: mode L, but a disparity is grey with 16 bits; save it so"
