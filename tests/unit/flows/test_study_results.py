"""From the reports of a copy to results.csv, table.md and curve.png."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flows.study.chart import COLOURS, draw_curve, is_logarithmic
from flows.study.description import RESULT_FIELDS, Study
from flows.study.lines import digits_for, levels, lines
from flows.study.results import Measure, Result, Score, figure, read_results, write_results
from flows.study.table import table
from stages.common.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
MIOU = Measure("mean IoU", "", "0 to 1", "higher")
GAZE = Measure("mean angle", "°", "", "lower")
AXIS = {"title": "samples added", "key": "generate.samples", "values": [50, 1000]}
LEVEL = Score(0.5, 0.02, (0.48, 0.52))


def study(**changes):
    rows = {"random": {"recipe": "composite"}, "learned": {"recipe": "composite"}}
    return Study.model_validate({"rows": rows, "level": "real", **changes})


def result(row, value, mean, level=LEVEL, measure=MIOU, **figures):
    score = Score(mean, 0.01, (mean - 0.01, mean + 0.01))
    return Result(row, "composite", value, score, level, figures, measure, f"{row}-{value}")


CURVES = [
    result("random", 50, 0.6, spread=0.25),
    result("random", 1000, 0.7, spread=None),
    result("learned", 50, 0.65, spread=0.125),
]


def test_results_csv_is_read_back_as_it_was_written(tmp_path):
    path, lone = tmp_path / "results.csv", Score(0.1, None, (0.1, None))
    single = Result("alone, really", "real", None, lone, None, {"spread": -3.5e-7}, GAZE, "abc")
    write_results(path, [*CURVES, single], ["spread"])
    found = read_results(path, study(columns={"spread": "reports/compose/metrics.json:compose/spread"}))
    assert list(found.values()) == [*CURVES, single]
    assert list(found) == [each.key for each in [*CURVES, single]]


def test_a_column_cannot_take_the_place_of_what_results_csv_has_anyway(tmp_path):
    write_results(tmp_path / "results.csv", CURVES, [])
    header = (tmp_path / "results.csv").read_text().splitlines()[0].split(",")
    assert sorted(header) == sorted(RESULT_FIELDS)
    for name in header:
        with pytest.raises(ValueError, match=f"the column {name} is called as one that results.csv has anyway"):
            study(columns={name: "reports/compose/metrics.json:compose/spread"})


def test_a_results_csv_without_a_column_that_is_asked_for_now_counts_as_none(tmp_path):
    write_results(tmp_path / "results.csv", CURVES, ["spread"])
    columns = {"shift": "reports/refine/metrics.json:refine/shift"}
    assert read_results(tmp_path / "results.csv", study(columns=columns)) == {}
    assert read_results(tmp_path / "none.csv", study()) == {}


def test_a_figure_counts_only_from_a_stage_of_the_run(tmp_path):
    path = tmp_path / "reports/compose/metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"compose/spread": 0.25, "nested": {"real": 3}, "name": "x", "nothing": None}))
    address = "reports/compose/metrics.json:"
    assert figure(tmp_path, f"{address}compose/spread", {"compose"}) == 0.25
    assert figure(tmp_path, f"{address}nested.real", {"compose"}) == 3
    for key in ("absent", "name", "nothing"):
        assert figure(tmp_path, f"{address}{key}", {"compose"}) is None
    assert figure(tmp_path, f"{address}compose/spread", {"refine"}) is None
    assert figure(tmp_path, "reports/refine/metrics.json:x", {"refine"}) is None


def test_a_figure_of_a_repeated_stage_counts_only_from_its_own_item(tmp_path):
    path = tmp_path / "reports/label/gan/metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"label/miou_cv": 0.75}')
    address = "reports/label/gan/metrics.json:label/miou_cv"
    assert figure(tmp_path, address, {"label@gan", "invert"}) == 0.75
    assert figure(tmp_path, address, {"label@other", "generate@gan"}) is None


def test_the_level_is_one_line_where_rows_agree_and_one_for_each_where_not():
    assert levels(CURVES, "real") == {"real": {50: LEVEL, 1000: LEVEL}}
    other = result("learned", 1000, 0.7, level=Score(0.4, 0.02, (0.38, 0.42)))
    assert list(levels([*CURVES, other], "real")) == ["real for random", "real for learned"]
    assert levels([result("random", 50, 0.6, level=None)], None) == {}


def test_a_table_over_an_axis_has_a_line_a_row_and_a_gap_where_a_run_is_missing():
    text = table("Title", study(axis=AXIS, columns={"spread": "reports/compose/metrics.json:compose/spread"}), CURVES)
    assert text.splitlines() == [
        "# Title",
        "",
        "Mean IoU (0 to 1, higher is better); mean ± sample standard deviation over 2 seeds of the target.",
        "",
        "| samples added | 50 | 1000 |",
        "|---|---:|---:|",
        "| real | 0.500 ± 0.020 | 0.500 ± 0.020 |",
        "| random | 0.600 ± 0.010 | 0.700 ± 0.010 |",
        "| learned | 0.650 ± 0.010 | - |",
        "",
        "Spread:",
        "",
        "| samples added | 50 | 1000 |",
        "|---|---:|---:|",
        "| random | 0.250 | - |",
        "| learned | 0.125 | - |",
    ]


def test_a_table_of_variants_has_the_figures_beside_the_scores_and_the_unit():
    results = [result(row, None, mean, measure=GAZE, count=4) for row, mean in (("random", 12.3), ("learned", 7.0))]
    text = table("Title", study(columns={"count": "reports/generate/metrics.json:n"}), results)
    assert "Mean angle (°, lower is better)" in text
    assert text.splitlines()[-5:] == [
        "|  | mean angle | count |",
        "|---|---:|---:|",
        "| real | 0.5 ± 0.0 ° | - |",
        "| random | 12.3 ± 0.0 ° | 4 |",
        "| learned | 7.0 ± 0.0 ° | 4 |",
    ]


def test_rows_with_different_metrics_are_not_compared():
    with pytest.raises(UserError, match="judged by mean IoU and by mean angle"):
        table("Title", study(), [result("random", None, 0.1), result("learned", None, 0.1, measure=GAZE)])


@pytest.mark.parametrize(("values", "digits"), [([0.7], 3), ([7.8, 0.1], 2), ([45.2], 1), ([450], 0), ([0.001], 4)])
def test_three_figures_of_the_largest_value_are_shown(values, digits):
    assert digits_for(values) == digits


@pytest.mark.parametrize(
    ("values", "logarithmic"), [([50, 500], False), ([50, 501], True), ([0, 1000], False), ([-1, 20], False)]
)
def test_the_axis_is_logarithmic_when_its_values_span_more_than_ten_times(values, logarithmic):
    assert is_logarithmic(values) == logarithmic


def test_the_curve_has_a_colour_a_row_and_the_band_of_the_level(tmp_path):
    axis, path = study(axis=AXIS).axis, tmp_path / "curve.png"
    draw_curve(path, axis, MIOU, lines(CURVES), levels(CURVES, "real"))
    colours = {tuple(pixel) for pixel in np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)}
    for colour in COLOURS[:3]:
        assert tuple(bytes.fromhex(colour[1:])) in colours
    draw_curve(tmp_path / "plain.png", axis, MIOU, lines(CURVES), {})
    assert (tmp_path / "plain.png").read_bytes() != path.read_bytes()


def test_the_colours_are_those_of_the_report():
    template = (ROOT / "stages/evaluate/report.html.j2").read_text()
    light = re.findall(r"--s\d:(#[0-9a-f]{6})", template)[: len(COLOURS)]
    assert tuple(light) == COLOURS
