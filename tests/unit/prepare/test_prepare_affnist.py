import numpy as np
import pytest
from scipy.io import savemat

from stages.common.errors import UserError
from stages.common.params import SharedParams
from stages.common.samples import read_set
from stages.common.spec import DatasetSpec, read_spec
from stages.common.tracking import Tracker
from stages.prepare.__main__ import main
from stages.prepare.compositing_params import AffnistParams
from stages.prepare.params import PrepareParams
from stages.prepare.records import Source
from stages.prepare.simulators import simulated_source
from stages.prepare.sources import open_source
from stages.prepare.sources.affine_digits import mapped, moved_digit, random_matrix, reach
from stages.prepare.sources.digit_piles import digit_piles
from stages.prepare.sources.digits import CLASSES

SMALL = {"labeled": 20, "val": 7, "test": 12, "unlabeled": 30, "simulated": 25, "near_duplicate_rms": 0}
SETS = ("labeled", "val", "test", "simulated", "foregrounds", "backgrounds")


def affnist(path=None, **values) -> PrepareParams:
    return PrepareParams.model_validate({"source": "affnist", "path": path} | SMALL | values)


def split_names(params: PrepareParams) -> dict[str, set[str]]:
    return {name: set(pile.names) for name, pile in digit_piles(params).items()}


def test_the_piles_share_no_digit_and_hold_all_of_them():
    found = split_names(affnist())
    assert {name: len(names) for name, names in found.items()} == {"labeled": 3000, "val": 1000, "test": 1000}
    assert len(set.union(*found.values())) == 5000
    for pile in digit_piles(affnist()).values():
        assert len(set(np.bincount(pile.digits).tolist())) == 1


def test_labelled_digits_stand_as_they_are_in_the_middle():
    pile = digit_piles(affnist())["labeled"]
    source = open_source(affnist())
    record = next(r for r in source.records if r.source_id == pile.names[1234])
    pixels = record.read()
    np.testing.assert_array_equal(pixels.image[6:34, 6:34, 0], pile.images[1234])
    assert pixels.image.sum() == pile.images[1234].sum()
    assert pixels.class_id == pile.digits[1234] + 1
    assert (source.spec.size, source.spec.labels) == ((40, 40), "image")


def test_the_identity_moves_nothing_but_to_where_it_is_told():
    image = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)
    found = mapped(image, np.eye(2), np.array([20.0, 20.0]), (40, 40))
    np.testing.assert_array_equal(found[6:34, 6:34], image)
    found = mapped(image, np.eye(2), np.array([17.0, 21.0]), (40, 40))
    np.testing.assert_array_equal(found[7:35, 3:31], image)


def test_a_quarter_turn_goes_from_right_to_down():
    image = np.zeros((5, 5), np.uint8)
    image[2, 4] = 200
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    found = mapped(image, turn, np.array([2.5, 2.5]), (5, 5))
    assert found[4, 2] == 200
    assert found.sum() == 200


def test_the_reach_of_ink_is_that_of_its_interpolation():
    image = np.zeros((5, 7), np.uint8)
    image[1, 5] = 9
    low, high = reach(image, np.eye(2))
    assert (low.tolist(), high.tolist()) == ([1.0, -2.0], [3.0, 0.0])


def test_no_ink_leaves_the_frame_and_every_place_in_it_is_reached():
    pile, ranges = digit_piles(affnist())["test"], AffnistParams()
    middles = []
    for number in range(0, 1000, 10):
        image = pile.images[number]
        small = moved_digit(image, (40, 40), ranges, np.random.default_rng(number)).astype(float)
        random = np.random.default_rng(number)
        area = abs(np.linalg.det(random_matrix(ranges, random)))
        assert small.sum() == pytest.approx(image.sum() * area, rel=0.03)
        rows, columns = np.indices(small.shape)
        middles.append([(small * places).sum() / small.sum() for places in (rows, columns)])
    assert np.min(middles) < 12
    assert np.max(middles) > 27


def test_the_maps_fill_their_ranges():
    matrices = np.stack([random_matrix(AffnistParams(), np.random.default_rng(seed)) for seed in range(500)])
    angles = np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    width, area = np.hypot(matrices[:, 0, 0], matrices[:, 1, 0]), np.linalg.det(matrices)
    for values, low, high in ((angles, -20, 20), (width, 0.8, 1.2), (area / width, 0.8, 1.2)):
        assert low <= values.min() < low + 0.1 * (high - low)
        assert high >= values.max() > high - 0.1 * (high - low)


