import pytest

from stages.common.errors import UserError
from stages.evaluate.evidence import (
    expectations,
    over_time,
    read_evidence,
    read_lines,
    read_report,
    validation_scores,
)
from stages.evaluate.glossary import explain, number


def test_a_broken_json_file_is_named(tmp_path):
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(UserError, match=r"metrics\.json: not valid JSON"):
        read_report(tmp_path / "metrics.json")
    assert read_report(tmp_path / "none.json") is None


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path):
    (tmp_path / "stats.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"st')
    assert read_lines(tmp_path / "stats.jsonl") == [{"step": 1}, {"step": 2}]


def test_fakes_are_chosen_evenly_from_first_to_last(tmp_path):
    for images in range(100, 1000, 100):
        (tmp_path / f"fakes_{images:08d}.png").touch()
    (tmp_path / "fakes_untruncated.png").touch()
    assert [images for images, _ in over_time(tmp_path, "fakes", 3)] == [100, 500, 900]


def test_failed_expectations_come_first():
    rows = [{"name": "a", "success": True}, {"name": "b", "success": False}]
    assert [row["name"] for row in expectations(rows) or []] == ["b", "a"]
    assert expectations(None) is None


def test_validation_scores_of_the_seeds():
    metrics = {"target/val_miou": 0.7, "target/val_miou/seed-3": 0.6, "target/val_miou/seed-12": 0.8, "train/loss": 0.1}
    assert validation_scores(metrics, "miou") == {3: 0.6, 12: 0.8}
    assert validation_scores(metrics, "gaze_deg") == {}
    assert validation_scores(None, "miou") == {}


def test_known_figures_have_a_unit_and_a_meaning_and_unknown_ones_their_name():
    known, unknown = explain({"gan/recall": 0.50214, "new/some_thing": 7, "note": "text", "flag": True})
    assert (known.label, known.value, known.unit) == ("Recall", "0.5021", "share, 0 to 1")
    assert known.meaning
    assert (unknown.label, unknown.value, unknown.meaning) == ("some thing", "7", "")


def test_scores_of_other_tasks_are_explained_too():
    assert explain({}) == []
    names = ["target/gaze_deg", "target/within_7deg", "target/pck", "target/pck_5px", "target/distance_px"]
    figures = explain(dict.fromkeys(names, 0.5))
    assert [figure.label for figure in figures] == [
        "Gaze error",
        "Within 7 degrees",
        "PCK",
        "PCK within 5 px",
        "Distance",
    ]
    assert all(figure.unit and figure.meaning for figure in figures)


def test_numbers_are_short_and_readable():
    assert [number(v) for v in (1234567.0, 0.123456, 0.0000123)] == ["1,234,567", "0.1235", "1.230e-05"]


def test_what_a_stage_left_for_recipes_that_are_not_compared_is_not_shown(tmp_path):
    for stage in ("pretrain", "invert", "label/gan", "refine"):
        (tmp_path / "reports" / stage).mkdir(parents=True)
        (tmp_path / "reports" / stage / "metrics.json").write_text('{"figure": 1}')
    (tmp_path / "reports/pretrain/stats.jsonl").write_text('{"step": 1}\n')
    eyes = read_evidence(tmp_path, ["simulated", "refined+real"])
    assert (eyes.pretrain, eyes.invert, eyes.labels, list(eyes.stats)) == (None, None, {}, [])
    assert eyes.refine == {"figure": 1}
    drawn = read_evidence(tmp_path, ["real", "annotated+real"])
    assert drawn.pretrain == drawn.invert == {"figure": 1}
    assert (drawn.labels, drawn.annotate) == ({"annotated": None}, None)
    digits = read_evidence(tmp_path, ["real", "gan+real"])
    assert list(digits.labels) == ["gan"]
    assert digits.pretrain == digits.invert == digits.labels["gan"] == {"figure": 1}
    assert digits.stats
    assert digits.refine is None
