"""A folder whose images have a gaze: dataset.yaml without classes, labels.csv beside images/."""

import math
import shutil

import numpy as np
import pytest
from folder_builders import refused, write_folder
from pydantic import ValidationError

from stages.common.errors import UserError
from stages.common.pictures import YELLOW
from stages.prepare.params import EyeParams, PrepareParams
from stages.prepare.records import Pixels, Record, Source
from stages.prepare.report import labelled_picture
from stages.prepare.scan import refuse_constant, scan
from stages.prepare.simulators import simulated_source
from stages.prepare.simulators.eyes import CLASSES
from stages.prepare.sources import open_source


def write_eyes(root, rows="t0.png,10,-5\nt1.png,-2.5,0\n", unit="degree", **description):
    """Two test photos and three without labels; returns the params."""
    described = {"name": "eyes", "gaze": {"unit": unit, "columns": ["pitch", "yaw"]}} | description
    write_folder(root, {"unlabeled": 3, "test/images": 2}, (36, 60), **described)
    (root / "test" / "labels.csv").write_text("file,pitch,yaw\n" + rows)
    return PrepareParams(source="folder", path=root, simulator="eyes", simulated=3, labeled=0, val=0)


def test_test_images_have_their_gaze_in_radians_and_the_others_none(tmp_path):
    source = open_source(write_eyes(tmp_path))
    assert source.spec.gaze
    assert source.spec.classes == ()
    gazes = [record.read().gaze for record in source.records]
    assert [gaze is None for gaze in gazes] == [True] * 3 + [False] * 2
    assert gazes[3].tolist() == pytest.approx([math.radians(10), math.radians(-5)])
    assert gazes[4].tolist() == pytest.approx([math.radians(-2.5), 0])


def test_the_drawn_eyes_bring_classes_that_the_photos_lack(tmp_path):
    params = write_eyes(tmp_path)
    drawn = simulated_source(params, open_source(params), seed=0)
    assert drawn.spec.classes == CLASSES
    pixels = [record.read() for record in drawn.records]
    assert len(pixels) == 3
    assert all(p.mask is not None and p.gaze is not None and p.keypoints is not None for p in pixels)


def test_eyes_are_drawn_for_a_gaze_alone(tmp_path):
    params = write_eyes(tmp_path)
    spec = open_source(params).spec
    with pytest.raises(UserError, match=r"eyes makes eyes with their gaze; eyes has no gaze"):
        simulated_source(params, Source(spec.model_copy(update={"gaze": False}), []), seed=0)
    with pytest.raises(UserError, match=r"eyes draws grey eyes; eyes has 3 channels"):
        simulated_source(params, Source(spec.model_copy(update={"channels": 3}), []), seed=0)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("t0.png,1,2\n", "t1.png is not listed; add its gaze or remove the image"),
        ("t0.png,1,2\nt0.png,1,2\nt1.png,0,0\n", "t0.png is listed twice; remove one of its rows"),
        ("t0,1,2\nt1,0,0\n", "t0 has no suffix; give whole names, such as t0.png"),
        ("t0.png,1,up\nt1.png,0,0\n", "t0.png: pitch and yaw must be numbers"),
        ("t0.png,1,2\nt1.png,200,0\n", "t1.png: more than half a turn; is the unit degree in dataset.yaml?"),
    ],
)
def test_a_wrong_table_is_refused_in_a_sentence(tmp_path, rows, sentence):
    assert refused(write_eyes(tmp_path, rows)).endswith(sentence)


def test_a_missing_table_or_column_is_refused(tmp_path):
    params = write_eyes(tmp_path)
    table = tmp_path / "test" / "labels.csv"
    table.write_text("file,pitch\nt0.png,1\n")
    assert refused(params) == f"{table}: no column yaw; it has file, pitch"
    table.unlink()
    assert refused(params).startswith(f"{table}: no such file; dataset.yaml says that images have a gaze")


@pytest.mark.parametrize("columns", [["yaw", "pitch"], ["pitch", "pitch"]])
def test_the_pitch_is_named_first_and_the_yaw_second(tmp_path, columns):
    gaze = {"unit": "degree", "columns": columns}
    assert "first that of the pitch, then that of the yaw" in refused(write_eyes(tmp_path, gaze=gaze))


def test_radians_that_pass_for_degrees_are_warned_of(tmp_path, capsys):
    open_source(write_eyes(tmp_path, "t0.png,0.1,-0.2\nt1.png,0.05,0\n"))
    assert "no angle reaches 2 degrees; is the unit radian?" in capsys.readouterr().out


def test_a_gaze_folder_without_labelled_images_at_all_is_refused(tmp_path):
    params = write_eyes(tmp_path)
    shutil.rmtree(tmp_path / "test")
    assert refused(params).startswith(f"{tmp_path / 'test'}: no such folder; add test/images/")


@pytest.mark.parametrize(
    "wrong", [{"pitch": [4, -20]}, {"ball": [0, 0.3]}, {"opening": [5, 9]}, {"yaw": [float("nan"), 1]}]
)
def test_ranges_that_cannot_be_drawn_from_are_refused(wrong):
    with pytest.raises(ValidationError):
        EyeParams.model_validate(wrong)


def test_a_simulated_image_that_shows_nothing_is_refused(tmp_path):
    flat = Pixels(np.full((36, 60, 1), 7, np.uint8), gaze=np.zeros(2, np.float32))
    spec = open_source(write_eyes(tmp_path)).spec
    drawn = scan(Source(spec, [Record("s0", "simulated", "s0", "s0.png", lambda: flat)]), quarantine=False)
    with pytest.raises(UserError, match=r"s0\.png: all pixels are the same"):
        refuse_constant(drawn)


def test_simulated_images_of_a_folder_that_are_not_read_are_told(tmp_path, capsys):
    params = write_eyes(tmp_path)
    open_source(params)
    assert "is not read" not in capsys.readouterr().out
    (tmp_path / "simulated").mkdir()
    open_source(params)
    assert f"{tmp_path / 'simulated'} is not read, for prepare.simulator is eyes" in capsys.readouterr().out


def test_the_picture_of_drawn_eyes_shows_where_they_look(tmp_path):
    params = write_eyes(tmp_path)
    drawn = simulated_source(params, open_source(params), seed=0)
    picture = labelled_picture([record.read() for record in drawn.records], len(CLASSES))
    assert picture.shape == (1 + 2 * 73, 1 + 3 * 121, 3)
    yellow = (picture == YELLOW).all(axis=2)
    assert yellow[74:].any()
    assert not yellow[:74].any()