def test_the_stage_keeps_what_is_tested_out_of_all_that_trains(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(affnist(), SharedParams(seed=3), Tracker(None))
    piles = split_names(affnist())
    sets = {name: read_set(tmp_path / "data/prepare" / name) for name in (*SETS, "unlabeled")}
    names = {name: [one[:11] for one in sets[name].index["source_id"]] for name in SETS}
    assert {name: len(found) for name, found in names.items()} == {
        "labeled": 20, "val": 7, "test": 12, "simulated": 25, "foregrounds": 20, "backgrounds": 1,
    }  # fmt: skip
    assert set(names["test"]) <= piles["test"]
    assert set(names["val"]) <= piles["val"]
    assert set(names["labeled"]) <= piles["labeled"]
    assert set(names["simulated"]) == set(names["foregrounds"]) == set(names["labeled"])
    digits = {
        name: found.require_class_ids() for name, found in sets.items() if name in ("labeled", "simulated", "test")
    }
    assert digits["labeled"].tolist() == sets["foregrounds"].require_class_ids().tolist()
    known = dict(zip(names["labeled"], digits["labeled"], strict=True))
    assert digits["simulated"].tolist() == [known[name] for name in names["simulated"]]
    assert sorted(set(digits["test"])) == list(range(1, 11))
    assert read_spec().labels == "image"
    assert "class_id" not in sets["unlabeled"].index


def test_the_seed_draws_the_maps_and_resize_reaches_all_of_them():
    def tests(seed: int, **values) -> np.ndarray:
        records = open_source(affnist(**values), seed).records
        return np.stack([r.read().image for r in records if r.pool == "test"])

    np.testing.assert_array_equal(tests(0), tests(0))
    assert (tests(0) != tests(1)).any()
    assert tests(0, resize=(20, 20)).shape == (12, 20, 20, 1)
    source = open_source(affnist(resize=(20, 20)))
    assert source.simulate is not None
    assert source.simulate(source.records[:3])[0].read().image.shape == (20, 20, 1)


def write_mat(path, images: np.ndarray, digits: np.ndarray, **fields) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"image": images.reshape(len(images), -1).T, "label_int": digits[None].astype(np.uint8)} | fields
    savemat(path, {"affNISTdata": content}, do_compression=True)


def some(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, (count, 40, 40)).astype(np.uint8)


@pytest.fixture
def files(tmp_path):
    """affNIST's own layout, small: 40 digits to learn from, two batches of 30 to test on."""
    centred = np.zeros((40, 40, 40), np.uint8)
    centred[:, 6:34, 6:34] = some(40, 0)[:, 6:34, 6:34]
    write_mat(tmp_path / "just_centered/training.mat", centred, np.arange(40) % 10)
    for batch in (1, 2):
        write_mat(tmp_path / f"transformed/test_batches/{batch}.mat", some(30, batch), np.arange(30) % 10)
    write_mat(tmp_path / "transformed/validation.mat", some(20, 5), np.arange(20) % 10)
    return tmp_path


def test_affnists_own_files_are_read_upright(files):
    source = open_source(affnist(files))
    by_pool = {pool: [r for r in source.records if r.pool == pool] for pool in ("labeled", "val", "test")}
    assert {pool: len(found) for pool, found in by_pool.items()} == {"labeled": 40, "val": 7, "test": 12}
    assert [r.source_id for r in by_pool["test"]][5:7] == ["test-1-000025", "test-2-000000"]
    pixels = by_pool["test"][5].read()
    np.testing.assert_array_equal(pixels.image[:, :, 0], some(30, 1)[25])
    assert pixels.class_id == 6
    centred = by_pool["labeled"][17].read()
    np.testing.assert_array_equal(centred.image[6:34, 6:34, 0], some(40, 0)[17, 6:34, 6:34])
    assert centred.class_id == 8
    assert source.simulate is not None
    assert source.simulated == []


def test_affnists_own_training_files_are_the_simulated_ones(files):
    write_mat(files / "transformed/training_batches/1.mat", some(50, 9), np.arange(50) % 10)
    source = open_source(affnist(files))
    assert source.simulate is None
    assert len(source.simulated) == 25
    np.testing.assert_array_equal(source.simulated[24].read().image[:, :, 0], some(50, 9)[48])


def test_every_mistake_in_affnists_files_is_one_sentence(files):
    with pytest.raises(UserError, match=r"1\.mat: 30 images, but prepare\.test takes 49 of it"):
        open_source(affnist(files, test=99))
    write_mat(files / "transformed/validation.mat", some(20, 5), np.arange(20) % 10 + 1)
    with pytest.raises(UserError, match="label_int is not a digit for each of 20 images"):
        open_source(affnist(files))
    write_mat(files / "transformed/validation.mat", some(20, 5)[:, :28, :28], np.arange(20) % 10)
    with pytest.raises(UserError, match=r"image is \(784, 20\) uint8, not \(1600, N\) uint8"):
        open_source(affnist(files))
    (files / "transformed/validation.mat").unlink()
    with pytest.raises(UserError, match=r"^prepare\.val: 7 asked for, but there is no validation\.mat"):
        open_source(affnist(files))
    (files / "just_centered/training.mat").unlink()
    with pytest.raises(UserError, match=r"just_centered/training\.mat: no such file"):
        open_source(affnist(files))


def test_what_draws_masks_is_no_simulator_for_classes_of_images():
    source = Source(DatasetSpec(name="affnist", size=(40, 40), channels=1, classes=CLASSES, labels="image"), [])
    with pytest.raises(UserError, match=r"^prepare\.simulator: glyphs draws digits with masks; affnist has other"):
        simulated_source(affnist(simulator="glyphs"), source, seed=0)


def test_a_folder_without_digits_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"^prepare\.path: .* is no folder"):
        open_source(affnist(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte: no such file"):
        open_source(affnist(tmp_path))
