import numpy as np
import pytest

from stages.common.params import SharedParams
from stages.common.samples import read_set
from stages.common.spec import read_spec
from stages.common.tracking import Tracker
from stages.prepare.__main__ import main
from stages.prepare.cropping import Box
from stages.prepare.cutouts.canvas import solid_box
from stages.prepare.cutouts.photos import HELD_OUT, TRAINING
from stages.prepare.params import PrepareParams
from stages.prepare.records import Source
from stages.prepare.sources import open_source
from stages.prepare.sources.digit_piles import digit_piles
from stages.prepare.sources.digit_scenes import stock
from stages.prepare.sources.scenes import DUSK, NOISE, draw_scene, pasted, place, shared, turned

SMALL = {"labeled": 12, "val": 10, "test": 40, "unlabeled": 15, "near_duplicate_rms": 0}


def scenes(**values) -> PrepareParams:
    return PrepareParams.model_validate({"source": "digit_scenes"} | SMALL | values)


@pytest.fixture(scope="module")
def source() -> Source:
    return open_source(scenes(backgrounds={"count": 9}), seed=1)


def stick(height: int = 20, width: int = 6) -> np.ndarray:
    """An upright stroke in a (28, 28) frame."""
    image = np.zeros((28, 28), np.uint8)
    image[4 : 4 + height, 10 : 10 + width] = 255
    return image


def test_a_box_is_tight_around_the_solid_ink_of_its_digit():
    for number in range(30):
        random = np.random.default_rng(number)
        found = place((stick(), 6), (96, 96), [], random)
        assert found is not None
        assert found.class_id == 7
        rows, columns = np.nonzero(found.ink >= 128 / 255)
        assert found.box == Box(columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)


def test_what_stands_lower_is_larger_and_places_are_not_even():
    drawn = [place((stick(), 1), (96, 96), [], np.random.default_rng(number)) for number in range(300)]
    boxes = np.array([one.box for one in drawn if one is not None])
    bottoms, heights = boxes[:, 1] + boxes[:, 3], boxes[:, 3]
    assert len(boxes) == 300
    assert np.corrcoef(bottoms, heights)[0, 1] > 0.9
    assert bottoms.min() < 50
    assert bottoms.max() > 90
    assert (bottoms > 96 * 0.65).mean() > 0.55
    assert 12 < heights.min() < 20
    assert 34 < heights.max() < 46


def test_digits_hide_little_of_each_other():
    assert shared(Box(0, 0, 10, 10), Box(5, 5, 10, 10)) == 0.25
    assert shared(Box(0, 0, 10, 10), Box(2, 2, 4, 4)) == 1
    assert shared(Box(0, 0, 10, 10), Box(10, 0, 4, 4)) == 0
    assert place((stick(), 1), (96, 96), [Box(0, 0, 96, 96)], np.random.default_rng(0)) is None


def test_ink_is_scaled_to_its_height_and_turned():
    upright = turned(stick(), 30, 0)
    assert upright.shape == (30, 9)
    lying = turned(stick(), 30, 90)
    assert lying.shape == (9, 30)


def test_a_digit_casts_a_soft_shadow_around_itself_alone():
    ink = np.zeros((96, 96))
    ink[40:60, 45:50] = 1
    found = pasted(np.full((96, 96), 100.0), ink, 240)
    assert (found[40:60, 45:50] == 240).all()
    assert found[50, 43] < 90
    assert found[5, 5] == pytest.approx(100)


def test_a_scene_is_the_dim_photo_with_noise_outside_of_its_digits():
    photo = np.full((96, 96), 200, np.uint8)
    found = draw_scene(photo, [(stick(), 3)], np.random.default_rng(0))
    assert found.boxes is not None
    assert found.boxes.shape == (1, 5)
    left, top, right, bottom, label = found.boxes[0].astype(int)
    assert label == 4
    assert found.image[top:bottom, left:right].max() > 190
    corner = found.image[:10, :10].astype(float)
    assert corner.mean() == pytest.approx(200 * DUSK, abs=2)
    assert corner.std() == pytest.approx(NOISE, rel=0.3)


