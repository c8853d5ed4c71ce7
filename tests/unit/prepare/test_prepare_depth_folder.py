"""A folder whose images have a depth: dataset.yaml with depth, depth/ beside images/."""

import numpy as np
import pytest
from folder_builders import refused, write_folder
from PIL import Image

from stages.prepare.params import PrepareParams
from stages.prepare.scan import scan
from stages.prepare.sources import open_source

STEPS = np.arange(240, dtype=np.uint16).reshape(12, 20) * 100


def write_rooms(root, steps=STEPS, unit_m=0.001, **description):
    """Two labelled images, the second one of unknown depth, and one without labels; returns the params."""
    described = {"name": "rooms", "depth": {"unit_m": unit_m}} | description
    write_folder(root, {"unlabeled": 1, "labeled/images": 2}, (12, 20), **described)
    (root / "labeled/depth").mkdir()
    for number, values in enumerate((steps, np.zeros((12, 20), np.uint16))):
        Image.fromarray(values).save(root / f"labeled/depth/l{number}.png")
    return PrepareParams(source="folder", path=root)


def test_depth_alone_is_label_enough_and_comes_in_metres(tmp_path):
    source = open_source(write_rooms(tmp_path))
    assert source.spec.model_dump(exclude_defaults=True) == {
        "name": "rooms",
        "size": (12, 20),
        "channels": 1,
        "depth": True,
    }
    plain, first, second = (record.read() for record in source.records)
    assert plain.depth is None
    assert first.depth.dtype == np.float32
    assert first.depth == pytest.approx(STEPS / 1000)
    assert first.depth.max() == pytest.approx(23.9)
    assert (second.depth == 0).all()
    assert len(scan(source, quarantine=False).records) == 3


def test_all_sixteen_bits_count(tmp_path):
    steps = np.full((12, 20), 65535, np.uint16)
    depth = open_source(write_rooms(tmp_path, steps, unit_m=0.01)).records[1].read().depth
    assert depth == pytest.approx(np.full((12, 20), 655.35))


def test_depth_is_resized_by_the_nearest_pixel(tmp_path):
    steps = np.where(np.arange(20) < 10, 1000, 3000).astype(np.uint16) * np.ones((12, 1), np.uint16)
    params = write_rooms(tmp_path, steps).model_copy(update={"resize": (6, 30)})
    depth = open_source(params).records[1].read().depth
    assert depth.shape == (6, 30)
    assert depth.dtype == np.float32
    assert (depth[:, :15] == 1).all()
    assert (depth[:, 15:] == 3).all()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.zeros((12, 20), np.uint8), "l0.png: mode L, but a depth map is grey with 16 bits; save it so"),
        (np.zeros((12, 20, 3), np.uint8), "l0.png: mode RGB, but a depth map is grey with 16 bits; save it so"),
        (STEPS.T, "l0.png: the depth map is 20 x 12 pixels, but its image is 12 x 20"),
    ],
)
def test_a_wrong_depth_map_is_refused_in_a_sentence(tmp_path, values, sentence):
    params = write_rooms(tmp_path)
    Image.fromarray(np.ascontiguousarray(values)).save(tmp_path / "labeled/depth/l0.png")
    assert refused(params) == f"{tmp_path}/labeled/depth/{sentence}"


def test_every_labelled_image_has_a_depth_map_and_the_other_way_round(tmp_path):
    params, path = write_rooms(tmp_path), tmp_path / "labeled/depth/l1.png"
    path.rename(path.with_name("x.png"))
    assert refused(params) == (
        f"{path.with_name('x.png')}: no image of that name in {tmp_path / 'labeled/images'}; add it or remove the "
        "depth map"
    )
    path.with_name("x.png").write_bytes(b"")
    path.with_name("x.png").rename(path)
    assert refused(params).startswith(f"{path}: not a readable image (")
    path.unlink()
    assert refused(params) == f"{path}: no such depth map; every labelled image needs one of the same name"


def test_the_unit_is_above_zero(tmp_path):
    assert "depth.unit_m: input should be greater than 0 (found 0)" in refused(write_rooms(tmp_path, unit_m=0))
