import gzip
import struct

import numpy as np
import pytest

from stages.common.errors import UserError
from stages.prepare.ink import ink_mask
from stages.prepare.params import PrepareParams
from stages.prepare.sources import open_source
from stages.prepare.sources.digits import pad


def write_idx(path, values: np.ndarray) -> None:
    head = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    content = head + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_part(folder, part: str, count: int, ending: str = "") -> np.ndarray:
    images = np.random.default_rng(count).integers(0, 256, (count, 28, 28)).astype(np.uint8)
    write_idx(folder / f"{part}-images-idx3-ubyte{ending}", images)
    write_idx(folder / f"{part}-labels-idx1-ubyte{ending}", np.arange(count) % 10)
    return images


def mnist(folder, **values) -> PrepareParams:
    return PrepareParams(source="mnist", path=folder, **values)


def test_ink_of_a_seven_is_class_eight():
    image = np.array([[0, 127, 128], [255, 1, 200]], np.uint8)
    assert ink_mask(image, 7).tolist() == [[0, 0, 8], [8, 0, 8]]
    assert ink_mask(image, 0).tolist() == [[0, 0, 1], [1, 0, 1]]
    assert ink_mask(image, 0).dtype == np.uint8


def test_padding_adds_two_empty_pixels_on_every_side():
    padded = pad(np.full((1, 28, 28), 9, np.uint8))
    assert padded.shape == (1, 32, 32)
    assert padded[0, 2:30, 2:30].min() == 9
    assert padded.sum() == 9 * 28 * 28


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_files_become_records_and_t10k_is_the_test_pool(tmp_path, ending):
    train = write_part(tmp_path, "train", 30, ending)
    write_part(tmp_path, "t10k", 12, ending)
    source = open_source(mnist(tmp_path))
    assert [r.pool for r in source.records] == ["labeled"] * 30 + ["test"] * 12
    assert source.spec.size == (32, 32)
    assert source.spec.classes == ("background", *"0123456789")
    image, mask, *_ = source.records[17].read()
    np.testing.assert_array_equal(image[2:30, 2:30, 0], train[17])
    np.testing.assert_array_equal(mask[2:30, 2:30], np.where(train[17] >= 128, 8, 0))
    assert source.records[17].source_id == "train-00017"


def test_resize_shrinks_image_and_mask(tmp_path):
    write_part(tmp_path, "train", 10)
    source = open_source(mnist(tmp_path, resize=(16, 20)))
    image, mask, *_ = source.records[3].read()
    assert source.spec.size == (16, 20)
    assert image.shape == (16, 20, 1)
    assert mask is not None
    assert mask.shape == (16, 20)
    assert set(np.unique(mask)) <= {0, 4}


def test_every_mistake_in_idx_files_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"^prepare\.path: not set"):
        open_source(PrepareParams(source="mnist"))
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte: no such file, nor with \.gz"):
        open_source(mnist(tmp_path))
    write_part(tmp_path, "train", 10)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.arange(9))
    with pytest.raises(UserError, match="10 train images but 9 labels"):
        open_source(mnist(tmp_path))
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.full(10, 10))
    with pytest.raises(UserError, match="labels go up to 10"):
        open_source(mnist(tmp_path))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"hello, world")
    with pytest.raises(UserError, match="no idx file of bytes with 1 dimension"):
        open_source(mnist(tmp_path))
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match="7835 values, but its head says 7840"):
        open_source(mnist(tmp_path))


def test_a_cut_off_gzip_file_is_one_sentence(tmp_path):
    write_part(tmp_path, "train", 10, ".gz")
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte\.gz: not a whole gzip file"):
        open_source(mnist(tmp_path))
