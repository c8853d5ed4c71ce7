import json

import numpy as np
import pytest

from stages.common.errors import UserError
from stages.common.params import SharedParams
from stages.common.samples import read_index, read_set
from stages.common.spec import DatasetSpec
from stages.common.tracking import Tracker
from stages.prepare.__main__ import main
from stages.prepare.cutouts import background_records, foreground_records, spread
from stages.prepare.cutouts.checking import Inspection
from stages.prepare.cutouts.objects import cut_objects, ink
from stages.prepare.cutouts.photos import HELD_OUT, TRAINING, photo_records, random_part, read_photo
from stages.prepare.duplicates import HeldOut
from stages.prepare.params import PrepareParams
from stages.prepare.records import BadFileError, Pixels, Record, Source
from stages.prepare.sources import open_source

SPEC = DatasetSpec(name="toy", size=(12, 16), channels=1, classes=("background", "red", "green"))


def record(name: str, pixels: Pixels, pool: str = "labeled") -> Record:
    return Record(name, pool, f"{pool}/{name}", f"{name}.png", lambda: pixels)


NOTHING_HELD_OUT = HeldOut([], [], [], np.zeros((0, 256), np.uint8), 0.02)


def inspection(quarantine: bool = False, held_out: HeldOut = NOTHING_HELD_OUT) -> Inspection:
    return Inspection(SPEC, quarantine, held_out)


def front(name: str, class_id: int | None = 1, size=(12, 16), alpha: int = 255) -> Record:
    opacity = np.full(size, alpha, np.uint8)
    return record(name, Pixels(np.full((*size, 1), 7, np.uint8), alpha=opacity, class_id=class_id))


def test_ink_pasted_on_black_is_the_digit_again():
    digits = open_source(PrepareParams()).records[::500]
    for one in digits:
        pixels = one.read()
        found = ink(pixels)
        assert found.alpha is not None
        assert pixels.mask is not None
        assert (found.image == 255).all()
        pasted = found.image.astype(int) * found.alpha[:, :, None] // 255
        np.testing.assert_array_equal(pasted, pixels.image)
        np.testing.assert_array_equal(np.where(found.alpha >= 128, found.class_id, 0), pixels.mask)


def test_digits_cut_the_labelled_images_alone_and_paste_them_on_black():
    params = PrepareParams()
    source = open_source(params)
    labeled = source.records[7:5000:501]
    found = list(foreground_records(params, source, labeled))
    assert [one.source_id for one in found] == [one.source_id for one in labeled]
    assert [one.read().class_id for one in found] == list(range(1, 11))
    (black,) = background_records(params, source, 0)
    assert black.read().image.shape == (32, 32, 1)
    assert not black.read().image.any()


def test_none_makes_none():
    params = PrepareParams.model_validate({"foregrounds": {"source": "none"}, "backgrounds": {"source": "none"}})
    source = open_source(params)
    assert foreground_records(params, source, source.records[:3]) == []
    assert background_records(params, source, 0) == []


def test_objects_are_cut_from_labelled_images_by_their_masks():
    image = np.random.default_rng(0).integers(0, 256, (12, 16, 1)).astype(np.uint8)
    mask = np.zeros((12, 16), np.uint8)
    mask[0:4, 0:6] = 1
    mask[6:12, 10:14] = 2
    keypoints = np.array([[2, 1, 2]], np.float32)
    source = Source(SPEC, [record("a", Pixels(image, mask, keypoints))])
    params = PrepareParams.model_validate({"foregrounds": {"source": "labeled"}})
    first, second = (one.read() for one in foreground_records(params, source, source.records))
    assert first.alpha is not None
    assert second.alpha is not None
    assert (first.class_id, second.class_id) == (1, 2)
    np.testing.assert_array_equal(first.image[4:8, 5:11], image[0:4, 0:6])
    np.testing.assert_array_equal(second.image[3:9, 6:10], image[6:12, 10:14])
    assert first.alpha.sum() == 255 * 24
    assert first.keypoints is not None
    assert first.keypoints[:, 2].tolist() == [0]


def test_a_lone_object_takes_its_keypoints_along():
    mask = np.zeros((12, 16), np.uint8)
    mask[0:4, 0:6] = 1
    pixels = Pixels(np.zeros((12, 16, 1), np.uint8), mask, np.array([[2, 1, 2]], np.float32))
    (cut,) = cut_objects(record("a", pixels), largest=1.0)
    keypoints = cut.read().keypoints
    assert keypoints is not None
    assert keypoints.tolist() == [[7, 5, 2]]


def test_what_a_source_lacks_is_one_sentence():
    boxes = Source(SPEC.model_copy(update={"labels": "boxes"}), [])
    for section, text in (("foregrounds", "folder, but source digits"), ("backgrounds", "folder, but source digits")):
        params = PrepareParams.model_validate({section: {"source": "folder"}})
        make = foreground_records if section == "foregrounds" else background_records
        with pytest.raises(UserError, match=rf"^prepare\.{section}\.source: {text}"):
            make(params, boxes, [] if section == "foregrounds" else 0)
    with pytest.raises(UserError, match="labeled cuts objects out by their masks, and toy has none"):
        foreground_records(PrepareParams.model_validate({"foregrounds": {"source": "labeled"}}), boxes, [])
    with pytest.raises(UserError, match=r"^prepare\.backgrounds\.count: null, but photos"):
        background_records(PrepareParams.model_validate({"backgrounds": {"source": "photos", "count": None}}), boxes, 0)


