"""A folder whose images have a class: dataset.yaml with labels: image, labels.csv beside images/."""

import pytest
from folder_builders import refused, write_folder

from stages.prepare.params import PrepareParams
from stages.prepare.scan import scan
from stages.prepare.sources import open_source


def write_fruit(root, rows="l0.png,pear\nl1.png, 7\nl2.png,pear\n", **description):
    """Three labelled images and two without labels; returns the params."""
    described = {"name": "fruit", "classes": ["nothing", "7", "pear"], "labels": "image"} | description
    write_folder(root, {"unlabeled": 2, "labeled/images": 3}, (12, 20), **described)
    (root / "labeled" / "labels.csv").write_text("file,class\n" + rows)
    return PrepareParams(source="folder", path=root)


def test_every_labelled_image_has_the_id_of_its_class(tmp_path):
    source = open_source(write_fruit(tmp_path))
    assert source.spec.labels == "image"
    pixels = [record.read() for record in source.records]
    assert [p.class_id for p in pixels] == [None, None, 2, 1, 2]
    assert all(p.mask is None and p.boxes is None for p in pixels)
    shows = scan(source, quarantine=False).shows
    assert shows.tolist()[2:] == [[False, False, True], [False, True, False], [False, False, True]]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("l0.png,pear\nl1.png,7\n", "l2.png is not listed; add its class or remove the image"),
        ("l0.png,pear\nl0.png,7\nl2.png,7\n", "l0.png is listed twice; remove one of its rows"),
        ("l0,pear\nl1,7\nl2,pear\n", "l0 has no suffix; give whole names, such as l0.png"),
        ("l0.png,pear\nl1.png,plum\nl2.png,7\n", "l1.png: plum is no class of dataset.yaml; known there: 7, pear"),
        ("l0.png,pear\nl1.png,nothing\nl2.png,7\n", "l1.png: nothing is no class of dataset.yaml"),
        ("l0.png,pear\nl1.png,\nl2.png,7\n", "l1.png: has no class; known there: 7, pear"),
    ],
)
def test_a_wrong_table_is_refused_in_a_sentence(tmp_path, rows, sentence):
    assert sentence in refused(write_fruit(tmp_path, rows))


def test_a_missing_table_or_column_is_refused(tmp_path):
    params, path = write_fruit(tmp_path), tmp_path / "labeled" / "labels.csv"
    path.write_text("file,kind\nl0.png,pear\n")
    assert refused(params) == f"{path}: no column class; it has file, kind"
    path.write_text("file;class\nl0.png;pear\n")
    assert refused(params) == f"{path}: its columns are separated with semicolons; separate them with commas"
    path.unlink()
    assert refused(params).startswith(f"{path}: no such file; dataset.yaml says labels: image")


def test_the_kind_of_labels_must_be_known(tmp_path):
    assert "labels: input should be 'masks', 'boxes' or 'image'" in refused(write_fruit(tmp_path, labels="class"))


def test_a_class_may_be_called_none(tmp_path):
    params = write_fruit(tmp_path, "l0.png,None\nl1.png,NA\nl2.png,None\n", classes=["nothing", "NA", "None"])
    assert [record.read().class_id for record in open_source(params).records] == [None, None, 2, 1, 2]


def test_rows_without_an_image_are_counted_in_a_note(tmp_path, capsys):
    open_source(write_fruit(tmp_path, "l0.png,pear\nl1.png,7\nl2.png,pear\n"))
    assert capsys.readouterr().out == ""
    open_source(write_fruit(tmp_path / "more", "l0.png,7\nl1.png,7\nl2.png,7\nl3.png,7\nl4.png,7\n"))
    assert "labels.csv: 2 of 5 names have no image in" in capsys.readouterr().out