def test_every_set_has_what_it_needs_and_the_first_classes_take_turns(source):
    assert (source.spec.labels, source.spec.size) == ("boxes", (96, 96))
    by_pool = {pool: [r for r in source.records if r.pool == pool] for pool in ("labeled", "val", "test", "unlabeled")}
    assert {pool: len(found) for pool, found in by_pool.items()} == {
        "labeled": 24, "val": 10, "test": 40, "unlabeled": 30,
    }  # fmt: skip
    counts = []
    for number, record in enumerate(by_pool["test"]):
        boxes = record.read().boxes
        assert boxes is not None
        assert number % 10 + 1 in boxes[:, 4]
        assert (boxes[:, :2] >= 0).all()
        assert (boxes[:, 2:4] <= 96).all()
        assert (boxes[:, 2:4] - boxes[:, :2] >= 2).all()
        counts.append(len(boxes))
    assert set(counts) == {1, 2, 3}


def test_a_scene_is_a_function_of_seed_and_number(source):
    again, other = open_source(scenes(), seed=1), open_source(scenes(), seed=2)
    first, same, changed = (one.records[-1].read() for one in (source, again, other))
    np.testing.assert_array_equal(first.image, same.image)
    np.testing.assert_array_equal(first.boxes, same.boxes)
    assert (first.image != changed.image).any()


def test_test_scenes_share_neither_photographs_nor_digits_with_the_others(source):
    piles = digit_piles(scenes())
    assert stock("test", piles["test"], source.spec).photos == HELD_OUT
    for pool in ("labeled", "val", "unlabeled"):
        assert stock(pool, piles["labeled"], source.spec).photos == TRAINING
    made_of = {record.pool: record.read.args[0] for record in source.records}
    assert {pool: found.photos for pool, found in made_of.items()} == {
        "labeled": TRAINING, "unlabeled": TRAINING, "val": TRAINING, "test": HELD_OUT,
    }  # fmt: skip
    names = {pool: set(found.pile.names) for pool, found in made_of.items()}
    assert not names["test"] & (names["labeled"] | names["val"] | names["unlabeled"])
    assert not names["val"] & names["labeled"]
    assert {record.source_id for record in source.foregrounds} == names["labeled"]


def test_cut_outs_are_the_training_digits_in_the_middle_of_the_frame(source):
    pile = digit_piles(scenes())["labeled"]
    found = source.foregrounds[1700].read()
    assert found.alpha is not None
    box, original = solid_box(found.alpha, least=1), solid_box(pile.images[1700], least=1)
    assert (box.width, box.height) == (original.width, original.height)
    assert abs(box.left + box.width / 2 - 48) <= 0.5
    assert (found.image == 255).all()
    assert found.class_id == pile.digits[1700] + 1
    assert len(source.backgrounds) == 9
    assert source.backgrounds[0].read().image.max() <= round(255 * DUSK)


def test_another_size_is_drawn_at_that_size():
    source = open_source(scenes(resize=(48, 64), foregrounds={"count": 20}))
    pixels = source.records[-1].read()
    assert pixels.image.shape == (48, 64, 1)
    assert pixels.boxes is not None
    assert (pixels.boxes[:, 2:4] <= (64, 48)).all()
    assert len(source.foregrounds) == 20
    assert len({record.read().class_id for record in source.foregrounds}) == 10


def test_the_stage_writes_scenes_with_boxes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(scenes(foregrounds={"count": 30}, backgrounds={"count": 8}), SharedParams(), Tracker(None))
    sets = {name: read_set(tmp_path / "data/prepare" / name) for name in ("labeled", "val", "test", "unlabeled")}
    assert {name: len(found) for name, found in sets.items()} == {
        "labeled": 12, "val": 10, "test": 40, "unlabeled": 15,
    }  # fmt: skip
    for name in ("labeled", "val", "test"):
        assert all(1 <= len(boxes) <= 3 for boxes in sets[name].require_boxes())
    assert sets["unlabeled"].boxes is None
    assert read_spec().labels == "boxes"
    fronts = read_set(tmp_path / "data/prepare/foregrounds")
    assert sorted(set(fronts.require_class_ids())) == list(range(1, 11))
    assert len(read_set(tmp_path / "data/prepare/backgrounds")) == 8