def test_good_cut_outs_pass_and_bad_ones_end_with_a_sentence_or_are_left_out():
    good = [front("a", 1), front("b", 2)]
    ground = record("g", Pixels(np.zeros((12, 16, 1), np.uint8)))
    look = inspection()
    assert [one for one, _ in look.foregrounds(good)] == good
    assert [one for one, _ in look.backgrounds([ground])] == [ground]
    assert (look.bad, look.copies) == ([], [])
    with pytest.raises(BadFileError, match=r"^c\.png: nothing of it is solid \(alpha 128 or more\)"):
        list(inspection().foregrounds([*good, front("c", 1, alpha=127)]))
    with pytest.raises(BadFileError, match=r"^c\.png: 9 x 16 x 1 .* data set has 12 x 16 x 1"):
        list(inspection().foregrounds([*good, front("c", 1, size=(9, 16))]))
    with pytest.raises(UserError, match=r"^c\.png: class 3 is none of the 2 foreground classes"):
        list(inspection(quarantine=True).foregrounds([*good, front("c", 3)]))
    look = inspection(quarantine=True)
    assert [one for one, _ in look.foregrounds([*good, front("c", 1, alpha=127)])] == good
    assert [file for file, _ in look.bad] == ["c.png"]


def test_a_class_without_a_foreground_is_refused_and_no_foreground_at_all_is_not():
    with pytest.raises(UserError, match=r"^class green: no foreground shows it"):
        list(inspection().foregrounds([front("a", 1)]))
    with pytest.raises(UserError, match=r"^class red: no foreground shows it"):
        list(inspection(quarantine=True).foregrounds([front("a", 1, alpha=0)]))
    assert list(inspection().foregrounds([])) == []


def test_a_choice_comes_from_all_over_the_list():
    records = [front(str(number)) for number in range(10)]
    assert [one.source_id for one in spread(records, 3)] == ["0", "3", "6"]
    assert spread(records, None) == records == spread(records, 11)


def test_training_and_held_out_photographs_are_different_and_all_there():
    assert not set(TRAINING) & set(HELD_OUT)
    images = [read_photo(photo, 3) for photo in (*TRAINING, *HELD_OUT)]
    assert len(images) == 12
    assert all(min(image.shape[:2]) >= 300 and image.shape[2] == 3 and image.std() > 10 for image in images)


@pytest.mark.parametrize("channels", [1, 3])
def test_photo_backgrounds_are_a_function_of_seed_and_number(channels):
    spec = DatasetSpec(name="toy", size=(40, 64), channels=channels)
    first, again = (photo_records(spec, 9, seed=0)[8].read().image for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (40, 64, channels)
    assert (first != photo_records(spec, 9, seed=1)[8].read().image).any()


def test_a_frame_as_large_as_the_photograph_takes_all_of_it():
    photo = TRAINING[0]
    whole = read_photo(photo, 3)
    spec = DatasetSpec(name="toy", size=whole.shape[:2], channels=3)
    np.testing.assert_array_equal(random_part(photo, spec, np.random.default_rng(0)), whole)


def test_a_frame_that_fits_in_no_photograph_is_refused():
    with pytest.raises(UserError, match="no photograph that comes along is as large as the 2000 x 2000 pixels"):
        photo_records(DatasetSpec(name="toy", size=(2000, 2000), channels=1), 3, 0)


def test_the_stage_writes_both_sets_from_training_digits_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = {"labeled": 20, "val": 10, "test": 30, "unlabeled": 60, "simulated": 10, "near_duplicate_rms": 0}
    params = PrepareParams.model_validate(settings | {"backgrounds": {"source": "photos", "count": 7}})
    main(params, SharedParams(), Tracker(None))
    found = read_set(tmp_path / "data/prepare/foregrounds")
    labeled = read_set(tmp_path / "data/prepare/labeled")
    assert found.alpha is not None
    np.testing.assert_array_equal(found.alpha, labeled.images[:, :, :, 0])
    assert found.index["source_id"].tolist() == labeled.index["source_id"].tolist()
    assert found.index["group"].tolist() == labeled.index["group"].tolist()
    assert found.require_class_ids().tolist() == labeled.require_masks().max((1, 2)).tolist()
    assert set(found.index["recipe"]) == {"foreground"}
    grounds = read_set(tmp_path / "data/prepare/backgrounds")
    assert grounds.images.shape == (7, 32, 32, 1)
    assert set(grounds.index.columns) == {"key", "shard", "recipe", "source_id"}
    assert set(grounds.index["recipe"]) == {"background"}
    metrics = json.loads((tmp_path / "reports/prepare/metrics.json").read_text())
    assert (metrics["prepare/foregrounds"], metrics["prepare/backgrounds"]) == (20, 7)
    for name in ("foregrounds", "backgrounds"):
        assert (tmp_path / "reports/prepare/pictures" / f"{name}.png").is_file()


def test_sets_of_nothing_are_an_index_without_rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nothing = {"foregrounds": {"source": "none"}, "backgrounds": {"source": "none"}, "simulator": "none"}
    settings = {"labeled": 10, "val": 0, "test": 10, "unlabeled": 20, "near_duplicate_rms": 0} | nothing
    main(PrepareParams.model_validate(settings), SharedParams(), Tracker(None))
    for name in ("foregrounds", "backgrounds"):
        assert len(read_index(tmp_path / "data/prepare" / name)) == 0
        assert not (tmp_path / "reports/prepare/pictures" / f"{name}.png").exists()
